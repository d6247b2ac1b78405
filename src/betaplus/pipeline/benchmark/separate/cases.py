"""Simulated scans of two tracers as `betaplus separate` sees them, and the truth.

A case goes the way of the verb, by `betaplus.separation.study.make_study`, from an image in memory
in place of a file: the noise is that which the scan itself shows. Blood and its arrival are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from betaplus.core.image import PetImage
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.io.derivatives import bids_label
from betaplus.separation.study import Study, make_study
from betaplus.separation.study_tracers import StudyTracer
from betaplus.simulation.dual_study import (
    FIRST_TEST,
    FIRST_TUNING,
    STANDARD,
    DualPerson,
    DualProtocol,
    DualStudy,
    Population,
    draw_dual_person,
    draw_dual_study,
    dual_protocol,
    shifted,
)
from betaplus.simulation.dual_study.noise import noise_fields

__all__ = [
    "PAIRS",
    "Case",
    "Scene",
    "Subject",
    "alone_frames",
    "draw_subject",
    "make_case",
    "person_of",
    "scan_of",
]

PAIRS = {"FMZ+FDG": ("FMZ", "FDG"), "FDG+PBR28": ("FDG", "PBR28")}
"""Name to tracers, that injected first before the other."""

_ALONE = 500_000  # number of the first draw of a scan with one tracer
_LEAST = 1e-3  # of the variance of a frame: what one tracer alone has at least


@dataclass(frozen=True, kw_only=True)
class Scene:
    """How is scanned, and whom.

    Attributes:
        pair: Of `PAIRS`.
        delay: Second injection after the first [min].
        counts: Share of the standard counts.
        shift: Name in `betaplus.simulation.dual_study.SHIFTS`; "" is none.
    """

    pair: str = "FMZ+FDG"
    delay: float = 20.0
    counts: float = 1.0
    shift: str = ""

    @property
    def name(self) -> str:
        """As ``FMZ+FDG_20min_1of4``."""
        shift = f"_{self.shift}" if self.shift else ""
        return f"{self.pair}_{self.delay:g}min_1of{1 / self.counts:g}{shift}"

    def made(self) -> tuple[DualProtocol, Population]:
        """Return the protocol and the population."""
        protocol = dual_protocol(
            *PAIRS[self.pair], self.delay * SECONDS_PER_MINUTE, counts=self.counts
        )
        return shifted(self.shift, protocol) if self.shift else (protocol, STANDARD)

    def as_dict(self) -> dict[str, str | float]:
        """Return what JSON knows."""
        return {
            "pair": self.pair, "delay": self.delay, "counts": self.counts, "shift": self.shift,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A person of the benchmark.

    Attributes:
        number: From 0 on, among those of its purpose.
        tuning: Whether settings are chosen on it; else it is judged.
    """

    number: int
    tuning: bool = False

    @property
    def name(self) -> str:
        """As ``head0``, or ``tune-head0``."""
        return f"{'tune-' * self.tuning}head{self.number}"

    @property
    def seed(self) -> int:
        """Of person and noise."""
        return (FIRST_TUNING if self.tuning else FIRST_TEST) + self.number


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A scan with one draw of noise.

    Attributes:
        simulated: The simulation, which knows the truth.
        study: What the verb makes of its frames.
        draw: Number of the noise.
    """

    simulated: DualStudy
    study: Study
    draw: int


@lru_cache(maxsize=2)
def person_of(seed: int, population: Population) -> DualPerson:
    """Return a person; the last ones are kept."""
    return draw_dual_person(seed, population)


def draw_subject(scene: Scene, subject: Subject, shape: tuple[int, int, int]) -> DualStudy:
    """Simulate a scan: one box of a person, the same for all delays and counts.

    Args:
        scene: How is scanned, and whom.
        subject: Who.
        shape: Of the box.
    """
    protocol, population = scene.made()
    person = person_of(subject.seed, population)
    return draw_dual_study(person, protocol, item=0, shape=shape)


def scan_of(simulated: DualStudy, mixture: np.ndarray) -> Study:
    """Return frames of a simulated scan as the verb makes them ready.

    Args:
        simulated: The scan.
        mixture: Its frames, not decay-corrected, shape (X, Y, Z, T) [Bq/mL].
    """
    image = PetImage(data=mixture, affine=simulated.affine, unit="Bq/mL", frames=simulated.frames)
    one, two = (
        StudyTracer(label=bids_label(p.tracer.name), tracer=p.tracer, profile=p)
        for p in simulated.protocol.tracers
    )
    return make_study(
        image,
        (one, two),
        simulated.protocol.delay,
        blood=simulated.blood,
        arrivals=simulated.arrivals,
        mask=simulated.head,
    )


def make_case(simulated: DualStudy, draw: int = 0) -> Case:
    """Return a scan with noise as methods see it."""
    return Case(
        simulated=simulated, study=scan_of(simulated, simulated.mixture(1.0, draw)), draw=draw
    )


def alone_frames(simulated: DualStudy, index: int, draw: int = 0) -> np.ndarray:
    """Return a scan with one tracer alone, decay-corrected to its injection and 0 before it.

    Frames and scanner are the same; the noise is that of the tracer's own activity.

    Args:
        simulated: The scan.
        index: Which tracer.
        draw: Number of the noise.

    Returns:
        Shape (X, Y, Z, T) float32 [Bq/mL].
    """
    protocol, other = simulated.protocol, 1 - index
    gain = protocol.level**2 * SECONDS_PER_MINUTE / simulated.frames.duration
    theirs = protocol.local * gain * simulated.decay[other]
    variance = simulated.variance - simulated.x[other] * theirs.astype(np.float32)
    variance = np.maximum(variance, np.float32(_LEAST) * simulated.variance)
    noise = noise_fields(
        simulated.shape, simulated.voxel, len(simulated.frames), protocol.noise_fwhm,
        simulated.person.seed, simulated.item, _ALONE + 2 * draw + index,
    )  # fmt: skip
    noise *= np.sqrt(variance / np.float32(protocol.counts))
    d = simulated.decay[index]
    over = np.where(d > 0, 1.0 / np.where(d > 0, d, 1.0), 0.0).astype(np.float32)
    return np.asarray(simulated.x[index] + noise * over)
