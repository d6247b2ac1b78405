"""A person: anatomy, kinetics of every region, blood, and what the counts tell in each frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.input_function import InputFunction
from betaplus.core.seeds import generator
from betaplus.simulation.dynamic_study.kinetics import FDG_ORGANS, organ_kinetics
from betaplus.simulation.dynamic_study.protocol import Protocol
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static.anatomy import ANATOMIES, make_anatomy
from betaplus.simulation.subject import PARAMETERS
from betaplus.simulation.surrogate.information import Information
from betaplus.simulation.tissue_mu import tissue_mu
from betaplus.simulation.uptake import draw_dose

__all__ = ["LAST", "Person", "cut", "draw_person"]

LAST = 4500.0
"""How long blood is known [s]."""

_DRAW = 71


@dataclass(frozen=True, eq=False, kw_only=True)
class Person:
    """A person, without noise and without lesions.

    Attributes:
        kind: ``body`` or ``brain``.
        seed: Chose the person.
        phantom: Label map of all that is simulated: vertex to mid-thigh, or the head.
        regions: Region to K1, k2, k3, k4, VB.
        blood: The true input, as samples [Bq/mL].
        weight: Body weight [kg].
        dose: Injected activity [Bq].
        half_life: Of the radionuclide [s].
    """

    kind: str
    seed: int
    phantom: Phantom
    regions: Mapping[str, Mapping[str, float]]
    blood: InputFunction
    weight: float
    dose: float
    half_life: float
    _known: dict[object, list[Information]] = field(default_factory=dict)

    @property
    def per_suv(self) -> float:
        """1 SUV, decay-corrected to injection [Bq/mL]."""
        return self.dose / (1000.0 * self.weight)

    def region_curves(self, protocol: Protocol, bed: int) -> np.ndarray:
        """Return the frame means of every label in a bed position, shape (labels, T) [SUV]."""
        from betaplus.simulation.dynamic_study.response_table import ResponseTable

        response = ResponseTable(self.blood, LAST, protocol.timing(bed), self.half_life)
        labels = list(self.phantom.names)
        values = {
            p: np.array([self.regions[self.phantom.names[i]][p] for i in labels])
            for p in PARAMETERS
        }
        out = np.zeros((max(labels) + 1, len(protocol)))
        out[labels] = response.frame_means(values) / self.per_suv
        return out

    def information(
        self,
        protocol: Protocol,
        inserted: tuple[Sequence[int], np.ndarray, np.ndarray] | None = None,
    ) -> list[Information]:
        """Return what the counts of each frame tell, of the whole person.

        Args:
            protocol: Frames and scanner.
            inserted: First voxel of a box, its frames (X, Y, Z, T) [SUV] and its mu (X, Y, Z)
                [1/mm], to take the place of regions that are alike all over; what is known without
                is kept for the next box.
        """
        if inserted is None and protocol.key in self._known:
            return self._known[protocol.key]
        from betaplus.simulation.surrogate.information import measure_information

        beds = protocol.beds(self.phantom.labels.shape[2])
        curves = {int(b): self.region_curves(protocol, int(b)) for b in np.unique(beds)}
        mu = tissue_mu(self.phantom)
        if inserted is not None:
            paste(mu, inserted[0], inserted[2])
        out = []
        for f in range(len(protocol)):
            activity = np.empty(mu.shape, np.float32)
            for b, table in curves.items():
                part = (..., beds == b)
                activity[part] = table[:, f].astype(np.float32)[self.phantom.labels[part]]
            if inserted is not None:
                paste(activity, inserted[0], inserted[1][..., f])
            out.append(measure_information(activity, mu, self.phantom.voxel_size, protocol.style))
        if inserted is None:
            self._known[protocol.key] = out
        return out


def draw_person(kind: str, seed: int, *, voxel: float = 4.0) -> Person:
    """Draw a person.

    Args:
        kind: ``body`` or ``brain``.
        seed: Chooses anatomy, kinetics, blood, weight and dose.
        voxel: Voxel edge [mm].

    Raises:
        UsageError: If the kind is unknown.
    """
    if kind not in ANATOMIES:
        raise UsageError(f"study of {kind!r}", f"expected {' or '.join(ANATOMIES)}")
    phantom = make_anatomy(kind, seed, voxel=voxel)
    weight, dose = draw_dose("FDG", seed)
    weight, dose = round(weight, 1), float(round(dose))
    per_suv = dose / (1000.0 * weight)
    rng = generator(seed, item=0, draw=_DRAW)
    return Person(
        kind=kind,
        seed=seed,
        phantom=phantom,
        regions=organ_kinetics(phantom.names.values(), seed),
        blood=draw_blood(FDG_ORGANS.blood, per_suv, LAST, rng),
        weight=weight,
        dose=dose,
        half_life=FDG_ORGANS.tracer.half_life,
    )


def cut(image: np.ndarray, low: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    """Return a box of an image, 0 beyond the image.

    Args:
        image: Shape (X, Y, Z).
        low: First voxel of the box; may lie outside.
        shape: Of the box.
    """
    out = np.zeros(tuple(shape), image.dtype)
    here, there = _overlap(image.shape, low, shape)
    out[there] = image[here]
    return out


def paste(image: np.ndarray, low: Sequence[int], box: np.ndarray) -> None:
    """Put a box into an image, as far as it lies inside."""
    here, there = _overlap(image.shape, low, box.shape)
    image[here] = box[there]


def _overlap(
    size: Sequence[int], low: Sequence[int], shape: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    first = [max(int(a), 0) for a in low]
    last = [min(int(a) + s, n) for a, s, n in zip(low, shape, size, strict=True)]
    last = [max(a, b) for a, b in zip(first, last, strict=True)]
    here = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    there = tuple(slice(a - int(o), b - int(o)) for a, b, o in zip(first, last, low, strict=True))
    return here, there
