"""Cases: what methods see, a scan with one tracer alone, fits of regions, the noise of a mean."""

import numpy as np
import pytest

from betaplus.pipeline.benchmark.separate.cases import (
    PAIRS,
    Scene,
    Subject,
    alone_frames,
    make_case,
)
from betaplus.pipeline.benchmark.separate.coverage.measures import region_linear
from betaplus.pipeline.benchmark.separate.macros import bounds, fit_curves, mean_share
from betaplus.pipeline.benchmark.separate.scores import Targets
from betaplus.simulation.dual_study import FIRST_TEST, FIRST_TUNING
from betaplus.simulation.dual_study.noise import noise_fields


def test_scenes_have_names_and_protocols_of_their_own():
    scenes = [Scene(pair=p, delay=d, counts=c) for p in PAIRS for d in (0, 20) for c in (1, 0.25)]
    assert len({scene.name for scene in scenes}) == 8
    protocol, _ = Scene(pair="FDG+PBR28", delay=10.0, counts=0.25).made()
    assert [p.tracer.name for p in protocol.tracers] == ["FDG", "PBR28"]
    assert protocol.delay == 600.0 and protocol.counts == 0.25
    shifted, _ = Scene(shift="dose").made()
    assert shifted.doses != Scene().made()[0].doses


def test_nobody_is_tuned_on_and_judged():
    assert Subject(number=3).seed == FIRST_TEST + 3
    assert Subject(number=3, tuning=True).seed == FIRST_TUNING + 3
    assert Subject(number=0).name != Subject(number=0, tuning=True).name


def test_a_case_is_the_scan_in_its_scale(simulated):
    case = make_case(simulated, 1)
    problem = case.study.problem
    head = simulated.head
    assert np.array_equal(problem.mask.numpy(), head)
    found = problem.mixture.numpy()[head] * problem.scale
    np.testing.assert_allclose(found, simulated.mixture(1.0, 1)[head], rtol=1e-4, atol=1.0)
    assert problem.injections == (0.0, 1200.0)
    assert problem.arrivals == simulated.arrivals


def test_a_tracer_alone_has_its_own_activity_and_less_noise(simulated):
    for i in (0, 1):
        draws = np.stack([alone_frames(simulated, i, draw) for draw in range(24)])
        seen = simulated.decay[i] > 0
        assert (draws[..., ~seen] == 0).all()
        mean, sd = draws.mean(0)[..., seen], draws.std(0, ddof=1)[..., seen]
        scale = simulated.noise_sd()[..., seen] / simulated.decay[i, seen]
        off = (mean - simulated.x[i][..., seen]) / scale
        assert abs(off[simulated.head].mean()) < 0.1
        ratio = (sd / scale)[simulated.head].mean(0)
        assert (ratio < 1.1).all() and ratio.min() < 0.95


def test_a_fit_gets_back_kinetics_and_the_bound_is_larger_for_both_tracers(simulated):
    targets = Targets(simulated)
    names, curves = simulated.true_curves()
    rows = [names.index(name) for name in targets.regions]
    found = fit_curves(simulated, 0, curves[0][rows])  # one tissue, no resolution: exact
    kinetics = [simulated.tissue.regions[0][name] for name in targets.regions]
    true = np.array([k["K1"] / k["k2"] for k in kinetics])
    np.testing.assert_allclose(found, true, rtol=0.02)
    for one in bounds(targets):
        dual, alone = (np.array(one[k], dtype=float) for k in ("dual", "alone"))
        known = np.isfinite(dual)
        assert known.any()
        assert (dual[known] >= alone[known] * 0.999).all()


def test_the_noise_of_a_mean_is_that_of_drawn_means(simulated):
    mask = np.zeros(simulated.shape, bool)
    mask[4:12, 5:11, 3:8] = True
    fwhm = simulated.protocol.noise_fwhm
    drawn = noise_fields(simulated.shape, simulated.voxel, 1500, fwhm, 1, 0, 0)
    found = drawn[mask].mean(0).var()
    assert mean_share(simulated, mask) == pytest.approx(found, rel=0.12)


def test_the_closed_form_of_a_region_is_near_its_uptake(simulated):
    from betaplus.pipeline.benchmark.region_intervals.regions import Region

    case = make_case(simulated)
    name, mask = max(Targets(simulated).regions.items(), key=lambda item: item[1].sum())
    value, sd = region_linear(case, Region(kind="organ", name=name, inside=mask))
    for i in (0, 1):
        weights = simulated.frames.duration * (simulated.decay[i] > 0)
        truth = simulated.x[i][mask].mean(0) @ weights / weights.sum()
        assert value[i] == pytest.approx(truth, rel=0.05)
        assert 0.0 < sd[i] < 0.2 * truth
