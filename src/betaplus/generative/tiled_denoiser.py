"""A denoiser of tiles made into one of whole volumes.

Whatever a sampler does, it does to whole volumes; only the network works on tiles. So the clean
estimate is blended at every step, and neighbours cannot drift apart, as they do where each tile is
sampled to its end and blended then. Whole-volume noise comes from `keyed_noise`.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from betaplus.generative.tiling import Padding, TilePlan, fuse, plan_tiles

__all__ = ["TileNetwork", "TiledDenoiser"]

TileNetwork = Callable[..., Tensor]
"""(x, sigma), or (x, sigma, condition) where there is one, of one tile to its clean estimate."""

_plan = lru_cache(maxsize=16)(plan_tiles)


@dataclass(frozen=True, eq=False, kw_only=True)
class TiledDenoiser:
    """A `Denoised` for images (B, C, X, Y) and volumes (B, C, X, Y, Z) of any size.

    The network sees one tile of one item a call, so that its bits do not depend on the batch, and
    outputs are added in a fixed order, so that they do not depend on the number of threads. It
    works without gradients. Memory beyond input and output: one item in double precision, and two
    tiles a thread.

    Attributes:
        denoised: The denoiser of tiles, (1, C, *tile).
        tile: Voxels of a tile along each axis, or along all.
        overlap: Voxels that neighbours share at least.
        multiple: What the network pools by in all.
        halo: As for `plan_tiles`.
        padding: What stands beyond the end of a volume.
        condition: Image or volume (1 or B, K, X, Y[, Z]) of which the network is given the same
            tile, e.g. the low-count image of a conditional denoiser.
        threads: Tiles computed at a time.
        callback: Told (done, all) after every tile of a call.
    """

    denoised: TileNetwork
    tile: int | tuple[int, ...]
    overlap: int | tuple[int, ...]
    multiple: int = 1
    halo: int | None = None
    padding: Padding = "zeros"
    condition: Tensor | None = None
    threads: int = 1
    callback: Callable[[int, int], None] | None = None

    def plan(self, shape: tuple[int, ...]) -> TilePlan:
        """Return the tiles of a volume of this shape.

        Raises:
            UsageError: If the settings do not make tiles.
        """
        return _plan(shape, self.tile, self.overlap, self.multiple, self.halo)

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the clean estimate of x, of its shape and type.

        Args:
            x: Shape (B, C, X, Y) or (B, C, X, Y, Z).
            sigma: Noise levels, shape (), or (B,) with any axes of length 1 behind.
        """
        plan = self.plan(tuple(x.shape[2:]))
        out, steps = torch.empty_like(x), _Count(len(plan) * len(x), self.callback)
        with ThreadPoolExecutor(self.threads) as pool:
            outputs = map(steps.told, self._outputs(plan, x, sigma, pool))
            for item in range(len(x)):
                out[item : item + 1] = fuse(plan, itertools.islice(outputs, len(plan)))
        return out

    def _condition(self, item: int) -> Tensor | None:
        if self.condition is None or len(self.condition) == 1:
            return self.condition
        return self.condition[item : item + 1]

    def _outputs(
        self, plan: TilePlan, x: Tensor, sigma: Tensor, pool: Executor
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield (tile, output) of all tiles of the first item, then of the next."""

        @torch.no_grad()
        def compute(item: int, index: int) -> Tensor:
            level = sigma if sigma.ndim == 0 or len(sigma) == 1 else sigma[item : item + 1]
            given = [plan.cut(x[item : item + 1], index, self.padding), level]
            condition = self._condition(item)
            if condition is not None:
                given.append(plan.cut(condition, index, self.padding))
            # What blends is of the type of x, whatever the network computes in.
            return self.denoised(*given).to(x.dtype)

        jobs = itertools.product(range(len(x)), range(len(plan)))
        if self.threads == 1:
            yield from ((index, compute(item, index)) for item, index in jobs)
            return
        waiting: deque[tuple[int, Future[Tensor]]] = deque()
        for item, index in itertools.islice(jobs, 2 * self.threads):
            waiting.append((index, pool.submit(compute, item, index)))
        while waiting:
            index, future = waiting.popleft()
            output = future.result()
            for item, more in itertools.islice(jobs, 1):
                waiting.append((more, pool.submit(compute, item, more)))
            yield index, output


class _Count:
    """Counts tiles through to a callback."""

    def __init__(self, total: int, callback: Callable[[int, int], None] | None) -> None:
        self.done, self.total, self.callback = 0, total, callback

    def told(self, output: tuple[int, Tensor]) -> tuple[int, Tensor]:
        self.done += 1
        if self.callback is not None:
            self.callback(self.done, self.total)
        return output
