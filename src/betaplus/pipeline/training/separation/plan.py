"""What the network of `inn` is trained on, with what size, and for how long."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from betaplus.core.errors import UsageError
from betaplus.simulation.dual_study import dual_protocol
from betaplus.simulation.dual_study.schedule import find_schedule

__all__ = ["SeparationPlan", "split_pair"]


@dataclass(frozen=True, kw_only=True)
class SeparationPlan:
    """Settings of the training.

    Attributes:
        pairs: Tracers of a scan, such as ``FMZ,FDG``, each as often as it is named; the first is
            validated, in the order in which it is written.
        either_order: Whether they are injected in either order.
        delay: Range of the second injection after the first [min].
        together: Share of the scans with both injected at once.
        after: Range of the time after the second injection [min].
        dose: Range of each injected activity over that of the tracer's profile.
        level: Range of the noise level (`betaplus.simulation.dual_study.DualProtocol`).
        counts: Range of the share of counts of an item of a scan.
        schedules: Names of frames, each as often as it is named.
        resolution: Range of the scanner's resolution [mm].
        noise_fwhm: Range of the width of the noise [mm].
        voxels: Edges of voxels of people, in turn [mm].
        population: Share of the scans whose blood is not known.
        told: Standard deviation of the logarithm by which the noise is told wrong, in size and, at
            half of it, in width.
        people: Simulated heads.
        scans: Different scans in all, which are kept in memory and used again, mirrored by chance;
            0 draws every one afresh.
        subjects: People whose curves make the space of a tracer's curves.
        first: Coefficients of the tracer that is injected first.
        second: Of the other.
        couplings: Of the network.
        looks: Images that it makes of what it is shown (`SeparationSize`).
        widths: Channels of its levels.
        blocks: Residual blocks of a level.
        clamp: The largest |log scale| of a coupling; 0 for couplings that only add, which change
            what is well known no more than what is not.
        conditional: Whether the network is told of the scan at all; if not, it sees the
            coefficients that it starts from and nothing else, and knows one protocol.
        images: Whether it is shown the condition images; if not, numbers alone.
        kinetics: Whether it starts from tissues that were found by their kinetics
            (`betaplus.separation.tissue_fit.TissueFit`).
        edge: Of what is learned from [voxels].
        studies: Scans of a step.
        boxes: Parts of a scan.
        noises: Items of a part, each with noise of its own.
        inverse: Weight of the way back from the truth.
        mixing: Weight of the mixture's errors.
        steps: Steps of training.
        minutes: Minutes of training at most; 0 for no bound.
        learning_rate: Its largest value.
        warmup: Steps in which it rises to that.
        validate_every: Steps between validations.
        held: Held-out scans at each delay.
        bf16: Whether training computes in bfloat16.
        version: Of the bundle.
    """

    pairs: tuple[str, ...] = ("FMZ,FDG", "FMZ,FDG", "FDG,PBR28", "FDG,MET", "FDG,DTBZ")
    either_order: bool = True
    delay: tuple[float, ...] = (0.0, 40.0)
    together: float = 0.1
    after: tuple[float, ...] = (50.0, 65.0)
    dose: tuple[float, ...] = (0.5, 2.0)
    level: tuple[float, ...] = (2.9, 20.0)
    counts: tuple[float, ...] = (0.5, 2.0)
    schedules: tuple[str, ...] = ("18", "18", "12", "28")
    resolution: tuple[float, ...] = (4.0, 6.0)
    noise_fwhm: tuple[float, ...] = (4.0, 6.5)
    voxels: tuple[float, ...] = (2.5, 2.0, 2.5, 3.0)
    population: float = 0.2
    told: float = 0.1
    people: int = 96
    scans: int = 0
    subjects: int = 150
    first: int = 6
    second: int = 6
    couplings: int = 1
    looks: int = 4
    widths: tuple[int, ...] = (24, 48)
    blocks: int = 1
    clamp: float = 0.0
    conditional: bool = True
    images: bool = True
    kinetics: bool = False
    edge: int = 40
    studies: int = 4
    boxes: int = 1
    noises: int = 1
    inverse: float = 0.0
    mixing: float = 0.0
    steps: int = 20_000
    minutes: float = 40.0
    learning_rate: float = 4e-3
    warmup: int = 200
    validate_every: int = 200
    held: int = 2
    bf16: bool = True
    version: int = 1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if isinstance(field.default, tuple):
                object.__setattr__(self, field.name, tuple(getattr(self, field.name)))
        whole = ("people", "subjects", "first", "second", "couplings", "blocks", "edge", "studies")
        more = ("boxes", "noises", "steps", "validate_every", "held", "version")
        for name in (*whole, *more):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("together", "population"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0 to 1")
        for name in ("scans", "looks", "told", "clamp", "inverse", "mixing", "minutes", "warmup"):
            value = getattr(self, name)
            require(0 <= value < math.inf, name, value, "0 or more")
        require(0 < self.learning_rate < math.inf, "learning_rate", self.learning_rate, "above 0")
        for name in ("delay", "after", "dose", "level", "counts", "resolution", "noise_fwhm"):
            value = getattr(self, name)
            right = len(value) == 2 and 0 <= value[0] <= value[1] < math.inf
            require(right, name, value, "a lowest and a highest value from 0 up")
        for name in ("pairs", "schedules", "voxels", "widths"):
            require(bool(getattr(self, name)), name, getattr(self, name), "at least one")
        require(min(self.voxels) > 0, "voxels", self.voxels, "edges above 0")
        require(min(self.widths) >= 1, "widths", self.widths, "1 or more")
        multiple = 2 ** len(self.widths)
        require(self.edge % multiple == 0, "edge", self.edge, f"a multiple of {multiple}")
        for name in self.schedules:
            find_schedule(name)
        for pair in self.pairs:
            dual_protocol(*split_pair(pair))

    @property
    def items(self) -> int:
        """Items of a step."""
        return self.studies * self.of_study

    @property
    def of_study(self) -> int:
        """Items of a scan."""
        return self.boxes * self.noises

    def within(self, minutes: float | None) -> SeparationPlan:
        """Return the same, bounded to some minutes of training."""
        return self if minutes is None else dataclasses.replace(self, minutes=minutes)

    def of_pairs(self, pairs: tuple[str, ...]) -> SeparationPlan:
        """Return the same for other pairs, if any are given."""
        return dataclasses.replace(self, pairs=pairs) if pairs else self


def split_pair(pair: str) -> tuple[str, str]:
    """Return the tracers of ``A,B``.

    Raises:
        UsageError: If these are not two different names.
    """
    names = [name.strip() for name in pair.split(",")]
    if len(names) != 2 or not all(names) or names[0].lower() == names[1].lower():
        raise UsageError(f"pair {pair!r}", "expected two tracers, such as FMZ,FDG")
    return names[0], names[1]


def require(right: bool, name: str, found: object, expected: str) -> None:
    """Refuse a setting.

    Raises:
        UsageError: If it is not right.
    """
    if not right:
        raise UsageError(f"training setting {name} is {found}", f"expected {expected}")
