"""Posteriors that an end of the prior cuts are named; those that are merely small are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import truncnorm

from betaplus.core.posterior import Marginal, Posterior
from betaplus.kinetics.leaning import leaning_remarks
from betaplus.kinetics.prior import PRIORS, Distribution

PRIOR = PRIORS["published"].replaced(VB=Distribution(dist="uniform", low=0.0, high=0.2))


def posterior(*shapes: tuple[float, float]) -> Posterior:
    """VB of Gaussians (mean, SD) that 0 and .2 cut, by scipy's quantiles."""
    quantiles = {
        q: np.array([truncnorm.ppf(q, -m / s, (0.2 - m) / s, loc=m, scale=s) for m, s in shapes])
        for q in (0.05, 0.5, 0.95)
    }
    marginal = Marginal(mean=quantiles[0.5], std=quantiles[0.5], quantiles=quantiles)
    return Posterior(
        model="2TCM",
        method="exact",
        parameters={"VB": marginal},
        diagnostics={"status": np.ones(len(shapes), dtype=np.uint8)},
    )


@pytest.mark.parametrize("mean", [-0.02, 0.0, 0.001])
def test_a_posterior_that_is_cut_at_0_is_named(mean):
    (said,) = leaning_remarks(posterior((mean, 0.004), (0.1, 0.01)), PRIOR, ("cut", "free"))
    assert said.startswith("VB is at the limit of its prior, 0, in cut")


@pytest.mark.parametrize("mean", [0.199, 0.2, 0.23])
def test_likewise_at_the_other_end(mean):
    (said,) = leaning_remarks(posterior((0.1, 0.01), (mean, 0.004)), PRIOR, ("free", "cut"))
    assert said.startswith("VB is at the limit of its prior, 0.2, in cut")


@pytest.mark.parametrize(("mean", "sd"), [(0.004, 0.001), (0.004, 0.002), (0.1, 0.01), (0.02, 0.1)])
def test_a_small_value_that_is_known_and_one_that_is_not_are_not(mean, sd):
    # two SD from 0: no longer cut; as wide as the prior: it does not lie at an end
    assert leaning_remarks(posterior((mean, sd)), PRIOR, ("region",)) == ()


def test_a_few_voxels_are_not_worth_a_word():
    many = [(0.1, 0.01)] * 199
    assert leaning_remarks(posterior((0.0, 0.004), *many), PRIOR, None) == ()
    (said,) = leaning_remarks(posterior(*[(0.0, 0.004)] * 5, *many), PRIOR, None)
    assert "5 of 204 voxels" in said
