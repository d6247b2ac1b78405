"""How the denoiser is fine-tuned on a user's own scans."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from betaplus.core.errors import UsageError

__all__ = ["OwnPlan"]

_STEM = 8  # edges that networks of up to three levels divide by two


@dataclass(frozen=True, kw_only=True)
class OwnPlan:
    """Settings of a fine-tuning run; few and slow steps, since the network is trained already.

    Attributes:
        name: Of the bundle, ``denoiser-<name>-v<version>``.
        version: Of the bundle.
        nested: Whether low-dose images hold counts of the full-dose ones, as parts of one list-mode
            file do; if not, as with two injections, the full-dose image itself is the target.
        edge: Of what is learned from [voxels of the network].
        margin: Of the part around it, in which local levels are averaged [voxels].
        boxes: Parts of each held-out image that validate.
        batch: Items of a step.
        steps: Steps of training.
        minutes: Minutes of training at most; 0 for no bound.
        learning_rate: Its largest value.
        bf16: Whether training computes in bfloat16.
    """

    name: str = "own"
    version: int = 1
    nested: bool = True
    edge: int = 32
    margin: int = 8
    boxes: int = 8
    batch: int = 2
    steps: int = 2000
    minutes: float = 0.0
    learning_rate: float = 1e-4
    bf16: bool = True

    def __post_init__(self) -> None:
        from betaplus.generative.bundle_config import parse_folder

        for name in ("version", "edge", "boxes", "batch", "steps"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        _require(self.margin >= 0, "margin", self.margin, "0 or more")
        _require(self.edge % _STEM == 0, "edge", self.edge, f"a multiple of {_STEM}")
        _require(0 < self.learning_rate < math.inf, "learning_rate", self.learning_rate, "above 0")
        _require(0 <= self.minutes < math.inf, "minutes", self.minutes, "0 or more")
        taken = self.name in ("corpus", "bundles")  # folders beside the run's
        fits = not taken and parse_folder(f"denoiser-{self.name}-v{self.version}") is not None
        _require(fits, "name", self.name, "lower-case letters, digits, dots and dashes")

    @property
    def wide(self) -> int:
        """Edge of what is learned from with its margins [voxels]."""
        return self.edge + 2 * self.margin

    def within(self, minutes: float | None) -> OwnPlan:
        """Return the same, bounded to some minutes of training."""
        return self if minutes is None else dataclasses.replace(self, minutes=minutes)


def _require(right: bool, name: str, found: object, expected: str) -> None:
    if not right:
        raise UsageError(f"training setting {name} is {found}", f"expected {expected}")
