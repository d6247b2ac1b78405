r"""Two compartment models fitted to one mixture at once, voxel by voxel.

.. math:: m = d_1 (a_1 u_1(k) + V_1 b_1) + d_2 (a_2 u_2(k') + V_2 b_2)

with u the response of a tissue (`rate_grid`) and b whole blood: the parallel model of simultaneous
two-tracer imaging (Koeppe et al., J Cereb Blood Flow Metab 2001, 21:1480-1492). Amplitudes are
non-negative least squares, rate constants the best of a grid (the basis function method of Gunn et
al., NeuroImage 1997, for two tracers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.core.crew import Crew, ThreadCrew
from betaplus.core.progress import Progress, Silent
from betaplus.separation.rate_grid import Shapes

__all__ = ["ParallelFit", "fit_parallel"]

_CHUNK = 2048  # voxels


@dataclass(frozen=True, eq=False, kw_only=True)
class ParallelFit:
    """What was found for N voxels.

    Attributes:
        x: Curves of both tracers, decay-corrected each to its injection, shape (2, N, T) float32.
        rates: k2, k3, k4 of both, shape (2, 3, N) [1/min].
        amplitude: a = K1 (1 - VB) of both, shape (2, N) [mL/cm3/min].
        volume: VB of both, shape (2, N).
        cost: Weighted sum of squares left, shape (N,).
        freedom: Frames less parameters of a voxel inside the grid.
    """

    x: np.ndarray
    rates: np.ndarray
    amplitude: np.ndarray
    volume: np.ndarray
    cost: np.ndarray
    freedom: int


def fit_parallel(
    mixture: np.ndarray,
    shapes: tuple[Shapes, Shapes | None],
    decay: np.ndarray,
    weights: np.ndarray,
    *,
    frames: np.ndarray | None = None,
    shared_volume: bool = True,
    prior: float = 0.0,
    variance: np.ndarray | None = None,
    threads: int = 1,
    progress: Progress | None = None,
    crew: Crew | None = None,
) -> ParallelFit:
    """Return the best parallel model of every voxel.

    Args:
        mixture: Shape (N, T) [scale].
        shapes: Of both tracers in the same scale; None in place of the second fits one alone.
        decay: d, shape (2, T).
        weights: w, shape (T,).
        frames: Frames that are fitted, shape (T,) bool; all if None.
        shared_volume: Whether both tracers see one blood volume, as they do in a body.
        prior: How much the rates' log-normal prior counts; 1 is maximum a posteriori.
        variance: s^2, the noise variance of a frame of weight 1, shape (N,); for the prior.
        threads: Parts of the voxels at a time; they do not change the result.
        progress: What to report to.
        crew: Who fits them, and keeps what is finished; so many threads if None.
    """
    progress, crew = progress or Silent(), crew or ThreadCrew(threads)
    used = np.ones(decay.shape[1], bool) if frames is None else frames
    root = np.where(used, np.sqrt(weights), 0.0)
    first, second = shapes
    count = 2 if second is not None else 1
    tissue_a = first.tissue * (decay[0] * root)
    tissue_b = second.tissue * (decay[1] * root) if second else np.zeros((1, root.size))
    blood = np.stack(
        [s.blood * d * root for s, d in zip(shapes, decay, strict=True) if s is not None]
    )
    if shared_volume and count == 2:
        blood = blood.sum(0, keepdims=True)
    grids = (first.grid, second.grid if second else None)
    dims = np.array([*first.grid.dims(), *(second.grid.dims() if second else (1, 1, 1))])
    coarse = np.array([c for g in grids for c in (g.steps() if g else (1, 1, 1))])
    penalties = [
        prior * g.penalty() if g and prior else np.zeros(max(int(np.prod(d)), 1))
        for g, d in zip(grids, (dims[:3], dims[3:]), strict=True)
    ]
    n, nb = len(mixture), len(blood)
    spread = np.zeros(n) if variance is None else np.asarray(variance, dtype=np.float64)
    pair = np.zeros((n, 2), np.int64)
    amplitude, explained = np.zeros((n, 2 + nb)), np.zeros(n)
    power = np.zeros(n)
    products = (
        np.sum(tissue_a**2, 1),
        np.sum(tissue_b**2, 1),
        np.ascontiguousarray(tissue_a @ tissue_b.T),
        np.ascontiguousarray(tissue_a @ blood.T),
        np.ascontiguousarray(tissue_b @ blood.T),
        np.ascontiguousarray(blood @ blood.T),
    )

    parts = [slice(start, min(start + _CHUNK, n)) for start in range(0, n, _CHUNK)]
    tables = root, tissue_a, tissue_b, blood, products, dims, coarse, penalties

    def part_of(index: int) -> tuple[np.ndarray, np.ndarray]:
        return mixture[parts[index]], spread[parts[index]]

    progress.start("voxels", n)
    fits = crew.each(_fit, tables, len(parts), part_of, "voxels")
    for part, found in zip(parts, fits, strict=True):
        pair[part], amplitude[part] = found["pair"], found["amplitude"]
        explained[part], power[part] = found["explained"], found["power"]
        progress.advance(part.stop - part.start)
    progress.finish()
    volume = np.zeros((2, n))
    volume[:count] = amplitude[:, 2:].T
    x = np.zeros((2, n, root.size), np.float32)
    rates = np.zeros((2, 3, n))
    for i, s in enumerate(shapes):
        if s is None:
            continue
        rates[i] = s.grid.values()[:, pair[:, i]]
        table = s.tissue.astype(np.float32)
        whole = s.blood.astype(np.float32)
        for start in range(0, n, _CHUNK):
            part = slice(start, start + _CHUNK)
            x[i, part] = amplitude[part, i, None].astype(np.float32) * table[pair[part, i]]
            x[i, part] += volume[i, part, None].astype(np.float32) * whole
    parameters = nb + sum(1 + int(np.sum(np.array(s.grid.dims()) > 1)) for s in shapes if s)
    return ParallelFit(
        x=x,
        rates=rates,
        amplitude=amplitude[:, :2].T.copy(),
        volume=volume,
        cost=np.maximum(power - explained, 0.0),
        freedom=int(used.sum()) - parameters,
    )


def _fit(tables: tuple[Any, ...], mixture: np.ndarray, spread: np.ndarray) -> dict[str, np.ndarray]:
    """Return the best pairs of some voxels."""
    from betaplus.separation.parallel_kernels import best_pairs

    root, tissue_a, tissue_b, blood, products, dims, coarse, penalties = tables
    n = len(mixture)
    pair, amplitude = np.zeros((n, 2), np.int64), np.zeros((n, 2 + len(blood)))
    explained = np.zeros(n)
    y = mixture.astype(np.float64) * root
    best_pairs(
        y @ tissue_a.T, y @ tissue_b.T, y @ blood.T, *products, dims, coarse, *penalties,
        spread, pair, amplitude, explained,
    )  # fmt: skip
    return {
        "pair": pair, "amplitude": amplitude, "explained": explained, "power": np.sum(y * y, 1)
    }  # fmt: skip
