"""The three networks that `betaplus train denoiser` makes, each from the one before.

One network that learns both learns the mean worse than one that learns it alone, and one that
learns draws from where the mean stands forgets some of it. So draws are learned around the mean,
whose network stays as it is, and draws in a few calls by a third network from those.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from betaplus.core.errors import UsageError
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan

if TYPE_CHECKING:
    from torch import nn

    from betaplus.denoising.bundle import TrainedDenoiser
    from betaplus.pipeline.training.corpus import Corpus

__all__ = [
    "KINDS",
    "Kind",
    "Recipe",
    "check_like",
    "find_kind",
    "keep_start",
    "make_recipe",
    "network_of",
    "plan_of",
    "start_of",
]

_SAME = ("voxel", "widths", "blocks")  # fields that a network keeps from the one it starts from


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A network that can be trained.

    Attributes:
        name: From ``--kind``.
        bundle: Name of its bundle.
        start: Name of the bundle that it starts from; "" for none.
        changes: Fields in which its plan departs from `DenoiserPlan`.
        what: What it does, for its model card.
        network: What its network is, see `betaplus.denoising.bundle.NETWORKS`.
        gives: What it is trained for, see `betaplus.denoising.bundle.GIVES`.
        every: Steps between two validations, at least.
        boxes: At each dose, that validate.
    """

    name: str
    bundle: str
    start: str
    changes: Mapping[str, Any]
    what: str
    network: str
    gives: tuple[str, ...]
    every: int
    boxes: int


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="mean", bundle="body", start="", changes={}, every=250, boxes=10,
            network="mean", gives=("mean",),
            what="Estimates what a whole-body PET image would be without noise, its mean, from one"
            " with few counts.",
        ),
        Kind(
            name="draws", bundle="draws", start="body", every=1000, boxes=1,
            changes={"steps": 20_000, "version": 1},
            network="draws around the mean", gives=("mean", "draws"),
            what="Draws what a whole-body PET image would be without noise from one with few"
            " counts: the denoiser of a diffusion model, for ddim and ddpm.",
        ),
        Kind(
            name="fast", bundle="fast", start="draws", every=1000, boxes=2,
            changes={"steps": 20_000, "learning_rate": 3e-4, "version": 1},
            network="draws around the mean", gives=("fast",),
            what="Draws what a whole-body PET image would be without noise from one with few"
            " counts in 1 to 4 calls: a consistency model.",
        ),
    )
}  # fmt: skip
"""Name to kind, in the order of training."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Recipe:
    """How a kind is trained.

    Attributes:
        loss: (network, batch, progress, generator) to a loss, as for `generative.training.train`.
        validate: Network to figures, of which ``score`` is to be low.
    """

    loss: Callable[[Any, Any, float, Any], Any]
    validate: Callable[[Any], dict[str, float]]


def find_kind(name: str) -> Kind:
    """Return a kind.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in KINDS:
        raise UsageError(f"--kind {name}", f"expected one of {', '.join(KINDS)}")
    return KINDS[name]


def start_of(kind: Kind, bundle: Path | None) -> TrainedDenoiser | None:
    """Return the network that a kind starts from; None for one that starts anew.

    Args:
        kind: What is trained.
        bundle: The network, from ``--bundle``; if None the one that is shipped.

    Raises:
        UsageError: If there is none, or it is trained for something else.
        InputError: If it is damaged.
    """
    from betaplus.denoising.bundle import load_denoiser

    if not kind.start and bundle is None:
        return None
    return load_denoiser(kind.start or kind.bundle, bundle)


def plan_of(kind: Kind, start: TrainedDenoiser | None) -> DenoiserPlan:
    """Return the plan of a kind, of a network like the one that it starts from."""
    plan = dataclasses.replace(DenoiserPlan(), **kind.changes)
    if start is None:
        return plan
    size = start.network.size
    return dataclasses.replace(plan, voxel=start.voxel, widths=size.widths, blocks=size.blocks)


def check_like(plan: DenoiserPlan, kind: Kind, start: TrainedDenoiser | None) -> None:
    """Refuse a plan of another network than the one that it starts from.

    Raises:
        UsageError: If they differ.
    """
    like = plan_of(kind, start)
    for name in _SAME if start is not None else ():
        if getattr(plan, name) != getattr(like, name):
            raise UsageError(
                f"training setting {name} is {getattr(plan, name)}",
                f"expected {getattr(like, name)}, as of the network that it starts from",
            )


def network_of(kind: Kind, plan: DenoiserPlan, start: TrainedDenoiser | None) -> Any:
    """Return the network of a kind before training.

    Args:
        kind: What is trained.
        plan: Of it.
        start: What it starts from: of draws the mean that they are drawn around, of others the
            network itself.
    """
    from betaplus.denoising.bundle import NETWORKS

    network: Any = NETWORKS[kind.network](plan.widths, plan.blocks)
    if start is not None:
        part = network.center if kind.name == "draws" else network
        part.load_state_dict(start.network.state_dict())
    return network


def keep_start(folder: Path, start: TrainedDenoiser | None, *, resume: bool) -> None:
    """Keep in a run's folder which network it started from.

    Args:
        folder: Of the run.
        start: That network.
        resume: Whether the run goes on where it stopped.

    Raises:
        UsageError: If a run that goes on started from another one.
    """
    if start is None:
        return
    kept, checksum = folder / "start.txt", start.bundle.checksum
    if resume and kept.exists() and kept.read_text(encoding="utf-8").strip() != checksum:
        raise UsageError(
            f"--resume from {start.bundle.path}",
            "expected the network that the earlier run started from",
            "give that, or --overwrite to start again",
        )
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(checksum + "\n", encoding="utf-8")


def make_recipe(
    kind: Kind,
    plan: DenoiserPlan,
    held: Corpus,
    start: nn.Module | None,
    seed: int,
    most: int,
) -> Recipe:
    """Return how a kind is trained.

    Args:
        kind: The kind.
        plan: Of it.
        held: Boxes to validate with.
        start: Network that it starts from, which is left as it is.
        seed: Chooses what validates.
        most: Boxes at each dose that validate, at most.
    """
    from betaplus.denoising.draw_network import LEVELS
    from betaplus.generative.image_denoiser import NoiseLevels
    from betaplus.pipeline.training.denoiser.distillation import distillation_loss
    from betaplus.pipeline.training.denoiser.draw_validation import (
        DrawValidation,
        draw_by_consistency,
        draw_by_solver,
    )
    from betaplus.pipeline.training.denoiser.loss import correction_loss, draw_loss
    from betaplus.pipeline.training.denoiser.validation import Validation

    boxes = Validation(held, plan, min(kind.boxes, most), seed)
    if kind.name == "fast":
        if start is None:
            raise ValueError("a network to distil")
        teacher = copy.deepcopy(start).eval().requires_grad_(False)

        def distil(network: Any, batch: Any, done: float, generator: Any) -> Any:
            return distillation_loss(network, teacher.to(batch["z"].device), batch, done, generator)

        few = DrawValidation(boxes, draw_by_consistency)
        return Recipe(loss=distil, validate=lambda network: few.measure(network, plan.bf16))
    if kind.name == "draws":
        levels = NoiseLevels(
            low=LEVELS[0], high=LEVELS[1], mean=plan.sigma_mean, sd=plan.sigma_sd, uniform=0.2
        )

        def learn(network: Any, batch: Any, done: float, generator: Any) -> Any:
            return draw_loss(network, batch, levels, generator)

        draws = DrawValidation(boxes, draw_by_solver)
        return Recipe(loss=learn, validate=lambda network: draws.measure(network, plan.bf16))

    def loss(network: Any, batch: Any, done: float, generator: Any) -> Any:
        return correction_loss(network, batch)

    return Recipe(loss=loss, validate=lambda network: boxes.measure(network, plan.bf16))
