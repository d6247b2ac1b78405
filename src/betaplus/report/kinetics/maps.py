"""The sections on maps and on how well posteriors were resolved."""

from __future__ import annotations

import numpy as np

from betaplus.core.posterior import Posterior
from betaplus.core.units import PARAMETER_UNITS
from betaplus.report.figures import centre, histograms, orthogonal_slices, status_slices
from betaplus.report.kinetics.checks import Maps
from betaplus.report.kinetics.tables import status_table, voxel_table
from betaplus.report.page import Page

__all__ = ["add_diagnostics", "add_maps"]

_HEAVY_TAILED = ("Ki", "VT")
_FEWEST = 12  # curves that are worth a histogram


def add_maps(page: Page, posterior: Posterior, maps: Maps, affine: np.ndarray) -> None:
    """Add a table over voxels and slices of every map, all at the same place.

    Args:
        page: The page to add to.
        posterior: The posterior; its medians are drawn if they have the shape of the maps.
        maps: Parameter to (mean, SD) or (mean, SD, median), each of shape (X, Y, Z).
        affine: Voxel to world matrix, shape (4, 4) [mm].
    """
    mask = _mask(posterior, np.shape(next(iter(maps.values()))[0]))
    at = _centre(maps, mask, affine)
    pictures = []
    for name, volumes in maps.items():
        mean, sd = volumes[:2]
        median = volumes[2] if len(volumes) > 2 else None
        if median is None and name in _HEAVY_TAILED and name in posterior.parameters:
            held = posterior[name].quantiles.get(0.5)
            median = held if held is not None and held.shape == np.shape(mean) else None
        unit = PARAMETER_UNITS.get(name, "")
        pictures.append(
            orthogonal_slices(mean, affine, name, unit, sd, median=median, mask=mask, at=at)
        )
    note = (
        "Posterior mean and SD of each voxel, and the median where the mean is heavy-tailed."
        " Voxels as computed, without smoothing; colours end at the 99.5th percentile; the left"
        " of the picture is the left of the subject."
    )
    page.add_section("Maps", [voxel_table(maps, mask), *pictures], note)


def add_diagnostics(
    page: Page, posterior: Posterior, maps: Maps | None = None, affine: np.ndarray | None = None
) -> None:
    """Add histograms of effective sample size and chi-square, and what the status codes say.

    Args:
        page: The page to add to.
        posterior: The posterior; nothing is added if it has none of these.
        maps: As for `add_maps`; with `affine`, status and chi-square are drawn in place too.
        affine: Likewise.
    """
    found = posterior.diagnostics
    ess, status, chi2 = (found.get(k) for k in ("ess", "status", "chi2"))
    if ess is None and status is None and chi2 is None:
        return
    content: list[object] = []
    if max(np.size(v) for v in (ess, status, chi2) if v is not None) >= _FEWEST:
        content.append(histograms(ess, status, chi2))
    if status is not None:
        content.append(status_table(np.asarray(status)))
    if maps and affine is not None:
        shape = np.shape(next(iter(maps.values()))[0])
        mask = _mask(posterior, shape)
        at = _centre(maps, mask, affine)
        if status is not None and mask is not None:
            content.append(status_slices(status, affine, at=at))
        if chi2 is not None and chi2.shape == shape:
            content.append(orthogonal_slices(chi2, affine, "chi-square", "1", mask=mask, at=at))
    note = (
        "The effective sample size says how finely a posterior was resolved: 100 leaves an error"
        " of about a tenth of an SD in its mean. In histograms the highest half percent of"
        " chi-squares share the last bar."
    )
    page.add_section("Diagnostics", content, note)


def _mask(posterior: Posterior, shape: tuple[int, ...]) -> np.ndarray | None:
    status = posterior.diagnostics.get("status")
    if status is None or np.shape(status) != shape:
        return None
    mask = np.asarray(status) != 0
    return mask if mask.any() else None


def _centre(maps: Maps, mask: np.ndarray | None, affine: np.ndarray) -> np.ndarray:
    return centre(next(iter(maps.values()))[0] if mask is None else mask, affine)
