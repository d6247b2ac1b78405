"""Region curves of a pair, and those of `linear` and `extrapolation` to compare with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from betaplus.core.errors import UsageError
from betaplus.separation.fitting import SeparationFit
from betaplus.separation.method import find_method
from betaplus.separation.problem import SeparationProblem

__all__ = ["REFERENCES", "RegionCurves", "region_curves"]

REFERENCES = ("linear", "extrapolation")
"""Methods that every pair is compared with, on means of regions."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RegionCurves:
    """Mean curves of regions.

    Attributes:
        names: Of the R regions; the first is ``all``, the tissue.
        voxels: Their number, shape (R,).
        mixture: Measured, not decay-corrected, shape (R, T) [Bq/mL].
        pair: Of the method's images, shape (2, R, T) [Bq/mL].
        references: Method to the same, from the means of the mixture.
        planes: Of `linear`: both images of the axial slice with the most uptake, shape
            (2, X, Y, T) [Bq/mL]; None where that cannot be made.
        cut: That slice.
    """

    names: tuple[str, ...]
    voxels: np.ndarray
    mixture: np.ndarray
    pair: np.ndarray
    references: Mapping[str, np.ndarray]
    planes: np.ndarray | None
    cut: int


def region_curves(
    fit: SeparationFit, labels: np.ndarray | None, names: Mapping[int, str]
) -> RegionCurves:
    """Return the curves of all tissue and of regions.

    Args:
        fit: The images.
        labels: Region of every voxel, shape (X, Y, Z), or None.
        names: Label to name; regions without tissue are left out.
    """
    study, problem = fit.study, fit.study.problem
    regions = {"all": study.tissue}
    if labels is not None:
        for label, name in names.items():
            inside = study.tissue & (labels == label)
            if label != 0 and inside.any():
                regions[name] = inside
    masks = [torch.from_numpy(mask) for mask in regions.values()]
    mixture = torch.stack([problem.mixture[mask].mean(0) for mask in masks])
    pair = torch.stack([torch.stack([x[mask].mean(0) for mask in masks]) for x in fit.found.x])
    voxels = np.array([int(mask.sum()) for mask in masks])
    alone = np.maximum(voxels / study.noise.together, 1.0)
    noise = torch.stack([problem.noise[mask].square().mean().sqrt() for mask in masks])
    noise = noise / torch.from_numpy(np.sqrt(alone)).float()
    small = _like(problem, mixture[:, None, None], noise[:, None, None])
    references = {}
    for method in REFERENCES:
        x = None if method == fit.method else _by(method, small)
        if x is not None:
            references[method] = x[:, :, 0, 0].numpy() * problem.scale
    cut = int(np.argmax((problem.mixture.sum(-1) * problem.mask).sum((0, 1)).numpy()))
    at = (slice(None), slice(None), slice(cut, cut + 1))
    planes = None
    if fit.method != "linear":
        plane = _like(problem, problem.mixture[at], problem.noise[at], problem.mask[at])
        found = _by("linear", plane)
        planes = None if found is None else found[:, :, :, 0].numpy() * problem.scale
    return RegionCurves(
        names=tuple(regions),
        voxels=voxels,
        mixture=mixture.numpy() * problem.scale,
        pair=pair.numpy() * problem.scale,
        references=references,
        planes=planes,
        cut=cut,
    )


def _like(
    problem: SeparationProblem,
    mixture: torch.Tensor,
    noise: torch.Tensor,
    mask: torch.Tensor | None = None,
) -> SeparationProblem:
    inside = torch.ones(noise.shape, dtype=torch.bool) if mask is None else mask
    return dataclasses.replace(problem, mixture=mixture, noise=noise, mask=inside)


def _by(method: str, problem: SeparationProblem) -> torch.Tensor | None:
    """Return the pair by a method, or None where it cannot be used on the scan."""
    if method == "extrapolation" and problem.blood[0] is None:
        return None
    if method == "linear" and problem.spaces is None:
        return None
    try:
        x: torch.Tensor = find_method(method)().fit(problem).x
    except UsageError:
        return None
    return x
