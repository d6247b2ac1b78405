"""Scans of two tracers: their truth, their noise, and that a seed is a scan."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from betaplus.core.errors import UsageError
from betaplus.physics.compartments import predict
from betaplus.physics.response import InputResponse
from betaplus.simulation.dual_study import (
    DualPerson,
    DualStudy,
    Population,
    draw_dual_person,
    draw_dual_study,
    find_dual_protocol,
)
from betaplus.simulation.subject import PARAMETERS

SEED = 919_500
SHAPE = (16, 18, 14)


@pytest.fixture(scope="module")
def person() -> DualPerson:
    return draw_dual_person(SEED, Population(voxel=5.0))


@pytest.fixture(scope="module")
def study(person: DualPerson) -> DualStudy:
    return draw_dual_study(person, shape=SHAPE, lesions=2, item=3)


def test_shapes_units_and_names(study: DualStudy) -> None:
    frames = len(study.frames)
    assert study.x.shape == (2, *SHAPE, frames) == (2, *study.shape, 18)
    assert study.x.dtype == study.mixture().dtype == np.float32
    assert study.labels.shape == SHAPE and study.decay.shape == (2, 18)
    assert {"WhiteMatter"} <= set(study.names.values())
    assert study.macro == ("VT", "Ki")
    low = np.array(study.tissue.low) + study.margin
    np.testing.assert_allclose(
        study.affine[:3, 3],
        study.person.phantom.affine[:3, :3] @ low + study.person.phantom.affine[:3, 3],
    )
    box = tuple(slice(a, a + n) for a, n in zip(low, SHAPE, strict=True))
    inside = study.person.phantom.labels[box]
    changed = study.labels != inside
    assert set(study.labels[changed].tolist()) <= {34}  # lesions


def test_activity_is_that_of_patients(study: DualStudy) -> None:
    names, curves = study.true_curves()
    fmz, fdg = curves[:, names.index("FrontalCortex")] / 1000.0
    assert 15.0 < fmz.max() < 90.0  # kBq/mL after 370 MBq
    assert 12.0 < fdg[-1] < 50.0 and fdg[-1] == fdg.max()
    pons = curves[0, names.index("Brainstem")]
    assert pons[-1] < 0.6 * curves[0, names.index("FrontalCortex"), -1]


def test_x_is_the_model_of_the_maps_where_the_scanner_is_perfect(person: DualPerson) -> None:
    protocol = find_dual_protocol("standard").replace(resolution=0.0, doses=(0.7, 1.3))
    study = draw_dual_study(person, protocol, shape=(10, 10, 10), lesions=0)
    assert study.margin == (0, 0, 0)
    for i in (0, 1):
        own = protocol.mixing.own_frames(i)
        half_life = protocol.tracers[i].tracer.half_life
        blood = study.blood[i]
        response = InputResponse(blood.curve(float(own.end[-1]) + 10.0), own, half_life)
        values = {
            p: torch.tensor(study.maps[i][p][study.head].astype(np.float64)) for p in PARAMETERS
        }
        values["delay"] = torch.full_like(values["K1"], study.arrivals[i])
        exact = predict(response, values).numpy()
        found = study.x[i][study.head][:, protocol.mixing.seen[i]]
        assert (np.abs(found - exact) / exact.max(axis=1, keepdims=True)).max() < 5e-6
        assert (study.x[i][..., ~protocol.mixing.seen[i]] == 0).all()
        assert (study.x[i][~study.head] == 0).all()


def test_the_mixture_is_the_sum_of_what_is_left_of_each(study: DualStudy) -> None:
    d = study.decay
    wanted = d[0] * study.x[0].astype(np.float64) + d[1] * study.x[1].astype(np.float64)
    np.testing.assert_allclose(study.clean, wanted, rtol=1e-5)
    assert study.x.min() >= 0.0
    before = study.frames.start < study.protocol.delay - 1.0
    assert (study.x[1][..., before] == 0).all() and (d[1, before] == 0).all()
    assert study.x[1][..., np.flatnonzero(~before)[1]].max() > 0


def test_maps_hold_lesions_and_macro_parameters(study: DualStudy) -> None:
    for i in (0, 1):
        m = {k: v[study.head].astype(np.float64) for k, v in study.maps[i].items()}
        np.testing.assert_allclose(m["Ki"], m["K1"] * m["k3"] / (m["k2"] + m["k3"]), rtol=1e-5)
        np.testing.assert_allclose(m["VT"], m["K1"] / m["k2"] * (1 + m["k3"] / m["k4"]), rtol=1e-5)
        assert m["VB"].max() <= 0.981 and (study.maps[i]["K1"][~study.head] == 0).all()
    for n, one in enumerate(study.lesions):
        whole = study.lesion_share(n) > 0.999
        for i, kinetics in enumerate(one.kinetics):
            if kinetics is not None:
                np.testing.assert_allclose(study.maps[i]["K1"][whole], kinetics["K1"], rtol=1e-5)
                assert one.contrast[i] != 1.0
            else:
                assert one.contrast[i] == 1.0


def test_parameters_vary_smoothly_inside_a_region_and_about_its_value(person: DualPerson) -> None:
    ratios = []
    for item in range(6):
        study = draw_dual_study(person, shape=(30, 30, 24), lesions=0, item=item)
        for label, name in study.names.items():
            if name == "WhiteMatter":
                K1 = study.maps[0]["K1"][study.labels == label]
                ratios.append(K1 / study.tissue.regions[0][name]["K1"])
    log = np.log(np.concatenate(ratios))
    assert np.mean(np.exp(log)) == pytest.approx(1.0, abs=0.05)
    assert 0.06 < log.std() < 0.14
    assert len({float(r[0]) for r in ratios}) == 6  # every item anew


def test_noise_has_the_sd_that_is_said(study: DualStudy) -> None:
    draws = 60
    noise = np.stack([study.mixture(0.5, d) - study.clean for d in range(draws)])
    z = noise / study.noise_sd(0.5)
    assert z.var() == pytest.approx(1.0, abs=0.02)
    per_frame = z.var(axis=(0, 1, 2, 3))
    assert np.abs(per_frame - 1.0).max() < 0.1
    by_size = np.argsort(study.noise_sd().reshape(-1))
    low, high = np.array_split(z.reshape(draws, -1)[:, by_size], 2, axis=1)
    assert low.var() == pytest.approx(high.var(), rel=0.03)
    assert abs(z.mean()) < 0.02


def test_variance_counts_what_is_there_and_how_long(person: DualPerson) -> None:
    base = find_dual_protocol("standard")
    one = draw_dual_study(person, base, shape=(8, 8, 8))
    minutes = one.frames.duration / 60.0
    tail = one.variance[..., 8:]
    wanted = base.level**2 * one.clean[..., 8:] / minutes[8:]
    floor = base.level**2 * one.tables[0].peak / minutes.min()
    assert (tail >= wanted * (1 - 1e-5)).all() and (tail - wanted).max() < 0.01 * floor
    np.testing.assert_allclose(one.noise_sd(0.25), 2.0 * one.noise_sd(), rtol=1e-5)
    half = draw_dual_study(person, base.replace(counts=0.25), shape=(8, 8, 8))
    np.testing.assert_allclose(half.noise_sd(), 2.0 * one.noise_sd(), rtol=1e-5)
    flat = draw_dual_study(person, base.replace(local=0.0), shape=(8, 8, 8))
    brain = flat.head & (flat.clean[..., -1] > 0)
    assert np.ptp(flat.variance[brain][:, -1]) < 0.02 * flat.variance[brain][:, -1].mean()


def test_separable_noise_is_near(study: DualStudy) -> None:
    s, w = study.separable_noise()
    assert w.mean() == pytest.approx(1.0) and s.shape == study.shape and (s > 0).all()
    ratio = np.log((s[..., None] ** 2 / w)[study.head] / study.variance[study.head])
    assert abs(ratio.mean()) < 1e-3 and ratio.std() < 0.5


def test_a_seed_and_an_item_are_a_scan(person: DualPerson, study: DualStudy) -> None:
    same = draw_dual_study(person, shape=SHAPE, lesions=2, item=3)
    np.testing.assert_array_equal(same.x, study.x)
    np.testing.assert_array_equal(same.mixture(0.3, 4), study.mixture(0.3, 4))
    other = draw_dual_study(person, shape=SHAPE, lesions=2, item=4)
    assert (other.x != study.x).any()
    assert other.arrivals != study.arrivals
    assert (study.mixture(1, 0) != study.mixture(1, 1)).any()


def test_a_tracer_is_the_same_in_either_order_and_with_any_other(person: DualPerson) -> None:
    kinetics = [
        draw_dual_study(person, name, shape=(8, 8, 8)).tissue.regions[i]["Putamen"]
        for name, i in (("standard", 1), ("FDG-FMZ", 0), ("MET-FDG", 1))
    ]
    assert kinetics[0] == kinetics[1] == kinetics[2]


def test_slices_and_boxes_beyond_the_head(person: DualPerson) -> None:
    slice_ = draw_dual_study(person, shape=(56, 56, 1), item=1)
    assert slice_.x.shape == (2, 56, 56, 1, 18)
    assert 0.1 < slice_.head.mean() < 0.9
    beyond = draw_dual_study(person, shape=(8, 8, 8), low=(-40, -40, -40), lesions=1)
    assert not beyond.head.any() and (beyond.x == 0).all() and beyond.lesions == ()
    assert np.isfinite(beyond.mixture()).all()


def test_what_cannot_be_drawn_is_refused(person: DualPerson, study: DualStudy) -> None:
    with pytest.raises(UsageError, match="three sizes"):
        draw_dual_study(person, shape=(8, 8))
    with pytest.raises(UsageError, match="dose of 0"):
        study.mixture(0.0)
    with pytest.raises(UsageError, match="kinds third"):
        draw_dual_study(person, shape=(8, 8, 8), kinds=("third",))
    with pytest.raises(UsageError, match="-1 lesions"):
        draw_dual_study(person, shape=(8, 8, 8), lesions=-1)


def test_another_part_of_a_scan_has_its_blood_and_kinetics(person: DualPerson) -> None:
    one = draw_dual_study(person, shape=SHAPE, item=3, lesions=0)
    other = draw_dual_study(person, shape=SHAPE, item=4, lesions=0, scan=one)
    assert other.blood is one.blood and other.arrivals == one.arrivals
    np.testing.assert_array_equal(other.true_curves()[1], one.true_curves()[1])
    assert other.tissue.low != one.tissue.low
    again = draw_dual_study(person, shape=SHAPE, item=3, lesions=0, scan=one)
    np.testing.assert_array_equal(again.x, one.x)
    alone = draw_dual_study(person, shape=SHAPE, item=4, lesions=0)
    assert alone.tissue.low == other.tissue.low and alone.arrivals != other.arrivals


def test_the_share_of_a_box_that_is_head_is_known_beforehand(person: DualPerson) -> None:
    for item in range(3):
        low = person.box(SHAPE, item)
        study = draw_dual_study(person, shape=SHAPE, item=item, low=low, lesions=0)
        assert person.share(low, SHAPE) == pytest.approx(float(study.head.mean()))
    assert person.share((-100, 0, 0), SHAPE) == 0.0
