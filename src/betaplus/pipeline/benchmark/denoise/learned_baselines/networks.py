"""The three baselines: how each is built, what it learns from, how it is judged and applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from betaplus.pipeline.benchmark.denoise.learned_baselines.batches import PairBatches
from betaplus.pipeline.benchmark.denoise.learned_baselines.ddpm2d import SliceModel, ddpm2d_loss
from betaplus.pipeline.benchmark.denoise.learned_baselines.gan3d import Gan, gan3d_loss
from betaplus.pipeline.benchmark.denoise.learned_baselines.held_out import HeldOut
from betaplus.pipeline.benchmark.denoise.learned_baselines.plan import BaselinePlan
from betaplus.pipeline.benchmark.denoise.learned_baselines.unet3d import (
    ResidualNetwork,
    unet3d_loss,
)
from betaplus.pipeline.benchmark.denoise.learned_baselines.units import told_of
from betaplus.pipeline.benchmark.denoise.learned_baselines.whole_volume import (
    denoise_tiles,
    draw_slices,
)
from betaplus.pipeline.training.corpus import Corpus

__all__ = ["BASELINES", "Baseline", "Judge", "images_of", "methods_of"]

_SCORED = 71  # seed of the noise that draws are judged with

Judge = Callable[[Any, bool], dict[str, float]]
"""(network, thoroughly) to figures, of which ``score`` is to be low."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Baseline:
    """A network that is trained for comparison.

    Attributes:
        name: Of it.
        losses: Names of the losses among which validation chooses.
        rates: Learning rates among which it chooses; those of the plan if None.
        build: Makes the network.
        batches: Makes what it is trained with; and how many items a step has.
        loss: (network, batch, name of the loss, generator) to the loss.
        judge: Makes what validates.
    """

    name: str
    losses: tuple[str, ...]
    rates: tuple[float, ...] | None = None
    build: Callable[[BaselinePlan], nn.Module]
    batches: Callable[[Corpus, BaselinePlan], tuple[PairBatches, int]]
    loss: Callable[[Any, dict[str, Tensor], str, Generator], Tensor]
    judge: Callable[[Corpus, BaselinePlan, int], Judge]


def images_of(
    name: str, network: Any, image: Tensor, dose: float, plan: BaselinePlan, seed: int, draws: int
) -> Iterator[tuple[str, Tensor]]:
    """Yield what a baseline makes of a noisy image: method, and image (1, 1, X, Y, Z) [SUV].

    Args:
        name: Of the baseline.
        network: It.
        image: Shape (1, 1, X, Y, Z) [SUV].
        dose: Fraction of the counts.
        plan: Settings.
        seed: Of draws.
        draws: Of `ddpm2d`, of which the mean is a method too.
    """
    if name != "ddpm2d":
        yield name, denoise_tiles(network, image, dose, bf16=plan.bf16)
        return
    total = torch.zeros_like(image)
    for draw in range(draws):
        found = draw_slices(
            network, image, dose, calls=plan.calls, seed=seed, draw=draw, bf16=plan.bf16
        )
        total += found
        if draw == 0:
            yield name, found
    if draws > 1:
        yield methods_of(name, draws)[1], total / draws


def methods_of(name: str, draws: int) -> tuple[str, ...]:
    """Return the methods that a baseline makes images by: `ddpm2d` one draw, and their mean."""
    return (name, f"{name} mean of {draws}") if name == "ddpm2d" and draws > 1 else (name,)


def _parts(corpus: Corpus, plan: BaselinePlan) -> tuple[PairBatches, int]:
    shape = (plan.edge,) * 3
    return PairBatches(corpus, plan.corpus.voxel, shape, plan.margin), plan.batch


def _slabs(corpus: Corpus, plan: BaselinePlan) -> tuple[PairBatches, int]:
    shape = (plan.slice_edge, plan.slice_edge, plan.planes)
    return PairBatches(corpus, plan.corpus.voxel, shape, plan.margin), plan.slabs


def _judge_volumes(corpus: Corpus, plan: BaselinePlan, seed: int) -> Judge:
    held = HeldOut(corpus, plan.corpus.voxel, plan.held, seed, _multiple(plan))

    def judge(network: Any, thoroughly: bool) -> dict[str, float]:
        figures = held.gains(lambda y, dose: denoise_tiles(network, y, dose, bf16=plan.bf16))
        return {"score": -figures["gain"], **figures}

    return judge


def _judge_slices(corpus: Corpus, plan: BaselinePlan, seed: int) -> Judge:
    held = HeldOut(
        corpus, plan.corpus.voxel, plan.held_slabs, seed, _multiple(plan), plan.held_planes
    )

    @torch.no_grad()
    def judge(network: Any, thoroughly: bool) -> dict[str, float]:
        device, chosen = next(network.parameters()).device, Generator().manual_seed(seed)
        losses = []
        for dose, noisy, clean in held.cases:
            batch = {"noisy": noisy, "clean": clean, "told": told_of([dose])}
            batch = {key: value.to(device) for key, value in batch.items()}
            with torch.autocast(device.type, torch.bfloat16, enabled=plan.bf16):
                losses.append(float(ddpm2d_loss(network, batch, chosen)))
        figures = {"score": sum(losses) / len(losses)}
        if thoroughly:
            figures |= held.gains(
                lambda y, dose: draw_slices(
                    network, y, dose, calls=plan.calls, seed=_SCORED, draw=0, bf16=plan.bf16
                )
            )
        return figures

    return judge


def _multiple(plan: BaselinePlan) -> int:
    return 2 ** len(plan.widths)


BASELINES = {
    baseline.name: baseline
    for baseline in (
        Baseline(
            name="unet3d",
            losses=("L2", "L1"),
            build=lambda plan: ResidualNetwork(plan.widths, plan.blocks),
            batches=_parts,
            loss=lambda network, batch, norm, chosen: unet3d_loss(network, batch, norm),
            judge=_judge_volumes,
        ),
        Baseline(
            name="gan3d",
            losses=("L2 and least-squares GAN",),
            rates=(2e-4, 4e-4),  # at 1e-3, the best of short trials, all was zero after 700 steps
            build=lambda plan: Gan(plan.widths, plan.blocks, plan.patch),
            batches=_parts,
            loss=lambda network, batch, name, chosen: gan3d_loss(network, batch),
            judge=_judge_volumes,
        ),
        Baseline(
            name="ddpm2d",
            losses=("denoising score matching",),
            build=lambda plan: SliceModel(plan.widths, plan.blocks),
            batches=_slabs,
            loss=lambda network, batch, name, chosen: ddpm2d_loss(network, batch, chosen),
            judge=_judge_slices,
        ),
    )
}
"""Name to baseline, in the order of the table."""
