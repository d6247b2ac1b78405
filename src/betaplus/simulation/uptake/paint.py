"""From a subject's regions to voxels: a smooth log-normal texture inside each region."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from betaplus.core.seeds import generator
from betaplus.simulation.fields import SpaceField
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.uptake.regions import FAMILIES, family_of

__all__ = ["paint", "texture"]

_DRAW = 36
_FINE = (10.0, 25.0)  # mm: FWHM of the texture's kernel, drawn log-uniformly per subject
_BROAD = 70.0  # mm: FWHM of the field that makes left and right, front and back differ
_BROAD_SD = 0.035
_ROUND = 40.0  # mm: the box of the fields is whole multiples of it
_MOST = 4.0  # standard deviations of either field


def paint(
    phantom: Phantom,
    uptake: Mapping[str, float],
    seed: int,
    *,
    amount: float = 1.0,
) -> np.ndarray:
    """Return an image of SUV, shape (X, Y, Z) float32; 0 in air.

    A voxel has its region's value times exp(w f - w^2 / 2), with f a smooth field of variance 1 and
    w the standard deviation of the region's family (8 to 12 % in most, more in heart, lungs, muscle
    and bowel), so that the mean over a large region is the region's value; and times a second, much
    smoother field of 3.5 % that makes the two sides differ.

    Args:
        phantom: Label map; a region that `uptake` does not name must not be there.
        uptake: Region to SUV, of `draw_uptake`.
        seed: Chooses the texture.
        amount: Factor on the standard deviation of the texture; 0 paints flat regions.
    """
    value = np.zeros(int(phantom.labels.max(initial=0)) + 1, dtype=np.float32)
    width = np.zeros_like(value)
    for label, name in phantom.names.items():
        if label < value.size:
            value[label] = uptake[name]
            width[label] = amount * FAMILIES[family_of(name)].texture
    out = value[phantom.labels]
    if amount > 0:
        fine, broad = texture(phantom, seed)
        w = width[phantom.labels]
        b = np.float32(_BROAD_SD * amount)
        out *= np.exp(w * fine - 0.5 * w**2 + b * broad - 0.5 * b**2)
    return out


def texture(phantom: Phantom, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the fine and the broad field on a phantom's grid, each (X, Y, Z) float32."""
    rng = generator(seed, item=0, draw=_DRAW)
    low, high = _FINE
    fwhm = low * (high / low) ** rng.uniform()
    corners = _corners(phantom)
    return (
        _on_grid(SpaceField(*corners, fwhm, generator(seed, item=1, draw=_DRAW)), phantom),
        _on_grid(SpaceField(*corners, _BROAD, generator(seed, item=2, draw=_DRAW)), phantom),
    )


def _corners(phantom: Phantom) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper corner of a box around the grid [mm]."""
    shape = phantom.labels.shape
    ends = np.stack(np.meshgrid(*((0, n - 1) for n in shape), indexing="ij"), axis=-1)
    at = ends.reshape(-1, 3) @ phantom.affine[:3, :3].T + phantom.affine[:3, 3]
    return _ROUND * np.floor(at.min(axis=0) / _ROUND), _ROUND * np.ceil(at.max(axis=0) / _ROUND)


def _on_grid(field: SpaceField, phantom: Phantom) -> np.ndarray:
    """Evaluate a field at the voxel centres, linearly between its nodes."""
    from scipy.ndimage import affine_transform

    values = affine_transform(
        field.values,
        phantom.affine[:3, :3] / field.spacing,
        (phantom.affine[:3, 3] - np.asarray(field.low)) / field.spacing,
        output_shape=phantom.labels.shape,
        output=np.float32,
        order=1,
        mode="nearest",
    )
    return np.clip(values, -_MOST, _MOST, out=values)
