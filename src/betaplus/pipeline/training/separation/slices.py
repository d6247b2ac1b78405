"""Batches of slices: mixed sequences and those of both tracers, in the scale of the mixture."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.generative.tiling import pad_end
from betaplus.pipeline.training.separation.mat_files import MatFiles
from betaplus.pipeline.training.separation.plan import split_pair
from betaplus.pipeline.training.separation.slice_plan import SlicePlan
from betaplus.separation.published_training import common_scale
from betaplus.simulation.dual_study import (
    FIRST_TRAIN,
    DualPerson,
    DualProtocol,
    draw_dual_person,
    draw_dual_study,
    dual_protocol,
)

__all__ = ["FileSlices", "SimulatedSlices", "SliceBatches", "SliceSource", "protocol_of"]

_KEPT = 128
_APART = 4  # voxels from slice to slice of a simulated scan: noise is 2 wide
_FINITE = 7002  # with the number of a scan: its seed, where scans are used again
_PLACES = 8  # of which the part of a slice with most in it is taken at random, by what it holds


class SliceSource(Protocol):
    """Where slices come from."""

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return mixtures, shape (n, T, X, Y), and both sequences, shape (n, 2T, X, Y)."""
        ...


class SimulatedSlices:
    """Axial slices of heads in one protocol, in frames as measured.

    Args:
        plan: The training.
        first: Number of the first person.
        people: How many.
    """

    def __init__(
        self, plan: SlicePlan, first: int = FIRST_TRAIN, people: int | None = None
    ) -> None:
        self.plan, self.first, self.count = plan, first, people or plan.people
        self.people: OrderedDict[int, DualPerson] = OrderedDict()
        self.kept: dict[int, tuple[Tensor, Tensor]] = {}

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return n slices of a head, some voxels apart; of one of the plan's scans, mirrored."""
        if not self.plan.scans:
            return self._drawn(n, rng)
        number = int(rng.integers(self.plan.scans))
        if number not in self.kept:
            own = np.random.default_rng((_FINITE, self.first, number))
            mixture, pair = self._drawn(n, own)
            scale = common_scale(mixture)  # without it halves could overflow
            self.kept[number] = (mixture / scale).half(), (pair / scale).half()
        axes = [axis for axis in (-2, -1) if rng.random() < 0.5]
        swap = rng.random() < 0.5
        mixture, pair = (image.flip(axes).float() for image in self.kept[number])
        return (mixture.mT, pair.mT) if swap else (mixture, pair)

    def _drawn(self, n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        plan = self.plan
        person = self._person(self.first + int(rng.integers(self.count)))
        low, high = plan.level
        level = low * (high / low) ** rng.random()
        study = draw_dual_study(
            person,
            protocol_of(plan).replace(level=float(level)),
            item=int(rng.integers(2**31)),
            shape=(plan.field, plan.field, (n - 1) * _APART + 1),
        )
        decay = study.decay[:, None, None, None].astype(np.float32)
        pair = (study.x * decay)[:, :, :, ::_APART]
        mixed = study.mixture()[:, :, ::_APART]
        frames = mixed.shape[-1]
        both = pair.transpose(3, 0, 4, 1, 2).reshape(n, 2 * frames, plan.field, plan.field)
        mixture = torch.from_numpy(np.ascontiguousarray(mixed.transpose(2, 3, 0, 1)))
        return mixture, torch.from_numpy(np.ascontiguousarray(both))

    def _person(self, seed: int) -> DualPerson:
        if seed not in self.people:
            self.people[seed] = draw_dual_person(seed)
            while len(self.people) > _KEPT:
                self.people.popitem(last=False)
        self.people.move_to_end(seed)
        return self.people[seed]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "people": OrderedDict(), "kept": {}}


class FileSlices:
    """Slices of files.

    Args:
        files: The files.
    """

    def __init__(self, files: MatFiles) -> None:
        self.files = files

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return n slices; smaller ones are given zeros at their end."""
        found = [self.files.slice(int(i)) for i in rng.integers(len(self.files), size=n)]
        edges = np.max([mixed.shape[1:] for mixed, _ in found], axis=0).tolist()
        mixtures, pairs = (
            torch.stack([pad_end(torch.from_numpy(each[k]), edges) for each in found])
            for k in (0, 1)
        )
        return mixtures, pairs


class SliceBatches:
    """What the networks are trained with.

    Args:
        source: Where slices come from.
        edge: Of the parts that are learned from [voxels]; whole slices if None.
    """

    def __init__(self, source: SliceSource, edge: int | None) -> None:
        self.source, self.edge = source, edge

    def __call__(
        self, n: int, generator: Generator, rank: int = 0, world: int = 1
    ) -> dict[str, Tensor]:
        """Draw n slices for each process and return those of one.

        Returns:
            ``mixture``, shape (n, T, edge, edge), and ``sequences``, shape (n, 2T, edge, edge),
            over the largest value of the whole mixed slice.
        """
        keys = torch.randint(2**62, (world,), generator=generator)
        rng = np.random.default_rng(int(keys[rank]))
        mixture, sequences = self.source.draw(n, rng)
        scale = common_scale(mixture)
        mixture, sequences = mixture / scale, sequences / scale
        if self.edge is not None:
            size = [self.edge, self.edge]
            mixture, sequences = pad_end(mixture, size), pad_end(sequences, size)
            x, y = self._place(sequences, rng)
            part = (..., slice(x, x + self.edge), slice(y, y + self.edge))
            mixture, sequences = mixture[part].contiguous(), sequences[part].contiguous()
        return {"mixture": mixture, "sequences": sequences}

    def _place(self, sequences: Tensor, rng: np.random.Generator) -> tuple[int, int]:
        edge = self.edge or 0
        whole = sequences.abs().sum((0, 1))
        most = np.array(whole.shape) - edge
        places = rng.integers(0, most + 1, size=(_PLACES, 2))
        held = np.array([float(whole[x : x + edge, y : y + edge].sum()) for x, y in places]) + 1e-6
        x, y = places[int(rng.choice(_PLACES, p=held / held.sum()))]
        return int(x), int(y)


def protocol_of(plan: SlicePlan) -> DualProtocol:
    """Return the protocol of a plan."""
    return dual_protocol(
        *split_pair(plan.pair),
        plan.delay * SECONDS_PER_MINUTE,
        after=plan.after * SECONDS_PER_MINUTE,
        schedule=plan.schedule,
    )
