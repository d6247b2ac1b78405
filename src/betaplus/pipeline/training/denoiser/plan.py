"""What the denoiser is trained on, with what network, and for how long."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from betaplus.core.errors import UsageError

__all__ = ["DenoiserPlan"]


@dataclass(frozen=True, kw_only=True)
class DenoiserPlan:
    """Settings of the denoiser.

    Attributes:
        voxel: Edge of a voxel [mm].
        tracers: Simulated tracers, each as often as it is named.
        people: Simulated bodies; one in 12 is for validation.
        paints: Simulated tracers in each.
        boxes: Parts of each, every one seen by a scanner of its own.
        box: Edge of such a part [voxels].
        margin: Of the part around what is learned from, in which local levels are averaged
            [voxels].
        edge: Of what is learned from [voxels].
        sigma_mean: Of the logarithm of the noise levels that draws are trained at.
        sigma_sd: Its standard deviation.
        widths: Channels of the network's levels.
        blocks: Residual blocks of a level.
        batch: Items of a step.
        steps: Steps of training.
        minutes: Minutes of training at most; 0 for no bound.
        learning_rate: Its largest value.
        bf16: Whether training computes in bfloat16.
        version: Of the bundle.
    """

    voxel: float = 3.0
    tracers: tuple[str, ...] = ("FDG", "FDG", "PSMA", "DPA-714")
    people: int = 60
    paints: int = 3
    boxes: int = 8
    box: int = 72
    margin: int = 4
    edge: int = 40
    sigma_mean: float = -0.2
    sigma_sd: float = 1.2
    widths: tuple[int, ...] = (48, 96, 144)
    blocks: int = 1
    batch: int = 2
    steps: int = 20_000
    minutes: float = 0.0
    learning_rate: float = 8e-4
    bf16: bool = True
    version: int = 2

    def __post_init__(self) -> None:
        for name in ("tracers", "widths"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("paints", "boxes", "edge", "batch", "steps", "blocks", "version"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        _require(self.people >= 2, "people", self.people, "2 or more")
        for name in ("voxel", "sigma_sd", "learning_rate"):
            value = getattr(self, name)
            _require(0 < value < math.inf, name, value, "a number above 0")
        _require(0 <= self.minutes < math.inf, "minutes", self.minutes, "0 or more")
        _require(bool(self.tracers), "tracers", self.tracers, "at least one")
        _require(bool(self.widths) and min(self.widths) >= 1, "widths", self.widths, "1 or more")
        multiple = 2 ** len(self.widths)
        _require(self.edge % multiple == 0, "edge", self.edge, f"a multiple of {multiple}")
        least = self.edge + 2 * self.margin
        _require(self.box >= least, "box", self.box, f"{least} or more: edge and two margins")

    @property
    def coarsest(self) -> float:
        """Edge of the largest voxels that items have [mm]."""
        return self.voxel * self.box / (self.edge + 2 * self.margin)

    def within(self, minutes: float | None) -> DenoiserPlan:
        """Return the same, bounded to some minutes of training."""
        return self if minutes is None else dataclasses.replace(self, minutes=minutes)


def _require(right: bool, name: str, found: object, expected: str) -> None:
    if not right:
        raise UsageError(f"training setting {name} is {found}", f"expected {expected}")
