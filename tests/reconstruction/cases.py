"""A small scanner with a simulated phantom in it."""

from __future__ import annotations

import numpy as np
from tests.physics.projector.cases import SMALL, TIMED

from betaplus.core.grid import ImageGrid
from betaplus.core.raw import Sinogram
from betaplus.core.scanner import Scanner
from betaplus.physics.projector.projector import Projector
from betaplus.reconstruction.data import SinogramData

GRID = ImageGrid(shape=(30, 30, 9), voxel_size=(3.0, 3.0, 2.0))
COARSE = ImageGrid(shape=(15, 15, 5), voxel_size=(6.0, 6.0, 4.0))  # more lines than voxels


def phantom(grid: ImageGrid = GRID) -> np.ndarray:
    """A cylinder with a hot and a cold rod."""
    x, y, z = np.meshgrid(*(grid.axis(i) for i in range(3)), indexing="ij")
    image = 1.0 * (np.hypot(x, y) < 36.0)
    image[np.hypot(x - 12.0, y + 6.0) < 8.0] = 4.0
    image[np.hypot(x + 14.0, y - 8.0) < 8.0] = 0.0
    image[(np.hypot(x, y) < 36.0) & (z > 5.0)] *= 1.5
    return image.astype(np.float32)


def simulated(
    counts: float = 2e5,
    seed: int = 0,
    scanner: Scanner = SMALL,
    noise: bool = True,
    grid: ImageGrid = GRID,
) -> tuple[Sinogram, np.ndarray]:
    """Counts of the phantom with half as much background, and the phantom in units of counts."""
    rng = np.random.default_rng(seed)
    flat = scanner.shape[:3]
    efficiency = scanner.live[..., None] * scanner.michelogram.multiplicity
    efficiency = (efficiency * np.exp(0.1 * rng.standard_normal(flat))).astype(np.float32)
    image = phantom(grid)
    trues = Projector(scanner, grid).forward(image)
    trues *= efficiency if not scanner.tof else efficiency[..., None]
    scale = counts / trues.sum(dtype=float)
    background = np.broadcast_to(
        (efficiency if not scanner.tof else efficiency[..., None]), scanner.shape
    )
    additive = (background * (0.5 * counts / background.sum(dtype=float))).astype(np.float32)
    mean = scale * trues.astype(float) + additive
    prompts = rng.poisson(mean) if noise else mean
    sinogram = Sinogram(
        scanner=scanner,
        prompts=prompts.astype(np.float32),
        multiplicative=efficiency,
        additive=additive,
    )
    return sinogram, (scale * image).astype(np.float32)


def data(subsets: int = 1, grid: ImageGrid = GRID, **how) -> SinogramData:
    return SinogramData(simulated(grid=grid, **how)[0], grid, subsets=subsets)


__all__ = ["COARSE", "GRID", "SMALL", "TIMED", "data", "phantom", "simulated"]
