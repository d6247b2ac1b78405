"""A head that can be scanned with any two tracers, again and again."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from betaplus.core.input_function import InputFunction
from betaplus.core.seeds import generator
from betaplus.simulation.dual_study.population import (
    GAS,
    STANDARD,
    Population,
    infused,
    regions_of,
)
from betaplus.simulation.dynamic_study.person import cut
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static.anatomy import make_anatomy
from betaplus.simulation.subject import PARAMETERS, draw_region_kinetics
from betaplus.simulation.tracers import TracerProfile

__all__ = [
    "FIRST_CALIBRATION",
    "FIRST_TEST",
    "FIRST_TRAIN",
    "FIRST_TUNING",
    "DualPerson",
    "draw_dual_person",
]

FIRST_TRAIN = 0
"""Seeds from which on people may be learned from, up to 900,000
(`betaplus.pipeline.training.corpus.FIRST_TEST`)."""

FIRST_TUNING = 913_000
"""Seeds from which on people are for choosing settings."""

FIRST_CALIBRATION = 914_000
"""Seeds from which on people are for calibrating intervals."""

FIRST_TEST = 923_000
"""Seeds from which on people are for judging."""

BRAIN = (
    "FrontalCortex", "ParietalCortex", "TemporalCortex", "OccipitalCortex", "GreyMatter",
    "WhiteMatter", "Caudate", "Putamen", "Thalamus", "CerebellarCortex", "CerebellarWhite",
    "Brainstem",
)  # fmt: skip
"""Regions of a brain that hold tracer of their own."""

_DRAW = 90
_VB_MOST = 0.98
_BEYOND = 30.0  # s: blood reaches further than the scan, for tissue that sees it earlier
_PLACE = 0.25  # of the box, about a voxel of the brain
_WHOLE = 0.85  # of the head: a box this large along an axis is centred there


@dataclass(frozen=True, eq=False, kw_only=True)
class DualPerson:
    """A head. Kinetics and blood are drawn for every item: its first scan, its second, ...

    Attributes:
        seed: Chose the head, and chooses all else.
        population: Whom the person was drawn from.
        phantom: Label map without lesions.
    """

    seed: int
    population: Population
    phantom: Phantom

    @property
    def voxel(self) -> tuple[float, float, float]:
        """Edges of a voxel [mm]."""
        return self.phantom.voxel_size

    @cached_property
    def brain(self) -> np.ndarray:
        """Flat indices of the voxels of the brain."""
        held = [i for i, name in self.phantom.names.items() if name in BRAIN]
        return np.flatnonzero(np.isin(self.phantom.labels, held))

    @cached_property
    def amounts(self) -> Mapping[str, float]:
        """Share of the head's voxels that each region has."""
        count = np.bincount(self.phantom.labels.reshape(-1), minlength=256)
        whole = {name: int(count[i]) for i, name in self.phantom.names.items() if i > 0}
        return {name: n / sum(whole.values()) for name, n in whole.items()}

    def kinetics(self, profile: TracerProfile, item: int = 0) -> dict[str, dict[str, float]]:
        """Draw the kinetics of a tracer: region name to K1, k2, k3, k4, VB; 0 in gas.

        Raises:
            UsageError: If the phantom has a region that the tracer has no kinetics for.
        """
        known = regions_of(profile, self.phantom.names)
        drawn = draw_region_kinetics(known, self._own_seed(profile, item))
        factors = self.population.factors(profile.tracer.name)
        out = {}
        for name in self.phantom.names.values():
            if name in GAS:
                out[name] = dict.fromkeys(PARAMETERS, 0.0)
                continue
            values = {p: v * factors.get(p, 1.0) for p, v in drawn[name].items()}
            out[name] = {**values, "VB": min(values["VB"], _VB_MOST)}
        return out

    def blood(
        self, profile: TracerProfile, end: float, item: int = 0, dose: float = 1.0
    ) -> tuple[InputFunction, float]:
        """Draw the blood of a tracer, and its arrival at the brain after the sampler [s].

        Args:
            profile: The tracer.
            end: Of the scan, in the tracer's own time [s].
            item: Number of the scan.
            dose: Injected activity over that of the profile.

        Returns:
            The true input, as samples, decay-corrected to the injection [Bq/mL].
        """
        rng = generator(self._own_seed(profile, item), draw=_DRAW + 1)
        arrival = float(rng.uniform(*profile.delay))
        change = self.population.blood
        made = draw_blood(
            change(profile.blood), dose * profile.activity_per_gram, end + _BEYOND, rng
        )
        return infused(made, change.infusion), arrival

    def box(self, shape: Sequence[int], item: int = 0) -> tuple[int, int, int]:
        """Return the first voxel of a box for a scan: about the brain, in the phantom if it fits.

        Along an axis where the box has most of the head it is centred.
        """
        rng = generator(self.seed, item, _DRAW + 2)
        size = np.array(self.phantom.labels.shape)
        box = np.array(tuple(shape))
        at = np.unravel_index(self.brain[rng.integers(self.brain.size)], self.phantom.labels.shape)
        low = np.rint(np.array(at) + rng.uniform(-_PLACE, _PLACE, 3) * box - (box - 1) / 2)
        low = np.clip(low, 0, np.maximum(size - box, 0))
        low = np.where(box >= _WHOLE * size, (size - box) // 2, low)
        return int(low[0]), int(low[1]), int(low[2])

    def share(self, low: Sequence[int], shape: Sequence[int]) -> float:
        """Return the share of a box that is head.

        Args:
            low: First voxel; may lie outside.
            shape: Of the box.
        """
        inside = cut(self.phantom.labels, [int(n) for n in low], [int(n) for n in shape])
        return float((inside > 0).mean())

    def _own_seed(self, profile: TracerProfile, item: int) -> int:
        """Return the seed of a tracer: its draws do not depend on what it is given with."""
        name = zlib.crc32(profile.tracer.name.encode())
        sequence = np.random.SeedSequence((self.seed, item, _DRAW, name))
        return int(sequence.generate_state(1)[0])


def draw_dual_person(seed: int, population: Population = STANDARD) -> DualPerson:
    """Draw a person.

    Args:
        seed: Chooses the head, and its kinetics and blood at every scan.
        population: Whom from.

    Raises:
        UsageError: If the anatomy is unknown.
        InputError: If a label image cannot be used.
    """
    phantom = make_anatomy(
        population.anatomy,
        seed,
        voxel=population.voxel,
        spread=population.spread,
        finer=population.finer,
    )
    return DualPerson(seed=seed, population=population, phantom=_thinned(phantom, population.voxel))


def _thinned(phantom: Phantom, voxel: float) -> Phantom:
    """Return every n-th voxel of a finer phantom, so that voxels are about as large as wanted."""
    step = [max(int(voxel / edge + 0.5), 1) for edge in phantom.voxel_size]
    if max(step) == 1:
        return phantom
    labels = np.ascontiguousarray(phantom.labels[tuple(slice(s // 2, None, s) for s in step)])
    affine = phantom.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.array([s // 2 for s in step], dtype=float)
    affine[:3, :3] = affine[:3, :3] @ np.diag(step)
    present = set(np.unique(labels).tolist())
    return Phantom(labels, affine, {i: n for i, n in phantom.names.items() if i in present})
