"""Chi-square of residuals: calibrated where the model holds, and a frame that is off is seen."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.physics.dual import check_residual

SHAPE, T = (20, 20, 10), 24
LABELS = np.zeros(SHAPE, int)
LABELS[:10], LABELS[10:15] = 1, 2
NAMES = {1: "Grey", 2: "White"}
SD = 0.5 + np.random.default_rng(0).random((*SHAPE, T))


def residual(seed):
    return np.random.default_rng(seed).standard_normal((*SHAPE, T)) * SD


def test_calibrated_on_data_that_the_model_describes():
    """.9 to 1.1 in every frame, hardly ever a warning in 40 scans, and its spread as foretold."""
    found = [check_residual(residual(seed), SD**2, LABELS, NAMES) for seed in range(40)]
    chi = np.stack([f.chi_square for f in found])
    assert ((chi > 0.9) & (chi < 1.1)).mean() > 0.97 and abs(chi.mean() - 1) < 0.005
    assert chi.std((0, 2)) == pytest.approx(found[0].chance, rel=0.08)
    assert np.stack([f.mean for f in found]).std() == pytest.approx(1.0, rel=0.05)
    assert [f.flag for f in found].count("warn") == 0


def test_residuals_of_a_fit_are_calibrated_by_their_leverage():
    """A line fitted to each voxel's frames takes two degrees of freedom, unevenly by frame."""
    design = np.stack([np.ones(T), np.arange(T)], 1)
    hat = design @ np.linalg.pinv(design)
    noise = np.random.default_rng(3).standard_normal((*SHAPE, T))
    left = noise - noise @ hat
    leverage = np.diag(hat)
    found = check_residual(left, np.ones(1), LABELS, NAMES, leverage=leverage)
    assert np.abs(found.chi_square - 1).max() < 0.1 + 4 * found.chance.max()
    assert found.overall == pytest.approx([1.0, 1.0], abs=0.03)
    assert check_residual(left, np.ones(1), LABELS, NAMES).overall == pytest.approx(
        [1 - 2 / T] * 2, abs=0.02
    )


@pytest.mark.parametrize("kind", ["scaled", "offset", "noisy"])
def test_a_corrupted_frame_is_flagged_and_named(kind):
    r = residual(5)
    if kind == "offset":
        r[..., 7] += 0.8 * SD[..., 7]
    else:
        r[..., 7] *= 1.5 if kind == "noisy" else 0.5
    found = check_residual(r, SD**2, LABELS, NAMES)
    assert found.flag == "warn" and found.warn[:, 7].all() and found.warn.sum() == 2
    assert found.worst()[1] == 7


def test_correlated_noise_widens_what_chance_may_do():
    blocks = np.random.default_rng(2).standard_normal((10, 10, 5, T)).repeat(2, 0).repeat(2, 1)
    r = blocks.repeat(2, 2)
    found = check_residual(r, np.ones(1), np.where(LABELS == 2, 2, 1), NAMES, together=8.0)
    assert found.flag == "pass" and found.chance[1] == pytest.approx(np.sqrt(2 * 8 / 1000))


def test_an_empty_region_is_nan_and_mistakes_are_refused():
    found = check_residual(residual(1), SD**2, LABELS, {**NAMES, 9: "None"})
    assert np.isnan(found.chi_square[2]).all() and found.flag == "pass"
    with pytest.raises(UsageError, match="leverage"):
        check_residual(residual(1), SD**2, LABELS, NAMES, leverage=1.0)
    with pytest.raises(UsageError, match="variance of 0 in Grey"):
        check_residual(residual(1), 0 * SD, LABELS, NAMES)
