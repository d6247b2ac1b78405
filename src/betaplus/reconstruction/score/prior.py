"""A prior of images as the denoiser of volumes on a scanner's grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from betaplus.core.crew import Crew
from betaplus.core.errors import InputError, UsageError
from betaplus.core.grid import ImageGrid
from betaplus.generative.denoiser import Denoised
from betaplus.generative.image_prior import ImagePrior
from betaplus.generative.slice_denoiser import ORTHOGONAL
from betaplus.generative.volume_denoiser import volume_denoiser

__all__ = ["SLICES", "Denoise", "ScoreInputs", "check_voxels", "denoise_on"]

Denoise = Callable[[np.ndarray, float, int], np.ndarray]
"""(noisy, sigma, call) to the clean estimate, float32 (X, Y, Z) on the scanner's axes.

sigma and images are in the prior's unit; `call` counts the calls of one draw, from 0.
"""

SLICES = {"axial": ((2,),), "alternate": ((2,), (1,), (0,)), "mean": (ORTHOGONAL,)}
"""How a prior of slices is used: axes across which a call cuts, one call after the other."""

_TOLERANCE = 1e-3  # of a voxel's edge


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreInputs:
    """What a method is given besides data and settings.

    Attributes:
        prior: Of static images, or a denoiser.
        seed: Seed of the run.
        item: Index of what is reconstructed, such as a frame: each has noise of its own.
        level: Image value of 1 in the prior's unit; found from the data if None, for priors whose
            unit is ``uptake``.
        threads: Threads beside the data's own; results do not depend on it.
        crew: Workers elsewhere who go on with draws side by side; None keeps to threads here.
    """

    prior: ImagePrior | Denoise
    seed: int = 0
    item: int = 0
    level: float | None = None
    threads: int = 1
    crew: Crew | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to a worker, who has no workers."""
        return {**self.__dict__, "crew": None}

    def __post_init__(self) -> None:
        unit = self.prior.unit if isinstance(self.prior, ImagePrior) else "uptake"
        if unit != "uptake" and self.level is None:
            raise UsageError(
                f"a prior in units of {unit} for an image in counts",
                "expected the counts of a voxel of 1",
                "give level, or take a prior whose unit is uptake",
            )


def denoise_on(
    prior: ImagePrior | Denoise,
    grid: ImageGrid,
    slices: str,
    threads: int,
    shown: np.ndarray | None = None,
) -> Denoise:
    """Return a prior as a denoiser on a grid; one that is a denoiser already as it is.

    The axes of a scanner's images run against those of RAS, so volumes are turned for the network.

    Args:
        prior: The prior.
        grid: The grid, in voxels of a size that the prior knows.
        slices: One of `SLICES`, for priors of slices.
        threads: Tiles computed at a time.
        shown: What a prior is shown beside the noisy image, shape (sees, X, Y, Z), in its unit.

    Raises:
        InputError: If the voxels are not of such a size.
        UsageError: If `slices` is none, or not ``axial`` for a prior that is shown images.
    """
    if not isinstance(prior, ImagePrior):
        return prior
    if slices not in SLICES:
        raise UsageError(f"setting slices={slices}", f"expected {' or '.join(SLICES)}")
    turns = SLICES[slices] if prior.dimensions == 2 else (ORTHOGONAL,)
    check_voxels(prior, grid, turns)
    if prior.sees and turns != SLICES["axial"]:
        raise UsageError(f"setting slices={slices} with {prior.bundle.path.name}", "expected axial")
    told = None if shown is None else torch.from_numpy(_ras(shown))
    networks = [volume_denoiser(prior, axes=axes, threads=threads, shown=told) for axes in turns]
    return _Turns(networks)


@dataclass(frozen=True, eq=False)
class _Turns:
    networks: list[Denoised]

    def __call__(self, noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
        network, x = self.networks[call % len(self.networks)], torch.from_numpy(_ras(noisy))
        clean = network(x[None, None], torch.tensor(sigma, dtype=torch.float32))
        return _ras(clean[0, 0].numpy())


def _ras(image: np.ndarray) -> np.ndarray:
    """Turn volumes (..., X, Y, Z) from a scanner's axes to RAS or back."""
    return np.ascontiguousarray(image[..., ::-1, ::-1, ::-1], dtype=np.float32)


def check_voxels(prior: ImagePrior, grid: ImageGrid, turns: tuple[tuple[int, ...], ...]) -> None:
    """Refuse a grid whose voxels are not of a size that a prior knows, or with too few slices.

    Args:
        prior: The prior.
        grid: The grid.
        turns: Axes across which slices are cut; where only transverse ones are, only edges across
            count.

    Raises:
        InputError: If they are not.
    """
    known = prior.bundle.config.validity.get("voxel size [mm]", [prior.voxel, prior.voxel])
    low, high = (float(edge) for edge in known)
    cut = {axis for axes in turns for axis in axes}
    across = prior.dimensions == 2 and cut == {2}
    fewest = min(grid.shape[axis] for axis in cut)
    if fewest < prior.slab:
        raise InputError(
            f"a grid of {fewest} slices",
            f"expected {prior.slab} or more, as {prior.bundle.path.name} cleans so many together",
            "give another --bundle",
        )
    for edge in grid.voxel_size[:2] if across else grid.voxel_size:
        if not low * (1 - _TOLERANCE) <= edge <= high * (1 + _TOLERANCE):
            raise InputError(
                f"voxels of {edge:g} mm",
                f"expected {low:g} to {high:g} mm, as {prior.bundle.path.name} was trained on",
                f"reconstruct in voxels of {prior.voxel:g} mm",
            )
