r"""Sufficient statistics of Patlak's model, plane by plane and frame by frame.

M = B'WB, h = B'Wy, and what the best line leaves, y'Wy - h'M^-1 h: after that frames are no longer
needed. The difference is taken between float64 sums: their rounding is 1e-16 of y'Wy, and the
misfit of an image with noise of only 1e-4 is still 1e-8 of it.

One combination of the frames is kept besides in which every line cancels: an image of noise alone,
that shows how noise is correlated from voxel to voxel.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["PatlakSums"]

_SHORT = 0.1  # of a projection: another direction is taken then


class PatlakSums:
    """Sums over frames; a plane is closed when it has had all of them.

    Planes may come in any order and interleaved, the frames of one plane in ascending order: sums
    have the same bits whether an image is read frame by frame or plane by plane. Memory: 16 bytes a
    voxel for the results, and 32 for planes that are open.

    Args:
        design: B of every slice, shape (F, 2, Z).
        weight: W of every slice, shape (F, Z).
        shape: Voxels (X, Y, Z).

    Attributes:
        normal: M, shape (2, 2, Z) float64.
        h: B'Wy, shape (2, X, Y, Z) float32.
        misfit: y'Wy - h'M^-1 h, shape (X, Y, Z) float32.
        noise: c'y with c'B = 0 and c'W^-1 c = 1: the variance of a frame of weight 1, shape
            (X, Y, Z) float32.
    """

    def __init__(self, design: np.ndarray, weight: np.ndarray, shape: tuple[int, int, int]) -> None:
        contrast = _contrast(design, weight)
        rows = [design * weight[:, None], weight[:, None], contrast[:, None]]
        self._rows = np.concatenate(rows, 1)  # (F, 4, Z)
        normal = np.einsum("fiz,fz,fjz->ijz", design, weight, design)
        self.normal = torch.from_numpy(normal)
        self._inverse = np.linalg.inv(normal.transpose(2, 0, 1))
        self.h = torch.zeros(2, *shape, dtype=torch.float32)
        self.misfit = torch.zeros(shape, dtype=torch.float32)
        self.noise = torch.zeros(shape, dtype=torch.float32)
        self._open: dict[int, tuple[np.ndarray, int]] = {}

    @property
    def complete(self) -> bool:
        """Whether no plane waits for frames."""
        return not self._open

    def add(self, plane: int, frames: np.ndarray) -> None:
        """Add the next frames of a plane, shape (F', X, Y); its last frame closes it."""
        count = len(self._rows)
        sums, done = self._open.get(plane, (np.zeros((4, *self.misfit.shape[:2])), 0))
        if done + len(frames) > count:
            raise ValueError(f"plane {plane} has more than {count} frames")
        for f, frame in enumerate(frames, start=done):
            y = frame.astype(np.float64, order="C")
            a, b, w, c = self._rows[f, :, plane]
            sums[0] += a * y
            sums[1] += b * y
            sums[3] += c * y
            y *= y
            y *= w
            sums[2] += y
        if done + len(frames) < count:
            self._open[plane] = sums, done + len(frames)
            return
        self._open.pop(plane, None)
        inverse = self._inverse[plane]
        one, two = sums[0], sums[1]
        told = inverse[0, 0] * one * one + 2 * inverse[0, 1] * one * two + inverse[1, 1] * two * two
        self.h[:, :, :, plane] = torch.from_numpy(sums[:2]).float()
        left = np.maximum(sums[2] - told, 0.0)
        self.misfit[:, :, plane] = torch.from_numpy(left).float()
        self.noise[:, :, plane] = torch.from_numpy(sums[3]).float()

    def scaled(self, factor: float) -> tuple[Tensor, Tensor]:
        """Return h and the misfit as of frames times a factor, in the memory of the old ones."""
        self.noise.mul_(factor)
        return self.h.mul_(factor), self.misfit.mul_(factor * factor)


def _contrast(design: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return c of every slice, shape (F, Z): of signs that alternate, what no line holds."""
    out = np.empty_like(weight)
    signs = np.where(np.arange(len(weight)) % 2, -1.0, 1.0)
    for z in range(weight.shape[1]):
        root = np.sqrt(weight[:, z])
        line = np.linalg.svd(design[:, :, z] * root[:, None])[0]
        free = line[:, 2:]
        found = free @ (free.T @ signs)
        length = np.linalg.norm(found)
        out[:, z] = root * (found / length if length > _SHORT else free[:, 0])
    return out
