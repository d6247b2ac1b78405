"""Attenuation factors from a map of attenuation coefficients."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter

from betaplus.core.errors import InputError
from betaplus.core.grid import ImageGrid
from betaplus.core.scanner import Scanner
from betaplus.physics.attenuation import attenuation_factors
from betaplus.reconstruction.data import field_of_view

__all__ = ["factors_of_map", "on_grid"]

_LARGEST = 5.0  # 1/cm: lead has 1.7 at 511 keV
_SMALLEST_VOXEL = 2.0  # mm
_PER_MM = np.float32(0.1)  # 1/cm in 1/mm


def on_grid(image: np.ndarray, affine: np.ndarray, grid: ImageGrid) -> np.ndarray:
    """Return an image interpolated on a grid of the scanner, 0 outside of what it covers.

    Args:
        image: Shape (X, Y, Z).
        affine: Its voxel to world matrix [mm].
        grid: The grid.

    Returns:
        Shape of the grid, float32. Where the grid is coarser, voxels are averaged first.

    Raises:
        InputError: If the two do not overlap.
    """
    matrix = np.linalg.inv(affine) @ grid.affine
    steps = np.linalg.norm(matrix[:3, :3], axis=1)  # voxels of the image per voxel of the grid
    source = np.asarray(image, dtype=np.float32)
    if (steps > 1.0).any():
        widths = np.sqrt(np.maximum(steps**2 - 1.0, 0.0) / 12.0)
        source = gaussian_filter(source, widths, mode="nearest")
    ends = np.array(np.meshgrid(*([-0.5, n - 0.5] for n in grid.shape))).reshape(3, -1)
    box = matrix[:3, :3] @ ends + matrix[:3, 3:]
    if (box.max(1) < -0.5).any() or (box.min(1) > np.array(source.shape) - 0.5).any():
        raise InputError(
            "an image that lies outside the scanner's field of view",
            "expected its affine to put it there",
        )
    return affine_transform(
        source, matrix[:3, :3], matrix[:3, 3], output_shape=grid.shape, order=1,
        mode="grid-constant", cval=0.0,
    ).astype(np.float32)  # fmt: skip


def factors_of_map(
    mu: np.ndarray, affine: np.ndarray, scanner: Scanner, *, threads: int | None = None
) -> np.ndarray:
    """Return the share of photon pairs that leaves the body, for each line.

    Args:
        mu: Linear attenuation coefficients at 511 keV, shape (X, Y, Z) [1/cm].
        affine: Voxel to world matrix [mm], in the axes of `ImageGrid.affine`.
        scanner: The scanner.
        threads: Threads; the cores available if None.

    Returns:
        exp(-integral of mu), shape (view, radial, plane), float32.

    Raises:
        InputError: If the map is not one, or lies outside the scanner.
    """
    low, high = float(np.min(mu)), float(np.max(mu))
    if not (low >= -1e-3 and high <= _LARGEST):
        raise InputError(
            f"attenuation coefficients from {low:g} to {high:g}",
            f"expected 0 to {_LARGEST:g} 1/cm (water has 0.096)",
        )
    across = max(_SMALLEST_VOXEL, scanner.bin_width)
    slices = scanner.ring_pitch / 2.0
    half = min(scanner.fov_radius, scanner.radius / math.sqrt(2.0))
    width = 2 * math.ceil(half / across)
    grid = ImageGrid(
        shape=(width, width, 2 * scanner.rings - 1), voxel_size=(across, across, slices)
    )
    there = on_grid(np.maximum(mu, 0.0), affine, grid)
    there *= _PER_MM * field_of_view(grid, half).astype(np.float32)
    return attenuation_factors(scanner, grid, there, threads)
