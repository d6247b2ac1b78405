"""What is said of posteriors and truth, on posteriors that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from betaplus.core.posterior import Marginal, Posterior
from betaplus.pipeline.demo.truth import agreement, region_truth


def posterior(mean: np.ndarray, sd: float) -> Posterior:
    quantiles = {q: mean + sd * norm.ppf(q) for q in (0.05, 0.5, 0.95)}
    marginal = Marginal(mean=mean, std=np.full_like(mean, sd), quantiles=quantiles)
    return Posterior(model="2TCM", method="exact", parameters={"K1": marginal}, diagnostics={})


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_coverage_of_normal_posteriors(width: float) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(5, 6, 40_000)
    estimate = truth + 0.1 * rng.standard_normal(truth.size)
    met = agreement(posterior(estimate, 0.1 * width), {"K1": truth, "k9": truth})
    assert set(met) == {"K1"}
    expected = 2 * norm.cdf(width * norm.ppf(0.95)) - 1
    assert met["K1"].coverage == pytest.approx(expected, abs=0.006)
    assert met["K1"].error == pytest.approx(0.1 * norm.ppf(0.75) / 5.5, rel=0.03)
    assert met["K1"].spread == pytest.approx(0.1 * width / 5.5, rel=0.01)
    assert met["K1"].correlation == pytest.approx(
        np.std(truth) / np.hypot(np.std(truth), 0.1), abs=0.005
    )


def test_a_mask_takes_voxels_in_the_order_of_the_truth() -> None:
    mask = np.zeros((3, 3, 2), dtype=bool)
    mask[1, 2, 0] = mask[2, 0, 1] = mask[0, 1, 1] = True
    truth = np.array([1.0, 2.0, 3.0])
    volume = np.full(mask.shape, -9.0)
    volume[mask] = truth
    met = agreement(posterior(volume, 0.01), {"K1": truth}, mask)
    assert met["K1"].coverage == 1.0 and met["K1"].error == 0.0


def test_region_truth_is_the_mean_of_its_voxels() -> None:
    found = region_truth(
        {"K1": np.array([1.0, 2.0, 6.0])}, np.array([4, 4, 5]), {4: "a", 5: "b", 6: "absent"}
    )
    assert found == {"a": {"K1": 1.5}, "b": {"K1": 6.0}}
