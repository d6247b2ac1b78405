"""What a prior is trained on, with what network, and for how long."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

from betaplus.core.errors import UsageError
from betaplus.pipeline.training.settings_file import read_settings

__all__ = ["COARSE", "PAIRS", "PRIORS", "SEEN", "SHARP", "PriorPlan", "read_plan"]


def _one_of(name: str, value: object, known: tuple[object, ...]) -> None:
    _require(value in known, name, value, " or ".join(map(str, known)))


def _require(right: bool, name: str, found: object, expected: str) -> None:
    if not right:
        raise UsageError(f"training setting {name} is {found}", f"expected {expected}")


@dataclass(frozen=True, kw_only=True)
class PriorPlan:
    """Settings of a prior.

    Attributes:
        name: Of the bundle.
        start: Name of the prior whose weights training starts from, of the same network; empty for
            none.
        maps: ``static`` images, or ``patlak``: pairs of Ki and V0, each as its part of the last
            frame [SUV] (`betaplus.patlak.problem`).
        anatomy: ``brain`` or ``body``: what is simulated; for pairs also ``both``, every fourth
            person a head.
        dimensions: 2 for slices in the three orthogonal orientations, 3 for patches.
        unit: ``uptake`` divides a volume by its uptake level (`betaplus.generative.image_prior`),
            ``SUV`` takes it as it is.
        voxel: Edge of a voxel [mm]; of heads among bodies 3/4 of it.
        edge: Of a slice or patch [voxels].
        slab: Slices side by side that are cleaned together; an odd number, 1 for slices alone.
        across: Axes across which slices are cut, each as often as it is named.
        sees: Images of OSEM that the network is shown beside x, of a simulated scan of the head:
            after one pass, smoothed, and after each pass as it is; 0 for none.
        around: Slices of each of those; an odd number.
        scanner: Size of that scan, as `betaplus simulate raw` knows it: ``small`` (teaching
            scanner) or ``full`` (mMR).
        lesions: Hot or cold balls in an activity at most.
        holds: Names of scanners that it may be used for, since it was tried with them; empty for
            that one alone.
        sd: Standard deviation of the images, in their unit.
        reach: Of its local value (`betaplus.generative.image_denoiser`) [voxels]; 0 for none.
        tracers: Simulated tracers, each as often as it is named.
        people: Simulated anatomies; one in 12 is for validation.
        finer: Sub-voxels along an edge that vote for the label of a head's voxel; 1 is fastest.
        averaged: Voxels of the simulation along an edge of one of the prior's, which is their mean:
            above 1 tissues share voxels, as in a scanner.
        counted: Share of the people that are heads as `betaplus.simulation.raw` counts them, with
            kinetics of their own, 40 to 60 minutes after injection.
        paints: Simulated scans of each, of different tracers and uptakes.
        sharpest: Smallest width of the resolution of an image [mm].
        bluntest: Largest.
        softened: Share of slices or patches that are smoothed further in training; of pairs, share
            whose resolution lies between `bluntest` and `softest`.
        softest: Largest width of that smoothing [mm].
        pool: Edge of the blocks that are averaged into one voxel, after all that, for a prior of
            what is coarse; 1 for none.
        sigma_mean: Of the logarithm of the noise levels that are trained.
        sigma_sd: Standard deviation of that logarithm.
        sigma_uniform: Share of the levels that is spread evenly in the logarithm over all of them.
        sigma_low: Smallest level.
        sigma_high: Largest.
        widths: Channels of the network's levels.
        blocks: Residual blocks of a level.
        stem: Edge of the blocks of voxels that enter the network as channels of one.
        batch: Slices or patches of a step.
        steps: Steps of training.
        minutes: Minutes of training at most; 0 for no bound.
        learning_rate: Its largest value.
        bf16: Whether training computes in bfloat16.
        version: Of the bundle.
    """

    name: str = "brain2d"
    start: str = ""
    maps: str = "static"
    anatomy: str = "brain"
    dimensions: int = 2
    unit: str = "uptake"
    voxel: float = 2.0
    edge: int = 128
    slab: int = 1
    across: tuple[int, ...] = (0, 1, 2)
    sees: int = 0
    around: int = 1
    scanner: str = "small"
    lesions: int = 0
    holds: tuple[str, ...] = ()
    sd: float = 0.5
    reach: int = 0
    tracers: tuple[str, ...] = ("FDG", "FDG", "DPA-714", "amyloid", "FMZ", "raclopride")
    people: int = 132
    finer: int = 2
    averaged: int = 1
    counted: float = 0.0
    paints: int = 6
    sharpest: float = 2.5
    bluntest: float = 8.0
    softened: float = 0.25
    softest: float = 12.0
    pool: int = 1
    sigma_mean: float = -1.0
    sigma_sd: float = 1.2
    sigma_uniform: float = 0.2
    sigma_low: float = 0.005
    sigma_high: float = 80.0
    widths: tuple[int, ...] = (32, 64, 96, 128)
    blocks: int = 2
    stem: int = 2
    batch: int = 2
    steps: int = 36_000
    minutes: float = 0.0
    learning_rate: float = 1e-3
    bf16: bool = True
    version: int = 1

    def __post_init__(self) -> None:
        for name in ("tracers", "widths", "across", "holds"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        _one_of("maps", self.maps, ("static", "patlak"))
        mixed = ("both",) if self.maps == "patlak" else ()
        _one_of("anatomy", self.anatomy, ("brain", "body", *mixed))
        _one_of("dimensions", self.dimensions, (2, 3))
        _one_of("unit", self.unit, ("uptake", "SUV"))
        for name in (
            "edge",
            "paints",
            "finer",
            "averaged",
            "pool",
            "blocks",
            "stem",
            "batch",
            "steps",
            "version",
        ):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        _require(self.slab >= 1 and self.slab % 2 == 1, "slab", self.slab, "an odd number")
        _require(self.slab == 1 or (self.dimensions == 2 and self.pool == 1), "slab", self.slab,
                 "1 but for slices")  # fmt: skip
        _require(self.around >= 1 and self.around % 2 == 1, "around", self.around, "an odd number")
        _one_of("scanner", self.scanner, ("small", "full"))
        alone = self.dimensions == 2 and self.slab == self.pool == 1 and self.anatomy == "brain"
        _require(self.sees == 0 or (self.sees >= 2 and alone), "sees", self.sees,
                 "0, or 2 or more for slices of heads")  # fmt: skip
        _require(set(self.across) <= {0, 1, 2} and bool(self.across), "across", self.across,
                 "numbers 0 to 2")  # fmt: skip
        _require(self.reach == 0 or self.reach % 2 == 1, "reach", self.reach, "0 or an odd number")
        _require(self.lesions >= 0, "lesions", self.lesions, "0 or more")
        _require(self.people >= 2, "people", self.people, "2 or more")
        for name in ("voxel", "sd", "sharpest", "learning_rate", "sigma_sd", "sigma_low"):
            value = getattr(self, name)
            _require(0 < value < math.inf, name, value, "a number above 0")
        _require(self.bluntest >= self.sharpest, "bluntest", self.bluntest, "at least sharpest")
        _require(
            self.sigma_low < self.sigma_high < math.inf,
            "sigma_high", self.sigma_high, "above sigma_low",
        )  # fmt: skip
        for name in ("softened", "sigma_uniform", "counted"):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0 to 1")
        _require(self.softest >= self.voxel, "softest", self.softest, "at least a voxel")
        _require(0 <= self.minutes < math.inf, "minutes", self.minutes, "0 or more")
        _require(bool(self.tracers), "tracers", self.tracers, "at least one")
        if self.maps == "patlak" or self.anatomy != "brain":
            _require(not self.counted, "counted", self.counted, "0 but for images of heads")
        _require(bool(self.widths) and min(self.widths) >= 1, "widths", self.widths, "1 or more")
        multiple = self.pool * self.stem * 2 ** (len(self.widths) - 1)
        _require(self.edge % multiple == 0, "edge", self.edge, f"a multiple of {multiple}")
        if self.maps == "patlak":
            self._check_pairs()

    def _check_pairs(self) -> None:
        for name, right in (("dimensions", 3), ("unit", "SUV"), ("pool", 1), ("tracers", ("FDG",))):
            found = getattr(self, name)
            _require(found == right, name, found, f"{right} for pairs of maps")
        _require(self.softest >= self.bluntest, "softest", self.softest, "at least bluntest")

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the images that are learned together; empty for one."""
        return ("u_1", "u_2") if self.maps == "patlak" else ()

    def within(self, minutes: float | None) -> PriorPlan:
        """Return the same, bounded to some minutes of training."""
        return self if minutes is None else dataclasses.replace(self, minutes=minutes)


PRIORS = {
    "brain2d": PriorPlan(
        sigma_mean=-0.4,
        sigma_sd=1.5,
        sigma_uniform=0.3,
        widths=(32, 64, 96, 128, 160),
        steps=80_000,
        version=2,
    ),
    "body3d": PriorPlan(
        name="body3d",
        anatomy="body",
        dimensions=3,
        unit="SUV",
        voxel=4.0,
        edge=32,
        sd=0.5,
        reach=5,
        tracers=("FDG", "FDG", "FDG", "PSMA", "DOTATATE", "DPA-714"),
        people=128,
        paints=4,
        sharpest=4.0,
        bluntest=8.0,
        softest=14.0,
        sigma_mean=-0.7,
        sigma_sd=1.4,
        sigma_uniform=0.25,
        widths=(48, 96, 136),
        blocks=1,
        steps=52_000,
        learning_rate=5e-4,  # at 1e-3 this width ended in a network of zeros
        version=2,
    ),
}
"""The priors that ship, by name."""

SHARP = {
    "brain2d": dataclasses.replace(
        PRIORS["brain2d"],
        name="brain2d-sharp",
        slab=5,
        across=(0, 1, 2, 2, 2, 2),
        tracers=("FDG", "FDG", "FDG", "DPA-714", "amyloid", "FMZ", "raclopride"),
        people=144,
        finer=1,
        averaged=2,
        counted=0.7,
        sharpest=0.5,
        bluntest=3.0,
        softened=0.1,
        softest=6.0,
        sigma_mean=-0.7,
        sigma_sd=1.0,
        sigma_uniform=0.15,
        widths=(28, 48, 72, 96),
        blocks=1,
        batch=12,
        steps=30_000,
        learning_rate=1e-3,
        version=1,
    ),
}
"""For models of counts that hold the scanner's resolution, by the name of the prior: its weights,
trained on with images as sharp as the voxels."""

SEEN = {
    "brain2d": dataclasses.replace(
        PRIORS["brain2d"],
        name="brain2d-osem",
        across=(2,),
        sees=3,
        around=5,
        lesions=6,
        holds=("teaching", "mMR"),
        edge=96,
        tracers=("FDG", "FDG", "FDG", "DPA-714", "amyloid", "FMZ", "raclopride"),
        people=60,
        paints=4,
        sigma_mean=-0.5,
        sigma_sd=1.1,
        sigma_uniform=0.25,
        sigma_low=0.02,
        sigma_high=40.0,
        widths=(32, 64, 96, 128),
        blocks=1,
        batch=12,
        steps=30_000,
        version=1,
    ),
}
"""For reconstruction: shown OSEM of the same counts beside the noisy image, by the name of the
prior."""

COARSE = {
    "brain2d": dataclasses.replace(
        PRIORS["brain2d"],
        name="brain2d-coarse",
        pool=4,
        stem=1,
        sigma_mean=0.0,
        sigma_sd=1.2,
        sigma_uniform=0.2,
        widths=(64, 96, 128),
        steps=36_000,
        batch=8,
        version=1,
    ),
}
"""What guides draws from noise alone where the noise is large, by the name of the prior."""

PAIRS = {
    "patlak3d": dataclasses.replace(
        PRIORS["body3d"],
        name="patlak3d",
        maps="patlak",
        anatomy="both",
        tracers=("FDG",),
        people=120,
        paints=1,
        softened=0.2,
        sigma_mean=-1.3,
        sigma_sd=1.2,
        sigma_uniform=0.2,
        sigma_low=0.01,
        sigma_high=20.0,
        steps=60_000,
        version=1,
    ),
}
"""Priors of pairs of maps, by name."""


def read_plan(name: str, path: Path | None) -> PriorPlan:
    """Return a prior's settings, with those in a TOML file put in their place.

    Args:
        name: Of a prior in `PRIORS`, `SHARP`, `SEEN`, `COARSE` or `PAIRS`, from which the file
            departs.
        path: TOML with fields of `PriorPlan`; None for none.

    Raises:
        UsageError: If there is no prior of that name, or a value is out of range.
        InputError: If the file cannot be read, or a field is unknown or of the wrong type.
    """
    more = (*SHARP.values(), *SEEN.values(), *COARSE.values())
    known = PRIORS | {plan.name: plan for plan in more} | PAIRS
    if name not in known:
        raise UsageError(f"prior {name!r} is unknown", f"expected one of {', '.join(known)}")
    return read_settings(known[name], path)
