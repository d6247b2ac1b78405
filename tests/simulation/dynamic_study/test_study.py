"""Studies: their truth, their noise, and that a seed is a study."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.simulation.dynamic_study import (
    PatlakStudy,
    Person,
    draw_patlak_study,
    draw_person,
    draw_small_study,
)
from betaplus.simulation.dynamic_study.protocol import DYNAMIC, count_share
from betaplus.simulation.surrogate.surrogate import Surrogate

SEED = 919_000


@pytest.fixture(scope="module")
def person() -> Person:
    return draw_person("body", SEED, voxel=8.0)


@pytest.fixture(scope="module")
def study(person: Person) -> PatlakStudy:
    return draw_patlak_study("body", SEED, shape=(36, 24, 28), person=person)


def _region(study: PatlakStudy, *names: str) -> np.ndarray:
    labels = [i for i, name in study.names.items() if name in names]
    return np.isin(study.labels, labels)


def test_a_trunk_is_in_view(study: PatlakStudy) -> None:
    assert {"Liver", "Lungs", "Myocardium", "HeartBlood", "RedMarrow"} <= set(study.names.values())
    assert study.labels.shape == study.shape == (36, 24, 28)
    assert study.clean.shape == (36, 24, 28, 8) and study.clean.dtype == np.float32
    assert study.start.shape == study.duration.shape == (8, 28)
    assert 3 <= len(study.lesions) <= 8


def test_true_Ki_is_the_closed_form_and_holds_the_lesions(study: PatlakStudy) -> None:
    K1, k2, k3 = (study.maps[p].astype(np.float64) for p in ("K1", "k2", "k3"))
    organs = _region(study, "Liver", "Lungs", "Muscle", "Myocardium")
    for n in range(len(study.lesions)):
        organs &= study.lesion_share(n) == 0
    expected = (K1[organs] * k3[organs]) / (k2[organs] + k3[organs])
    close = np.isclose(study.true_Ki[organs], expected, rtol=1e-4)
    assert close.mean() > 0.995  # but for the rims of dead cores
    for n, one in enumerate(study.lesions):
        whole = study.lesion_share(n) > 0.999
        np.testing.assert_allclose(study.true_Ki[whole], one.Ki, rtol=1e-5)
    assert (study.true_Ki[~study.body] == 0).all()


def test_the_reference_is_least_squares_of_frames_without_noise(study: PatlakStudy) -> None:
    Ki, V0 = study.noise_free
    at = tuple(np.argwhere(_region(study, "Liver"))[40])
    found, *_ = np.linalg.lstsq(study.basis[at[2]], study.clean[at].astype(np.float64), rcond=None)
    assert Ki[at] == pytest.approx(found[0], rel=1e-3)
    assert V0[at] == pytest.approx(found[1], rel=1e-4)
    liver = _region(study, "Liver")
    assert Ki[liver].mean() < 0.8 * study.true_Ki[liver].mean()  # k4
    assert 0.001 < Ki[liver].mean() < 0.008


def test_two_frames_are_as_noisy_as_one_static_scan_of_both(study: PatlakStudy) -> None:
    w = study.shares[-2:]  # 50 to 60 min
    assert w.sum() == pytest.approx(np.exp(np.log(2) / study.person.half_life * 600.0), rel=1e-6)
    draws = 20
    both = [
        sum(study.frame(6 + i, 1.0, d) * w[i] for i in range(2)) / w.sum() for d in range(draws)
    ]
    activity = np.average(study.activity[..., -2:], axis=-1, weights=w).astype(np.float32)
    static = Surrogate(
        activity, activity, study.voxel, study.protocol.style, information=study.information[-1],
        low=[a * 8.0 for a in study.tissue.low],
    )  # fmt: skip
    inner = (slice(4, -4),) * 3
    other = [static.image(seed=5, draw=d)[inner] for d in range(draws)]
    one, two = np.var(both, axis=0, ddof=1), np.var(other, axis=0, ddof=1)
    for name in ("Liver", "Muscle", "Lungs"):
        inside = _region(study, name)
        ratio = np.sqrt(one[inside].mean() / two[inside].mean())
        assert ratio == pytest.approx(1 / np.sqrt(w.sum()), rel=0.05), name


def test_noise_goes_with_counts_and_is_new_in_every_frame(study: PatlakStudy) -> None:
    body = study.body
    draws = range(12)
    full, tenth, later = (
        np.array([study.frame(f, dose, d) for d in draws]) for f, dose in ((2, 1), (2, 0.1), (3, 1))
    )
    sd = [np.sqrt(np.var(x, axis=0, ddof=1)[body].mean()) for x in (full, tenth)]
    assert sd[1] / sd[0] == pytest.approx(np.sqrt(10.0), rel=0.06)
    assert tenth.mean(axis=0)[body].mean() == pytest.approx(
        study.clean[body][:, 2].mean(), rel=0.01
    )
    noise = [(x - study.clean[..., f])[:, body] for x, f in ((full, 2), (later, 3))]
    between = np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]
    again = np.corrcoef(noise[0][0], noise[0][1])[0, 1]
    assert abs(between) < 0.05 and abs(again) < 0.1


def test_a_seed_is_a_study_and_another_is_not(person: Person, study: PatlakStudy) -> None:
    same = draw_patlak_study("body", SEED, shape=(36, 24, 28), person=person)
    np.testing.assert_array_equal(same.frame(1, 0.5, 2), study.frame(1, 0.5, 2))
    one, two = (draw_patlak_study("brain", s, voxel=8.0, shape=(24, 28, 20)) for s in (1, 2))
    assert "GreyMatter" not in one.names.values() and "FrontalCortex" in one.names.values()
    assert (one.labels != two.labels).any() and one.per_suv != two.per_suv
    grey = _region(one, "FrontalCortex", "ParietalCortex")
    assert 0.012 < one.true_Ki[grey].mean() < 0.07


def test_passes_see_each_bed_at_its_own_time(person: Person) -> None:
    passes = draw_patlak_study(
        "body", SEED, shape=(16, 16, 44), protocol="passes", person=person, lesions=0
    )
    beds = passes.beds
    assert len(np.unique(beds)) >= 2 and passes.start.shape == (6, 44)
    np.testing.assert_array_equal(
        np.diff(passes.start, axis=1), 45.0 * np.diff(beds)[None].repeat(6, 0)
    )
    Ki, _ = passes.noise_free
    muscle = _region(passes, "Muscle") & (np.abs(np.arange(44) - 22) < 20)
    each = [Ki[muscle & (beds == bed)].mean() for bed in np.unique(beds)]
    assert np.ptp(each) < 0.6 * np.mean(each)  # one tissue, whenever it is looked at
    five_minutes = count_share(DYNAMIC.timing(0), person.half_life).max()
    assert 0.1 < passes.shares.max() / five_minutes < 0.2  # 45 s of 300 s, and earlier


def test_small_studies_are_places_of_their_own(person: Person) -> None:
    one, two = (draw_small_study(person, n, shape=(16, 16, 16)) for n in (0, 1))
    again = draw_small_study(person, 1, shape=(16, 16, 16))
    assert one.shape == (16, 16, 16)
    assert (one.affine != two.affine).any()
    np.testing.assert_array_equal(two.frames(0.1), again.frames(0.1))
