"""Scores against closed forms: errors, regions, lesions and the tissue around them."""

import numpy as np
import pytest

from betaplus.pipeline.benchmark.patlak.lesions import lesion_places
from betaplus.pipeline.benchmark.patlak.scores import Targets


def maps(study, factor=1.0, more=0.0):
    Ki, V0 = study.noise_free
    return {"Ki": factor * Ki + more, "V0": factor * V0}


def test_a_factor_is_its_nrmse_its_bias_and_its_recovery(made_up):
    found = Targets(made_up).score(maps(made_up, 1.1))
    for name in ("Ki", "V0"):
        assert found[name]["nrmse"] == pytest.approx(0.1, rel=1e-5)
    assert found["Ki"]["regions"]["Second"] == pytest.approx(1.1 * 0.002, rel=1e-5)
    (lesion,) = found["lesions"]
    assert lesion["hot"]
    assert lesion["recovery"] == pytest.approx(1.1, rel=1e-5)
    assert lesion["true_contrast"] == pytest.approx(0.04, rel=1e-5)
    # Ki of the peak is 0.05; the error is a tenth of the root mean square.
    rms = np.sqrt(np.mean(np.square(made_up.noise_free[0], dtype=float)))
    assert found["Ki"]["psnr"] == pytest.approx(20 * np.log10(0.05 / (0.1 * rms)), abs=1e-3)


def test_an_offset_leaves_recovery_alone(made_up):
    (lesion,) = Targets(made_up).score(maps(made_up, 1.0, 0.02))["lesions"]
    assert lesion["recovery"] == pytest.approx(1.0, rel=1e-5)


def test_cnr_is_contrast_over_the_sd_around(made_up):
    targets = Targets(made_up)
    (place,) = targets.lesions
    noise = np.zeros(made_up.shape, np.float32)
    noise.reshape(-1)[place.around[::2]] = 0.003
    Ki, V0 = made_up.noise_free
    (lesion,) = targets.score({"Ki": Ki + noise, "V0": V0})["lesions"]
    around = noise.ravel()[place.around].astype(float)
    assert lesion["cnr"] == pytest.approx((0.04 - around.mean()) / around.std(ddof=1), rel=1e-4)


def test_the_background_is_a_shell_of_the_same_tissue(made_up):
    (place,) = lesion_places(made_up)
    assert place.same_tissue
    assert np.array_equal(place.inside, np.flatnonzero(made_up.sphere))
    assert (made_up.labels.ravel()[place.around] == 1).all()
    inside, around = (
        4.0 * np.stack(np.unravel_index(v, made_up.shape), -1) for v in (place.inside, place.around)
    )
    apart = np.linalg.norm(around[:, None] - inside[None], axis=-1).min(1)
    assert apart.min() > 8.0
    assert apart.max() <= 24.0
    assert apart.min() < 12.0 and apart.max() > 20.0


def test_without_enough_of_the_tissue_all_around_will_do(made_up):
    made_up.tissue.beneath.labels[...] = np.where(
        np.pad(made_up.sphere, 4), 1, 2
    )  # the host is nowhere else
    (place,) = lesion_places(made_up)
    assert not place.same_tissue
    assert place.around.size > 100


def test_claimed_sd_stands_beside_the_error(made_up):
    targets = Targets(made_up)
    Ki, V0 = made_up.noise_free
    std = {"Ki": np.full_like(Ki, 0.002), "V0": np.full_like(V0, 0.1)}
    found = targets.score({"Ki": Ki + 0.003, "V0": V0}, std)
    assert found["Ki"]["claimed"]["First"] == pytest.approx([0.003, 0.002], rel=1e-4)
    assert found["V0"]["claimed"]["First"] == pytest.approx([0.0, 0.1], abs=1e-6)


def test_the_reference_has_true_Ki_beside(made_up):
    known = Targets(made_up).reference
    assert known["true_Ki"]["Second"] == pytest.approx(0.0025)
    assert known["regions"]["Ki"]["Second"] == pytest.approx(0.002)
