"""A denoiser of tiles made into one of whole volumes.

Whatever a sampler does, it does to whole volumes; only the network works on tiles. So the clean
estimate is blended at every step, and neighbours cannot drift apart, as they do where each tile is
sampled to its end and blended then. Whole-volume noise comes from `keyed_noise`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from betaplus.core.crew import Crew, ThreadCrew
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
        crew: Who computes them; so many threads if None.
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
    crew: Crew | None = None
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
        outputs = map(steps.told, self._outputs(plan, x, sigma))
        for item in range(len(x)):
            out[item : item + 1] = fuse(plan, itertools.islice(outputs, len(plan)))
        next(outputs, None)
        return out

    def _outputs(self, plan: TilePlan, x: Tensor, sigma: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield (tile, output) of all tiles of the first item, then of the next."""

        def part(job: int) -> tuple[Tensor, ...]:
            item, index = divmod(job, len(plan))
            level = sigma if sigma.ndim == 0 or len(sigma) == 1 else sigma[item : item + 1]
            given = [_own(plan.cut(x[item : item + 1], index, self.padding)), _own(level)]
            if self.condition is not None:
                one = (
                    self.condition if len(self.condition) == 1 else self.condition[item : item + 1]
                )
                given.append(_own(plan.cut(one, index, self.padding)))
            return tuple(given)

        crew = self.crew or ThreadCrew(self.threads)
        found = crew.each(_tile, self.denoised, len(x) * len(plan), part)
        for job, output in enumerate(found):
            yield job % len(plan), output["tile"]


def _tile(denoised: TileNetwork, *given: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        # What blends is of the type of x, whatever the network computes in.
        return {"tile": denoised(*given).to(given[0].dtype)}


def _own(x: Tensor) -> Tensor:
    """Return x in memory of its own: all of a tensor's memory is sent with it."""
    return x.clone(memory_format=torch.contiguous_format)


class _Count:
    """Counts tiles through to a callback."""

    def __init__(self, total: int, callback: Callable[[int, int], None] | None) -> None:
        self.done, self.total, self.callback = 0, total, callback

    def told(self, output: tuple[int, Tensor]) -> tuple[int, Tensor]:
        self.done += 1
        if self.callback is not None:
            self.callback(self.done, self.total)
        return output
