r"""`tv`: joint total variation of both channels, with what the data say of both together.

The u >= 0 with the least

.. math:: \sum_v \frac{1}{2 s^2} (u - \hat u)' M (u - \hat u)
    + \lambda \sum_v \frac{\ell}{\sigma} \Big( \sum_{ia} (\partial_a u_i)^2 \Big)^{1/2}

with u-hat the weighted least squares, a the axes [mm], sigma(v) the root mean square SD of u_1 and
u_2 by least squares, and l the edge of the cube in which noise is one (`noise_map`). lambda has no
unit: noise that is k times larger has the same effect on k times larger images, and noise over
larger voxels, or blobs, the same on larger objects. Edges of Ki and V0 lie in the same places, so
that one root holds both (vectorial total variation: Blomgren and Chan, IEEE Trans Image Process 7,
304, 1998; Bresson and Chan, Inverse Probl Imaging 2, 455, 2008).

The problem is convex. It is solved by the primal-dual method of Chambolle and Pock (J Math Imaging
Vis 40, 120, 2011) with steps of each voxel's own (Pock and Chambolle, ICCV 2011) and relaxation;
the step of the data is a 2 x 2 system in closed form. The dual function is in closed form too, and
bounds how far from the least a result is: the gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from betaplus.core.crew import Crew, ThreadCrew
from betaplus.core.progress import Progress, Silent
from betaplus.patlak.noise_map import noise_correlation, noise_map
from betaplus.patlak.problem import PatlakMaps, PatlakProblem
from betaplus.patlak.settings_checks import check_count, check_range
from betaplus.patlak.tv_kernels import dual_step, gap_sums, primal_step
from betaplus.physics.threads import each, ranges

__all__ = ["Tv"]

_NEIGHBOURHOOD = 50.0  # [mm], full width at half maximum: s that weights are made of
_RELAXATION = 1.9  # of the steps; below 2 it converges
_CHECK = 20  # iterations between looks at the gap
_KEEP = 100  # iterations between states that are kept for `--resume`


class Tv:
    """Joint total variation."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How smooth, and how far to go.

        Attributes:
            strength: lambda.
            coupled: Whether both channels are one problem; else each is denoised for itself, its
                noise that of M^-1 s^2, to show what the coupling is worth.
            iterations: At most.
            tolerance: End when the gap is below this share of the least.
            step: Length of the dual steps over that of the primal ones; changes the time only.
        """

        strength: float = 0.8
        coupled: bool = True
        iterations: int = 1000
        tolerance: float = 1e-5
        step: float = 1.0

        def __post_init__(self) -> None:
            check_range("strength", self.strength, 0.0, 1e3)
            check_count("iterations", self.iterations)
            check_range("tolerance", self.tolerance, 0.0, 1.0)
            check_range("step", self.step, 1e-4, 1e4)

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
        correlation = noise_correlation(problem, noise_map(problem))
        # Weights that follow the uptake draw hot spots to what is around, which weighs more.
        variance = noise_map(problem, fwhm=_NEIGHBOURHOOD, exponent=0.0)
        crew = crew or ThreadCrew(threads)
        solver = _Solver(problem, variance.numpy(), correlation.length, self.settings, crew.threads)
        gap, iterations = solver.run(progress or Silent(), crew)
        found = {
            "strength": self.settings.strength,
            "noise_voxels": correlation.voxels,
            "iterations": float(iterations),
            "gap": gap,
        }
        return PatlakMaps(u=solver.maps(), found=found)


class _Solver:
    """Arrays of the part of the volume around the mask, with a voxel of nothing on every side."""

    def __init__(
        self,
        problem: PatlakProblem,
        variance: np.ndarray,
        length: float,
        settings: Tv.Settings,
        threads: int,
    ) -> None:
        self.settings, self.threads, self.shape = settings, threads, problem.shape
        mask = problem.mask.numpy()
        self.box = tuple(_extent(mask, axis) for axis in range(3))
        self.mask = _padded(mask[self.box].astype(np.float32))
        self.unit = _units(problem)
        self.h, normal = _data(problem, self.box, self.unit, settings.coupled)
        self.normal = np.pad(normal, [(0, 0), (0, 0), (1, 1)], mode="edge").astype(np.float32)
        inside = mask[self.box]
        s2 = variance[self.box]
        mean = float(s2[inside].mean(dtype=np.float64))
        # Voxels elsewhere have the mean noise, so that no step divides by 0.
        self.s2 = np.full_like(self.mask, mean)
        self.s2[1:-1, 1:-1, 1:-1][inside] = s2[inside]
        self.edge = (settings.strength / np.sqrt(self.s2)).astype(np.float32)
        self.step = np.array([length / v for v in problem.voxel], np.float32)
        self.u = np.zeros((2, *self.mask.shape), np.float32)
        self.start(problem)
        self.q = np.zeros((2, 3, *self.mask.shape), np.float32)
        self.rows = _rows(self.mask)

    def start(self, problem: PatlakProblem) -> None:
        """Begin with what least squares find, negative values cut."""
        x, y, z = self.box
        first = problem.least_squares()[:, x, y, z].clamp_min(0.0) * problem.mask[x, y, z]
        self.u[:, 1:-1, 1:-1, 1:-1] = first.numpy() / self.unit

    def run(self, progress: Progress, crew: Crew) -> tuple[float, int]:
        """Iterate; return the gap over the least, and the iterations."""
        s = self.settings
        ahead, gap, iteration = self.u.copy(), np.inf, 0
        kept = crew.load("step")
        if kept is not None:
            self.u[:], self.q[:], ahead[:] = kept["u"], kept["q"], kept["ahead"]
            gap, iteration = float(kept["gap"]), int(kept["iteration"])
        parts = ranges(self.mask.shape[0] - 2, self.threads * 4)
        blocks = [(a + 1, b + 1) for a, b in parts]
        sigma = np.float32(s.step * max(s.strength, 1e-6))
        data: tuple[Any, ...] = (
            self.rows, self.u, ahead, self.q, self.mask, self.s2, self.h, self.normal, self.step,
            sigma,
        )  # fmt: skip
        edges: tuple[Any, ...] = (
            self.rows, ahead, self.q, self.mask, self.s2, self.edge, self.step, sigma, s.coupled,
        )  # fmt: skip
        progress.start("total variation", s.iterations)
        progress.advance(iteration)
        while iteration < s.iterations and gap > s.tolerance:
            iteration += 1
            look = iteration % _CHECK == 0 or iteration == s.iterations
            # A step without relaxation ends where the dual function is finite.
            rho = np.float32(1.0 if look else _RELAXATION)
            each(primal_step, [(*b, *data, rho) for b in blocks], self.threads)
            each(dual_step, [(*b, *edges, rho) for b in blocks], self.threads)
            progress.advance()
            if look:
                gap = self.gap(blocks)
            if iteration % _KEEP == 0:
                state = {"u": self.u, "q": self.q, "ahead": ahead}
                numbers = {"gap": gap, "iteration": iteration, "done": iteration // _KEEP}
                arrays = {name: np.asarray(number) for name, number in numbers.items()}
                crew.save("step", {**state, **arrays})
        progress.finish()
        return gap, iteration

    def gap(self, blocks: list[tuple[int, int]]) -> float:
        """Return the least upper bound less the dual function, over the former."""
        s = self.settings
        sums = np.zeros((self.mask.shape[0], 2))
        arrays = (self.rows, self.u, self.q, self.mask, self.s2, self.h, self.normal, self.edge)
        calls = [(*b, *arrays, self.step, s.coupled, sums) for b in blocks]
        each(gap_sums, calls, self.threads)
        primal, dual = sums.sum(0)
        return float((primal - dual) / max(primal, 1e-30))

    def maps(self) -> torch.Tensor:
        """Return u in the whole volume, shape (2, X, Y, Z)."""
        out = np.zeros((2, *self.shape), np.float32)
        out[(slice(None), *self.box)] = (self.u * self.mask)[:, 1:-1, 1:-1, 1:-1] * self.unit
        return torch.from_numpy(out)


def _units(problem: PatlakProblem) -> np.ndarray:
    """Return the roots of the diagonal of M^-1, shape (2, 1, 1, 1); mean over slices of mask."""
    inverse = torch.linalg.inv(problem.normal.double().movedim(2, 0))
    share = problem.mask.sum((0, 1)).double()
    mean = (inverse.diagonal(dim1=1, dim2=2) * share[:, None]).sum(0) / share.sum()
    return mean.sqrt().float().numpy()[:, None, None, None]


def _data(
    problem: PatlakProblem, box: tuple[slice, ...], unit: np.ndarray, coupled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return h and M of u over its units; without coupling the diagonal of M^-1, inverted."""
    x, y, z = box
    scale = unit.reshape(2).astype(np.float64)
    normal = problem.normal[..., z].double().numpy() * np.outer(scale, scale)[..., None]
    if coupled:
        return _padded(problem.h[:, x, y, z].numpy() * unit), normal
    inverse = np.linalg.inv(np.moveaxis(normal, 2, 0))
    alone = np.zeros_like(normal)
    alone[0, 0], alone[1, 1] = 1.0 / inverse[:, 0, 0], 1.0 / inverse[:, 1, 1]
    diagonal = np.stack([alone[0, 0], alone[1, 1]]).astype(np.float32)[:, None, None]
    return _padded(problem.least_squares()[:, x, y, z].numpy() / unit * diagonal), alone


def _rows(mask: np.ndarray) -> np.ndarray:
    """Return the first voxel of the mask along z and the one behind its last, (X, Y, 2)."""
    inside = mask > 0
    low = np.where(inside.any(2), inside.argmax(2), 0)
    high = np.where(inside.any(2), mask.shape[2] - inside[..., ::-1].argmax(2), 0)
    return np.stack([low, high], -1)


def _extent(mask: np.ndarray, axis: int) -> slice:
    """Return where there are voxels along an axis."""
    at = np.flatnonzero(mask.any(axis=tuple(k for k in range(3) if k != axis)))
    return slice(int(at[0]), int(at[-1]) + 1)


def _padded(x: np.ndarray) -> np.ndarray:
    """Return x with a 0 on both sides of the last three axes, float32."""
    around = [(0, 0)] * (x.ndim - 3) + [(1, 1)] * 3
    return np.pad(x, around).astype(np.float32)
