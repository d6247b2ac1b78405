r"""`kernel`: maps as sums of kernels around voxels that are alike.

u = K alpha (Wang and Qi, IEEE Trans Med Imaging 34, 61, 2015). Row v of K has the k neighbours of v
within a search window whose features differ least, weights exp(-D / h^2), of sum 1. Features are
those of `nlm`, both channels after a Gaussian filter in units of their noise: frames are not kept.
alpha has the least

.. math:: \sum_v \tfrac{1}{2 s^2} (u'Mu - 2 h'u)

by conjugate gradients from 0, preconditioned by M^-1 s^2. As there with iterations of expectation
maximisation, their number is what smooths: where K has full rank, least squares are the end. With
k = 1 they are the first step. The k most alike of many noisy voxels share their noise: a small k
in a wide window does worse than all of a smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.crew import Crew, ThreadCrew
from betaplus.core.progress import Progress, Silent
from betaplus.patlak.kernel_rows import KernelMatrix
from betaplus.patlak.noise_map import noise_map
from betaplus.patlak.non_local import shifts_within
from betaplus.patlak.problem import PatlakMaps, PatlakProblem
from betaplus.patlak.settings_checks import check_count, check_range
from betaplus.patlak.smoothed import make_guide

__all__ = ["Kernel"]

_KEPT = 3  # iterations whose products are kept for `--resume`: more would fill the disk


class Kernel:
    """The kernel method."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """What a kernel holds, and how far to go.

        Attributes:
            strength: h, in units of the noise.
            neighbours: k, the voxel itself among them; at most all of the window.
            guide: Width of the filter before voxels are compared, over that of `gaussian` for a
                strength of 1; 0 is none.
            search: Radius of the window, likewise.
            iterations: Of conjugate gradients.
        """

        strength: float = 1.5
        neighbours: int = 200
        guide: float = 0.7
        search: float = 1.5
        iterations: int = 1

        def __post_init__(self) -> None:
            check_range("strength", self.strength, 1e-3, 1e3)
            check_count("neighbours", self.neighbours, 1, 1000)
            check_range("guide", self.guide, 0.0, 10.0)
            check_range("search", self.search, 0.1, 10.0)
            check_count("iterations", self.iterations, 1, 1000)

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def fit(
        self,
        problem: PatlakProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
        crew: Crew | None = None,
    ) -> PatlakMaps:
        """Return the maps; nothing is random, and the result does not depend on the threads."""
        s, progress, crew = self.settings, progress or Silent(), crew or ThreadCrew(threads)
        guide = make_guide(problem, s.guide)
        reach = s.search * guide.matched
        half = shifts_within(problem.voxel, reach, 0.0)
        shifts = np.array([(0, 0, 0), *half, *([-a for a in d] for d in half)], np.int64)
        matrix = KernelMatrix(
            features=guide.features.numpy(), variance=guide.variance.numpy(),
            mask=problem.mask.numpy(), shifts=shifts, neighbours=s.neighbours,
            strength=s.strength, crew=crew,
        )  # fmt: skip
        progress.start("kernel", s.iterations)
        u = _solve(problem, matrix, s.iterations, progress)
        progress.finish()
        found = {
            "fwhm": guide.fwhm,
            "search": reach,
            "neighbours": float(min(s.neighbours, len(shifts))),
            "iterations": float(s.iterations),
        }
        return PatlakMaps(u=u, found=found)


def _solve(
    problem: PatlakProblem, matrix: KernelMatrix, iterations: int, progress: Progress
) -> Tensor:
    """Return K alpha, shape (2, X, Y, Z)."""
    weight = torch.where(problem.mask, 1.0 / noise_map(problem).clamp_min(1e-30), 0.0)
    spread = torch.where(problem.mask, 1.0 / weight.clamp_min(1e-30), 0.0)
    m = problem.normal.double()
    inverse = torch.linalg.inv(m.movedim(2, 0)).movedim(0, 2).float()
    m = m.float()

    def name(what: str, n: int) -> str:
        return f"{what}-{n}" if iterations <= _KEPT else ""

    residual = matrix.adjoint(problem.h * weight, name("adjoint", 0))
    out = torch.zeros_like(residual)
    way, start, rho = out, 0.0, 0.0
    for n in range(iterations):
        z = _times(inverse, residual) * spread
        before, rho = rho, _dot(residual, z)
        start = start or rho
        if rho <= 1e-12 * start:
            break
        way = z + (rho / before) * way if n else z
        seen = matrix.forward(way, name("forward", n))
        change = _times(m, seen) * weight
        step = rho / _dot(seen, change)
        out += step * seen
        if n + 1 < iterations:
            residual = residual - step * matrix.adjoint(change, name("adjoint", n + 1))
        progress.advance()
    return out


def _times(a: Tensor, x: Tensor) -> Tensor:
    """Return the product with a 2 x 2 matrix of each slice, shape (2, X, Y, Z)."""
    return torch.stack([a[0, 0] * x[0] + a[0, 1] * x[1], a[1, 0] * x[0] + a[1, 1] * x[1]])


def _dot(a: Tensor, b: Tensor) -> float:
    return float((a.double() * b.double()).sum())
