"""Simulated studies as `betaplus patlak` sees them: frames at a dose, sums, and the truth.

A case goes the way of the verb, by `betaplus.patlak.study.make_study`, from an image in memory in
place of a file: t* is that of the protocol, the mask is what is not zero, the weights follow the
mean curve, and 1 SUV comes from dose and weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.bed_times import BedTimes
from betaplus.core.image import PetImage
from betaplus.patlak.problem import PatlakProblem
from betaplus.patlak.study import Study, make_study
from betaplus.simulation.dataset import pet_fields
from betaplus.simulation.dynamic_study.kinetics import FDG_ORGANS
from betaplus.simulation.dynamic_study.study import (
    FIRST_TEST,
    FIRST_TUNING,
    PatlakStudy,
    draw_patlak_study,
)

__all__ = [
    "DOSES",
    "KINDS",
    "Case",
    "Subject",
    "draw_subject",
    "make_case",
    "pet_image",
    "problem_of",
    "true_u",
]

DOSES = (1.0, 1 / 2, 1 / 4, 1 / 10, 1 / 20)
"""Shares of the counts that are judged."""

KINDS = {"body": "body", "head": "brain"}
"""Name of an anatomy to what the simulation calls it."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A person of the benchmark.

    Attributes:
        anatomy: ``body`` or ``head``.
        number: Of the person, from 0 on, among those of its anatomy and purpose.
        tuning: Whether settings are chosen on it; else it is judged.
        protocol: Of the scan, ``dynamic`` or ``passes``.
    """

    anatomy: str
    number: int
    tuning: bool = False
    protocol: str = "dynamic"

    @property
    def name(self) -> str:
        """As ``body0``, or ``tune-head0``."""
        return f"{'tune-' * self.tuning}{self.anatomy}{self.number}"

    @property
    def seed(self) -> int:
        """Of person and noise."""
        first = FIRST_TUNING if self.tuning else FIRST_TEST
        return first[KINDS[self.anatomy]] + self.number


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A study at a dose.

    Attributes:
        simulated: The simulation, which knows the truth.
        study: What the verb makes of its frames.
        dose: Share of the counts.
        draw: Number of the noise.
        truth: u without noise, shape (2, X, Y, Z) float32 [SUV]: what methods are scored against.
        body: Where the person is, shape (X, Y, Z) bool.
    """

    simulated: PatlakStudy
    study: Study
    dose: float
    draw: int
    truth: np.ndarray
    body: np.ndarray

    @property
    def problem(self) -> PatlakProblem:
        """Sufficient statistics [SUV]."""
        return self.study.problem


def draw_subject(
    subject: Subject, *, shape: Sequence[int] = (96, 96, 96), voxel: float = 4.0
) -> PatlakStudy:
    """Simulate a person's study, frames from t* on.

    Args:
        subject: Who, and how scanned.
        shape: Of the images.
        voxel: Edge [mm].
    """
    return draw_patlak_study(
        KINDS[subject.anatomy], subject.seed, voxel=voxel, shape=shape, protocol=subject.protocol
    )


def pet_image(simulated: PatlakStudy, frames: np.ndarray) -> PetImage:
    """Return frames as the image that a PET-BIDS file of them would give.

    Args:
        simulated: The study.
        frames: Shape (X, Y, Z, T) [SUV].
    """
    person = simulated.person
    return PetImage(
        data=np.asarray(frames, np.float32) * np.float32(simulated.per_suv),
        affine=simulated.affine,
        unit="Bq/mL",
        frames=simulated.protocol.timing(int(simulated.beds[0])),
        tracer=FDG_ORGANS.tracer,
        decay_corrected_to=0.0,
        metadata={
            **pet_fields(FDG_ORGANS),
            "BodyPart": "HEAD" if person.kind == "brain" else "BODY",
            "BodyWeight": person.weight,
            "InjectedRadioactivity": person.dose,
        },
    )


def make_case(
    simulated: PatlakStudy,
    dose: float = 1.0,
    draw: int = 0,
    *,
    weighted: bool = True,
    frames: np.ndarray | None = None,
) -> Case:
    """Return a study at a dose as methods see it.

    Args:
        simulated: The study.
        dose: Share of the counts, in (0, 1].
        draw: Number of the noise; one draw is one noise at any dose.
        weighted: Whether frames weigh by their counts; `ls` wants them all alike.
        frames: The frames, where they are there already, shape (X, Y, Z, T) [SUV].
    """
    if frames is None:
        frames = simulated.frames(dose, draw)
    several = len(np.unique(simulated.beds)) > 1
    study = make_study(
        pet_image(simulated, frames),
        simulated.blood,
        t_star=float(simulated.start.min()) if several else simulated.protocol.t_star,
        weighted=weighted,
        bed_times=BedTimes(simulated.start, simulated.duration) if several else None,
    )
    return Case(
        simulated=simulated,
        study=study,
        dose=dose,
        draw=draw,
        truth=true_u(simulated, study.problem),
        body=simulated.body,
    )


def problem_of(simulated: PatlakStudy, dose: float = 1.0, draw: int = 0) -> PatlakProblem:
    """Return the sufficient statistics of a study at a dose; see `make_case`."""
    return make_case(simulated, dose, draw).problem


def true_u(simulated: PatlakStudy, problem: PatlakProblem) -> np.ndarray:
    """Return u_1 and u_2 of frames without noise, shape (2, X, Y, Z) float32 [SUV]."""
    scale = problem.scale.numpy()
    return np.stack(
        [(m / s).astype(np.float32) for m, s in zip(simulated.noise_free, scale, strict=True)]
    )
