"""`inn`: the invertible network on images of the coefficients of both tracers' curves.

The scan becomes images of coefficients (`betaplus.separation.features`), the network makes better
ones of them on tiles that are blended (`betaplus.generative.tiling`), and these become curves.
Their SD is that of what it starts from, the posterior of `tissues`: its own errors are as large or
a little smaller (``betaplus benchmark separate --part spread``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.crew import Crew, ThreadCrew
from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.generative.tiling import TilePlan, fuse, pad_end, plan_tiles
from betaplus.separation.bundle import TrainedSeparation
from betaplus.separation.canonical import canonical_spaces
from betaplus.separation.features import features, reach
from betaplus.separation.inn_projection import projected
from betaplus.separation.known import FIT, Known, known_of
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.network import SeparationNetwork
from betaplus.separation.problem import SeparatedImages, SeparationProblem
from betaplus.separation.tissue_voxels import tissue_curves_of

__all__ = ["Inn"]

_CHUNK = 65536  # voxels


class Inn:
    """The method.

    Args:
        settings: Its settings.
        trained: The network (`betaplus.separation.bundle.load_separation`).
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How the network is applied.

        Attributes:
            tile: Largest edge of tiles [voxels]; what fits is done in one.
            overlap: Of neighbouring tiles; a third of it is a halo on each side [voxels].
            projection: Whether the images are moved, each in proportion to its own uncertainty, so
                that they add up to the measured mixture. That puts all of its noise into them,
                and they have no SD.
        """

        tile: int = 96
        overlap: int = 24
        projection: bool = False

        def __post_init__(self) -> None:
            if self.tile < 1 or self.overlap < 0:
                raise UsageError(
                    f"tiles of {self.tile} voxels that overlap by {self.overlap}",
                    "expected sizes above 0",
                )

    def __init__(self, settings: Settings | None, trained: TrainedSeparation) -> None:
        if not isinstance(trained.network, SeparationNetwork):
            raise TypeError(f"{type(trained.network).__name__} is no network of inn")
        self.settings, self.trained = settings or self.Settings(), trained
        self.network = trained.network
        self.size = trained.network.size

    def fit(
        self,
        problem: SeparationProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
        crew: Crew | None = None,
    ) -> SeparatedImages:
        """Return the images and their SD; nothing is random.

        Args:
            problem: With spaces of curves of at least the directions that the network has.
            seed: Has no effect.
            threads: Tiles at work at a time.
            progress: Told of tiles.
            crew: Who computes tiles, and keeps those that are finished; so many threads if None.

        Raises:
            UsageError: If the problem has no such spaces, or the settings make no tiles.
        """
        spaces = canonical_spaces(problem, (self.size.first, self.size.second))
        turned = dataclasses.replace(problem, spaces=spaces)
        who, known = crew or ThreadCrew(threads), self._known(turned)
        c = self.coefficients(turned, progress=progress, crew=who, known=known)
        estimate = LinearEstimate(spaces, problem.decay, problem.weights)
        x = torch.zeros((2, *problem.mixture.shape))
        rows = c[:, problem.mask].T
        found = torch.empty((2, len(rows), problem.mixture.shape[-1]))
        for first in range(0, len(rows), _CHUNK):
            part = slice(first, first + _CHUNK)
            found[:, part] = torch.stack(estimate.curves(rows[part]))
        std = None
        if self.settings.projection:
            found = projected(found, turned, estimate)
        else:
            _, std = tissue_curves_of(problem, known.mixture, who)
        for i in range(2):
            x[i][problem.mask] = found[i]
        tiles = len(self._plan(_part(problem, _held(problem.mask)).shape))
        return SeparatedImages(x=x, std=std, found={"tiles": float(tiles)})

    @torch.no_grad()
    def coefficients(
        self,
        problem: SeparationProblem,
        *,
        threads: int = 1,
        progress: Progress | None = None,
        crew: Crew | None = None,
        known: Known | None = None,
    ) -> Tensor:
        """Return the coefficients of both tracers, shape (K1 + K2, X, Y, Z) float32.

        Args:
            problem: With canonical spaces.
            threads: Tiles at work at a time.
            progress: Told of tiles.
            crew: As for `fit`.
            known: Of the scan; found if None.
        """
        box = _held(problem.mask)
        part = _part(problem, box)
        plan, told = self._plan(part.shape), progress or Silent()
        known = known or self._known(problem)

        def cut(index: int) -> tuple[SeparationProblem, tuple[slice, ...]]:
            own, inner = _cut(part, plan.box(index))
            return _part(own, (slice(None),) * 3, own_memory=True), inner

        def outputs() -> Iterator[tuple[int, Tensor]]:
            who = crew or ThreadCrew(threads)
            found = who.each(_tile, (self, plan.size, known), len(plan), cut, "tiles")
            for index, output in enumerate(found):
                told.advance()
                yield index, torch.as_tensor(output["c"])

        told.start("tiles", len(plan))
        c = torch.zeros((self.size.first + self.size.second, *problem.shape))
        c[(slice(None), *box)] = fuse(plan, outputs())
        told.finish()
        return c

    @torch.no_grad()
    def tile(
        self,
        part: SeparationProblem,
        inner: tuple[slice, ...],
        size: tuple[int, ...],
        known: Known,
    ) -> Tensor:
        """Return the coefficients of a tile, shape (K1 + K2, *size).

        Args:
            part: The part of a scan that it depends on.
            inner: Where in that it is.
            size: Of tiles.
            known: What is known of the whole scan.
        """
        device = self.trained.device
        if not part.mask[inner].any():
            return torch.zeros((self.size.first + self.size.second, *size))
        seen = features(part, known=known)
        at = (slice(None), *inner)
        u, condition = (pad_end(image[at], size) for image in (seen.start, seen.condition))
        with self.trained.cast():
            u = self.network.separate(
                u[None].to(device), condition[None].to(device), seen.context[None].to(device)
            )
        center = pad_end(seen.center[at], size)
        return center + seen.spread * u[0].float().cpu()

    def _known(self, problem: SeparationProblem) -> Known:
        bundle = self.trained.bundle
        kinetics = bundle is not None and bool(bundle.config.settings.get("kinetics", False))
        return known_of(problem, dataclasses.replace(FIT, kinetics=kinetics))

    def _plan(self, shape: tuple[int, int, int]) -> TilePlan:
        multiple = 2 ** len(self.size.widths) * self.size.stem // 2
        tile, overlap = (
            -(-edge // multiple) * multiple for edge in (self.settings.tile, self.settings.overlap)
        )
        edges = []
        for n in shape:  # as few tiles as of the largest edge, and no larger than they need be
            count = -(-(n - overlap) // max(tile - overlap, 1)) if n > tile else 1
            edge = -(-(n + (count - 1) * overlap) // count) if count > 1 else tile
            edges.append(min(-(-edge // multiple) * multiple, tile))
        return plan_tiles(shape, edges, overlap, multiple)


def _tile(
    shared: tuple[Inn, tuple[int, ...], Known],
    part: SeparationProblem,
    inner: tuple[slice, ...],
) -> dict[str, np.ndarray]:
    inn, size, known = shared
    return {"c": inn.tile(part, inner, size, known).numpy()}


def _cut(
    problem: SeparationProblem, box: tuple[slice, ...]
) -> tuple[SeparationProblem, tuple[slice, ...]]:
    """Return a part of a scan with what its features depend on, and where in it the part is."""
    outer, inner = [], []
    for one, edge, length in zip(box, reach(problem.voxel), problem.shape, strict=True):
        low, high = max(one.start - edge, 0), min(one.stop + edge, length)
        outer.append(slice(low, high))
        inner.append(slice(one.start - low, one.stop - low))
    return _part(problem, tuple(outer)), tuple(inner)


def _part(
    problem: SeparationProblem, box: tuple[slice, ...], *, own_memory: bool = False
) -> SeparationProblem:
    """Return a part of a scan, in memory of its own where it is to be sent."""
    arrays = {name: getattr(problem, name)[box] for name in ("mixture", "noise", "mask")}
    if own_memory:
        arrays = {name: array.clone() for name, array in arrays.items()}
    return dataclasses.replace(problem, **arrays)


def _held(mask: Tensor) -> tuple[slice, ...]:
    """Return the smallest box with all of a mask; all of it if it is empty."""
    if not mask.any():
        return tuple(slice(0, n) for n in mask.shape)
    low, high = mask.nonzero().aminmax(dim=0)
    return tuple(slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
