"""How long a network is trained, and how fast: settings, and the learning rate by progress."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from betaplus.core.errors import UsageError

__all__ = ["TrainingSettings", "learning_rate"]


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Settings of a training run, which ends at `steps` or at `max_minutes`.

    Attributes:
        steps: Steps at most.
        max_minutes: Minutes at most, over all resumed runs together; None for no bound.
        learning_rate: Its largest value.
        warmup: Steps in which it rises to that.
        decay: How it falls to 0 at the end.
        decay_share: Last share of the run in which it falls.
        weight_decay: Of AdamW, for tensors with two axes or more.
        gradient_clip: Largest norm of the gradient; None for no bound.
        ema_half_life: Half-life of the average of the weights [steps].
        validate_every: Steps between two lines of metrics, each with a validation.
        checkpoint_every: Steps between two checkpoints.
        seed: Of everything that is drawn.
        bf16: Whether the loss is computed in bfloat16 where autocast allows it.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    steps: int = 10_000
    max_minutes: float | None = None
    learning_rate: float = 1e-3
    warmup: int = 200
    decay: Literal["linear", "cosine"] = "cosine"
    decay_share: float = 0.3
    weight_decay: float = 0.0
    gradient_clip: float | None = 1.0
    ema_half_life: float = 500.0
    validate_every: int = 500
    checkpoint_every: int = 500
    seed: int = 0
    bf16: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("steps", "validate_every", "checkpoint_every"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("warmup", "weight_decay", "seed"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("learning_rate", "ema_half_life", "max_minutes", "gradient_clip"):
            value = getattr(self, name)
            if value is None and name in ("max_minutes", "gradient_clip"):
                continue
            _require(0 < value < math.inf, name, value, "a number above 0")
        _require(0 <= self.decay_share <= 1, "decay_share", self.decay_share, "0 to 1")
        _require(self.decay in ("linear", "cosine"), "decay", self.decay, "linear or cosine")
        _require(self.device in ("auto", "cpu", "cuda"), "device", self.device, "auto, cpu or cuda")


def learning_rate(settings: TrainingSettings, step: int, progress: float) -> float:
    """Return the learning rate of a step (from 0) at a point of the run, progress in [0, 1]."""
    rising = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
    left = 1.0 - progress
    falling = min(1.0, left / settings.decay_share) if settings.decay_share else 1.0
    if settings.decay == "cosine":
        falling = 0.5 - 0.5 * math.cos(math.pi * falling)
    return settings.learning_rate * rising * falling


def _require(right: bool, name: str, found: object, expected: str) -> None:
    if not right:
        raise UsageError(f"training setting {name} is {found}", f"expected {expected}")
