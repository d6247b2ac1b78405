"""A posterior that rests on few points is said to, with its region's name."""

from __future__ import annotations

import numpy as np

from betaplus.core.posterior import Marginal, Posterior
from betaplus.kinetics.unresolved import unresolved_remarks


def posterior(ess: list[float], status: list[int]) -> Posterior:
    marginal = Marginal(mean=np.ones(len(ess)), std=np.ones(len(ess)), quantiles={})
    diagnostics = {"ess": np.array(ess), "status": np.array(status)}
    return Posterior(
        model="2TCM", method="exact", parameters={"K1": marginal}, diagnostics=diagnostics
    )


def test_regions_are_named_and_voxels_counted():
    found = posterior([500.0, 1.2, 30.0, 3.0], [1, 3, 3, 0])
    (said,) = unresolved_remarks(found, ("Thalamus", "Putamen", "Caudate", "outside"))
    assert "Putamen" in said and "Thalamus" not in said and "outside" not in said
    (said,) = unresolved_remarks(found, None)
    assert "1 of 3 voxels" in said


def test_nothing_is_said_where_all_is_well_or_nothing_is_drawn():
    assert not unresolved_remarks(posterior([500.0, 30.0], [1, 3]), None)
    assert not unresolved_remarks(posterior([np.nan, np.nan], [1, 1]), None)
