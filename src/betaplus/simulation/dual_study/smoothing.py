"""Gaussian smoothing along x, y and z as three small matrices: fast for many frames at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.simulation.fields import sigma_of_fwhm

__all__ = ["Smoothing", "smooth_field"]

_REACH = 3.0  # standard deviations: where a kernel ends
_SPACING = 0.75  # standard deviations from node to node of a smooth field


class Smoothing:
    """A Gaussian on a box that is given with a margin.

    Args:
        shape: Of the box without the margin.
        voxel: Edges of a voxel [mm].
        fwhm: Width [mm]; 0 leaves things as they are.
        unit_variance: White noise of variance 1 keeps that variance in every voxel, in place of an
            image that keeps its mean.
    """

    def __init__(
        self,
        shape: Sequence[int],
        voxel: Sequence[float],
        fwhm: float,
        *,
        unit_variance: bool = False,
    ) -> None:
        self.margin = margin_of(voxel, fwhm)
        self._matrices = [
            _rows(
                np.arange(n + 2 * m, dtype=np.float64),
                m + np.arange(n, dtype=np.float64),
                sigma_of_fwhm(fwhm) / edge,
                unit_variance,
                m,
            )
            for n, m, edge in zip(shape, self.margin, voxel, strict=True)
        ]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the box, shape (X, Y, Z, T) float32, of it and its margin (X', Y', Z', T)."""
        out = np.ascontiguousarray(values, dtype=np.float32)
        for axis in np.argsort([m.shape[0] / m.shape[1] for m in self._matrices], kind="stable"):
            out = _along(self._matrices[axis], out, int(axis))
        return out


def margin_of(voxel: Sequence[float], fwhm: float) -> tuple[int, int, int]:
    """Return how far a Gaussian reaches along each axis [voxels]."""
    x, y, z = (int(np.ceil(_REACH * sigma_of_fwhm(fwhm) / edge)) for edge in voxel)
    return x, y, z


def smooth_field(
    shape: Sequence[int], voxel: Sequence[float], fwhm: float, rng: np.random.Generator
) -> np.ndarray:
    """Return a smooth Gaussian field of variance exactly 1 in every voxel, shape (X, Y, Z) float32.

    White noise on nodes 0.75 standard deviations apart is summed with Gaussian weights: as
    `betaplus.simulation.fields.gaussian_field`, at a cost that falls with the width.
    """
    sigma = sigma_of_fwhm(fwhm)
    matrices = []
    for n, edge in zip(shape, voxel, strict=True):
        at = edge * np.arange(n, dtype=np.float64)
        nodes = np.arange(-_REACH * sigma, at[-1] + _REACH * sigma, _SPACING * sigma)
        matrices.append(_rows(nodes / sigma, at / sigma, 1.0, True))
    x, y, z = matrices
    white = rng.standard_normal((x.shape[1], y.shape[1], z.shape[1], 1), dtype=np.float32)
    out = white
    for axis, matrix in enumerate(matrices):
        out = _along(matrix, out, axis)
    return out[..., 0]


def _along(matrix: np.ndarray, values: np.ndarray, axis: int) -> np.ndarray:
    shape = values.shape
    before, after = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    out = np.matmul(matrix, values.reshape(before, shape[axis], after))
    return out.reshape(*shape[:axis], matrix.shape[0], *shape[axis + 1 :])


def _rows(
    nodes: np.ndarray,
    points: np.ndarray,
    sigma: float,
    unit_variance: bool,
    reach: float = np.inf,
) -> np.ndarray:
    """Return Gaussian weights of nodes at points, shape (points, nodes) float32."""
    away = nodes[None] - points[:, None]
    if sigma <= 0.0:
        return np.asarray(away == 0.0, dtype=np.float32)
    weights = np.where(np.abs(away) <= reach, np.exp(-0.5 * (away / sigma) ** 2), 0.0)
    power = 2 if unit_variance else 1
    weights /= (weights**power).sum(1, keepdims=True) ** (1.0 / power)
    return np.asarray(weights, dtype=np.float32)
