"""The sections on maps and on how well posteriors were resolved."""

from __future__ import annotations

import numpy as np

from betaplus.core.image import PetImage
from betaplus.core.posterior import Posterior
from betaplus.core.units import PARAMETER_UNITS
from betaplus.report.elements import Html, details, to_html
from betaplus.report.figures import centre, histograms, orthogonal_slices, status_slices
from betaplus.report.figures.volumes import colour_range
from betaplus.report.kinetics.checks import Maps, analysed
from betaplus.report.kinetics.tables import status_table, voxel_table
from betaplus.report.page import Page
from betaplus.report.viewer import Layer, curves_of, slice_viewer

__all__ = ["add_diagnostics", "add_maps"]

_HEAVY_TAILED = ("Ki", "VT")
_FEWEST = 12  # curves that are worth a histogram
_NEAR_ONE = 0.01
_NEARLY_ALL = 0.99


def add_maps(
    page: Page,
    posterior: Posterior,
    maps: Maps,
    affine: np.ndarray,
    scan: PetImage | None = None,
) -> None:
    """Add a viewer of all maps, a table over voxels, and slices of every map at the same place.

    Args:
        page: The page to add to.
        posterior: The posterior; its medians are drawn if they have the shape of the maps.
        maps: Parameter to (mean, SD) or (mean, SD, median), each of shape (X, Y, Z).
        affine: Voxel to world matrix, shape (4, 4) [mm].
        scan: The scan, whose curves the viewer shows.
    """
    mask = _mask(posterior, np.shape(next(iter(maps.values()))[0]))
    at = _centre(maps, mask, affine)
    pictures = []
    groups = {}
    for name, volumes in maps.items():
        mean, sd = volumes[:2]
        median = volumes[2] if len(volumes) > 2 else None
        if median is None and name in _HEAVY_TAILED and name in posterior.parameters:
            held = posterior[name].quantiles.get(0.5)
            median = held if held is not None and held.shape == np.shape(mean) else None
        unit = PARAMETER_UNITS.get(name, "")
        groups[name] = _layers(mean, sd, median, unit)
        pictures.append(
            orthogonal_slices(mean, affine, name, unit, sd, median=median, mask=mask, at=at)
        )
    note = (
        "Posterior mean and SD of each voxel, and the median where the mean is heavy-tailed."
        " Click into a slice or move a slider: all slices follow. Voxels as computed, without"
        " smoothing; colours end where a few voxels stand out; the left of the picture is the left"
        " of the subject."
    )
    curves = None if scan is None else curves_of(scan, mask)
    viewer = slice_viewer(groups, affine, mask=mask, at=at, curves=curves)
    still = details("The maps as pictures", Html("".join(to_html(p) for p in pictures)))
    page.add_section("Maps", [viewer, voxel_table(maps, mask), still], note)


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
    noise_fitted = chi2 is not None and _all_one(posterior, chi2)
    chi2 = None if noise_fitted else chi2
    content: list[object] = []
    if max(np.size(v) for v in (ess, status, chi2, ()) if v is not None) >= _FEWEST:
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
        " of about a tenth of an SD in its mean."
    )
    if noise_fitted:
        note += " The noise level was fitted to each curve, so that chi-square is 1 everywhere."
    elif chi2 is not None:
        note += " In histograms the highest half percent of chi-squares share the last bar."
    page.add_section("Diagnostics", content, note)


def _all_one(posterior: Posterior, chi2: np.ndarray) -> bool:
    """Return whether chi-square says nothing: nearly all are 1 to within a hundredth."""
    values = analysed(posterior, chi2)
    return bool(values.size) and float(np.mean(np.abs(values - 1.0) < _NEAR_ONE)) > _NEARLY_ALL


def _layers(mean: np.ndarray, sd: np.ndarray, median: np.ndarray | None, unit: str) -> list[Layer]:
    """Return mean, median and SD; mean and median in the same colours."""
    ends = None
    if median is not None:
        ends = colour_range(np.asarray(median)[np.asarray(median) != 0])
    layers = [Layer("mean", mean, unit, ends=ends)]
    if median is not None:
        layers.append(Layer("median", median, unit, ends=ends))
    return [*layers, Layer("SD", sd, unit, "sd")]


def _mask(posterior: Posterior, shape: tuple[int, ...]) -> np.ndarray | None:
    status = posterior.diagnostics.get("status")
    if status is None or np.shape(status) != shape:
        return None
    mask = np.asarray(status) != 0
    return mask if mask.any() else None


def _centre(maps: Maps, mask: np.ndarray | None, affine: np.ndarray) -> np.ndarray:
    return centre(next(iter(maps.values()))[0] if mask is None else mask, affine)
