"""Two tracers in one scan: the mixture by its formula, frames, decay, and what the files say."""

from __future__ import annotations

import json

import numpy as np
import pytest

import betaplus as bp
from betaplus.core.errors import UsageError
from betaplus.simulation.brain import SIZES
from betaplus.simulation.dual import draw_dual, dual_frames, simulate_dual
from betaplus.simulation.tracers import find_profile

DELAY = 1500.0


@pytest.fixture(scope="module", autouse=True)
def tiny():
    """A grid on which a scan takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "tiny", ((20, 24, 16), 9.0))
        yield "tiny"


@pytest.fixture(scope="module")
def scan(tiny):
    return draw_dual(tracers=("PBR28", "FDG"), delay=DELAY, noise=0.0, seed=2, size=tiny)


def test_frames_are_those_of_each_tracer_from_its_injection():
    fdg, pbr = find_profile("FDG"), find_profile("PBR28")
    frames = dual_frames(fdg, pbr, DELAY)
    assert DELAY in frames.start
    second = frames.start >= DELAY
    assert frames.duration[second].tolist() == list(pbr.durations)
    assert frames.duration[~second].sum() == DELAY
    assert (frames.start[1:] == frames.end[:-1]).all()
    assert dual_frames(fdg, pbr, 0.0).duration.tolist() == list(pbr.durations)
    late = dual_frames(fdg, pbr, 7200.0)  # long after the last frame of the first
    assert late.start[-1] + late.duration[-1] == 7200.0 + sum(pbr.durations)
    for bad in (-1.0, 1e6, float("nan")):
        with pytest.raises(UsageError, match="delay is"):
            dual_frames(fdg, pbr, bad)


def test_measured_activity_is_the_sum_of_what_is_left_of_each(scan):
    t = len(scan.frames) - 4
    at = np.argwhere(scan.phantom.labels == 11)[0]
    expected = 0.0
    for part, half_life in zip(scan.parts, (1221.66, 6584.04), strict=True):
        start = scan.frames.start[t] - part.injection
        decay = np.log(2) / half_life
        over = decay * scan.frames.duration[t]
        left = np.exp(-decay * start) * (1 - np.exp(-over)) / over
        assert part.decay[t] == pytest.approx(left, rel=1e-9)
        expected += left * float(part.clean[(*at, t)])
    assert float(scan.mixture[(*at, t)]) == pytest.approx(expected, rel=1e-5)
    assert float(scan.image[(*at, t)]) == pytest.approx(expected, rel=1e-5)  # there is no noise


def test_the_second_tracer_is_not_there_before_its_injection(scan):
    before = scan.frames.end <= DELAY
    assert not scan.parts[1].clean[..., before].any() and not scan.parts[1].decay[before].any()
    assert scan.parts[1].clean[..., ~before].any()
    assert scan.parts[0].clean[..., before].any()
    assert not np.array_equal(scan.parts[0].maps["K1"], scan.parts[1].maps["K1"])


def test_early_frames_are_those_of_the_first_tracer_alone(scan):
    # The input, the frames and the kinetics are drawn as `draw_dynamic` draws them for the seed.
    from betaplus.simulation.dynamic import draw_dynamic

    alone = draw_dynamic(tracer="PBR28", seed=2, noise=0.0, size="tiny")
    own = int((scan.frames.end <= 600.0).sum())
    assert scan.frames.start[:own].tolist() == alone.profile.frames.start[:own].tolist()
    assert scan.parts[0].clean[..., :own] == pytest.approx(alone.clean[..., :own], rel=2e-3, abs=1)


def test_files_hold_the_mixture_and_both_truths(tmp_path):
    paths = simulate_dual(
        tmp_path / "out", tracers=("FDG", "PBR28"), delay=DELAY, seed=1, size="tiny"
    )
    mixture, truth = bp.load(paths["pet"]), bp.load(paths["truth/pet"])
    first, second = bp.load(paths["truth/FDG"]), bp.load(paths["truth/PBR28"])
    assert mixture.decay_corrected_to is None
    assert (first.decay_corrected_to, second.decay_corrected_to) == (0.0, DELAY)
    assert (first.injection, second.injection) == (0.0, DELAY)
    total = 0.0
    for image in (first, second):
        factors = mixture.frames.decay_factors(image.tracer.half_life)
        since = np.exp(image.tracer.decay_constant * image.injection)
        total = total + np.asarray(image.data) * since / factors
    assert np.asarray(truth.data) == pytest.approx(total, rel=1e-4, abs=1e-2)
    noise = (np.asarray(mixture.data) - np.asarray(truth.data))[np.asarray(truth.data) > 1000]
    assert noise.std() > 0 and abs(noise.mean()) < 0.05 * noise.std()
    tracers = json.loads((tmp_path / "out" / "sub-01_pet.json").read_text())["betaplus"]["Tracers"]
    assert [t["InjectionStart"] for t in tracers] == [0.0, DELAY]
    assert (tmp_path / "out" / "sub-01_trc-FDG_recording-manual_blood.tsv").exists()
    simulate_dual(
        tmp_path / "out", tracers=("PBR28", "FDG"), delay=0.0, size="tiny", overwrite=True
    )
    with pytest.raises(UsageError, match="tracer 'water' is unknown"):
        simulate_dual(tmp_path / "new", tracers=("FDG", "water"))
    assert not (tmp_path / "new").exists()
