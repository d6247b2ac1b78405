"""Sizes of the learned baselines and of what they are trained on."""

from __future__ import annotations

from dataclasses import dataclass, field

from betaplus.pipeline.training.denoiser.plan import DenoiserPlan

__all__ = ["BaselinePlan", "quick_plan"]


@dataclass(frozen=True, kw_only=True)
class BaselinePlan:
    """Settings of all three.

    Attributes:
        corpus: Of the boxes that are learned from: those of our own denoiser.
        widths: Channels of the levels of each U-Net, in 2-D as in 3-D, which costs about the same
            for a voxel and call.
        blocks: Its residual blocks of a level.
        patch: Channels of the layers of the discriminator.
        edge: Of what 3-D networks learn from [voxels].
        batch: Such parts of a step.
        slice_edge: Of what the 2-D network learns from [voxels].
        slabs: Slabs of a step, each of a scan of its own.
        planes: Neighbouring slices of a slab.
        margin: Around either, for the post-filter [voxels].
        rates: Learning rates that are tried.
        trial_steps: Steps of a trial.
        most_steps: Of a training; minutes end it sooner.
        warmup: Steps in which the learning rate rises.
        validate_every: Steps between validations.
        held: Held-out boxes at each dose.
        held_slabs: Held-out slabs at each dose.
        held_planes: Slices of each.
        calls: Calls of the 2-D network a draw.
        ema_half_life: Half-life of the average of weights [steps].
        bf16: Whether bfloat16 is computed in.
    """

    corpus: DenoiserPlan = field(default_factory=DenoiserPlan)
    widths: tuple[int, ...] = (48, 96, 144)
    blocks: int = 1
    patch: tuple[int, ...] = (32, 64, 128)
    edge: int = 40
    batch: int = 2
    slice_edge: int = 64
    slabs: int = 4
    planes: int = 4
    margin: int = 4
    rates: tuple[float, ...] = (4e-4, 1e-3, 2.5e-3)
    trial_steps: int = 180
    most_steps: int = 1_000_000
    warmup: int = 100
    validate_every: int = 500
    held: int = 5
    held_slabs: int = 8
    held_planes: int = 2
    calls: int = 25
    ema_half_life: float = 500.0
    bf16: bool = True


def quick_plan() -> BaselinePlan:
    """Return the plan of a quick run: a few steps of tiny networks, in voxels of 6 mm."""
    corpus = DenoiserPlan(
        voxel=6.0, people=2, paints=1, boxes=4, box=24, edge=16, widths=(4, 4), batch=1
    )
    return BaselinePlan(
        corpus=corpus, widths=(4, 4), patch=(4, 8), edge=16, batch=1, slice_edge=16, slabs=1,
        planes=2, rates=(1e-3,), trial_steps=2, most_steps=8, warmup=2, validate_every=4, held=1,
        held_slabs=1, calls=3,
    )  # fmt: skip
