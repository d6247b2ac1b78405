"""What the networks of sequences are trained on: `inn-published`, `ced` and `cnn3d`."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from betaplus.pipeline.training.separation.plan import require, split_pair

__all__ = ["SlicePlan"]


@dataclass(frozen=True, kw_only=True)
class SlicePlan:
    """Settings of the training, for one protocol.

    Attributes:
        pair: Tracers such as ``FMZ,FDG``, the first injected first.
        delay: Second injection after the first [min].
        after: Time after the second injection [min].
        schedule: Name of the frames.
        level: Range of the noise level (`betaplus.simulation.dual_study.DualProtocol`).
        people: Simulated heads.
        scans: Different scans in all, which are kept in memory and used again, mirrored by chance;
            0 draws every one afresh.
        field: Edge of a simulated slice [voxels].
        edge: Of the part of a slice that is learned from [voxels].
        batch: Slices of a step, of one head where they are simulated.
        weight: Of the way forward of `inn-published`; the way back has 1.
        blocks: Of `inn-published`.
        growth: Images that a convolution of its dense blocks adds.
        widths: Channels of the levels of `ced`.
        width: Channels of `cnn3d`.
        layers: Convolutions of `cnn3d`.
        steps: Steps of training.
        minutes: Minutes of training at most; 0 for no bound.
        learning_rate: Its largest value. (The paper's 1e-4 is for more steps.)
        warmup: Steps in which it rises to that.
        validate_every: Steps between validations.
        held: Held-out slices.
        bf16: Whether training computes in bfloat16.
        version: Of the bundle.
    """

    pair: str = "FMZ,FDG"
    delay: float = 20.0
    after: float = 60.0
    schedule: str = "18"
    level: tuple[float, ...] = (2.9, 20.0)
    people: int = 96
    scans: int = 0
    field: int = 128
    edge: int = 64
    batch: int = 4
    weight: float = 1.0
    blocks: int = 8
    growth: int = 32
    widths: tuple[int, ...] = (48, 96, 160, 160)
    width: int = 24
    layers: int = 6
    steps: int = 20_000
    minutes: float = 40.0
    learning_rate: float = 5e-4
    warmup: int = 100
    validate_every: int = 100
    held: int = 4
    bf16: bool = True
    version: int = 1

    def __post_init__(self) -> None:
        for name in ("level", "widths"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        whole = ("people", "field", "edge", "batch", "blocks", "growth", "width", "steps")
        for name in (*whole, "validate_every", "held", "version"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("scans", "delay", "minutes", "warmup", "weight"):
            value = getattr(self, name)
            require(0 <= value < math.inf, name, value, "0 or more")
        for name in ("after", "learning_rate"):
            value = getattr(self, name)
            require(0 < value < math.inf, name, value, "a number above 0")
        right = len(self.level) == 2 and 0 < self.level[0] <= self.level[1] < math.inf
        require(right, "level", self.level, "a lowest and a highest value above 0")
        right = bool(self.widths) and min(self.widths) >= 1
        require(right, "widths", self.widths, "1 or more")
        require(self.layers >= 2, "layers", self.layers, "2 or more")
        split_pair(self.pair)

    def within(self, minutes: float | None) -> SlicePlan:
        """Return the same, bounded to some minutes of training."""
        return self if minutes is None else dataclasses.replace(self, minutes=minutes)
