"""`betaplus train separation`: the network of `inn` from simulated scans to its bundle."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.training.flags import check_flags, refuse_earlier_run
from betaplus.pipeline.training.separation.plan import SeparationPlan
from betaplus.pipeline.training.separation.record import keep_plan
from betaplus.pipeline.training.settings_file import read_settings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["KINDS", "train_inn", "train_separation"]

KINDS = ("inn", "inn-published", "ced", "cnn3d")
"""Methods whose networks can be trained."""

_MOST_AHEAD = 3
_SCANS = 24  # that tell the range of the noise


def train_separation(
    out: str | Path,
    *,
    kind: str | None = None,
    pairs: tuple[str, ...] = (),
    config: Path | None = None,
    data: Path | None = None,
    max_minutes: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    workers: int | None = None,
    command: str = "betaplus train separation",
    progress: Progress | None = None,
) -> Path:
    """Train the network of a learned method of separation and write its bundle.

    Args:
        out: Folder: one named by the kind with ``plan.json``, ``metrics.jsonl`` and a checkpoint;
            ``bundles/``.
        kind: One of `KINDS`; ``inn`` if None, with `data` ``inn-published``.
        pairs: Pairs of tracers such as ``FMZ,FDG``, the first injected first; those of the plan if
            there are none.
        config: TOML file with fields of `SeparationPlan`, of another kind than ``inn`` of
            `betaplus.pipeline.training.separation.slice_plan.SlicePlan`.
        data: Sequences of your own in place of simulated ones
            (`betaplus.pipeline.training.separation.mat_files`).
        max_minutes: Minutes of training at most.
        resume: Go on where an earlier run stopped.
        overwrite: Begin again.
        seed: Seed.
        workers: Processes that make batches, and the one that trains; the cores available if None.
        command: The command line, for the record.
        progress: What to report to.

    Returns:
        The bundle.

    Raises:
        UsageError: If the folder holds an earlier run and neither flag is given, or a tracer or the
            kind is unknown.
        InputError: If a file cannot be used.
    """
    out, progress = Path(out), progress or Silent()
    chosen = kind or ("inn" if data is None else "inn-published")
    if chosen not in KINDS:
        raise UsageError(f"--kind {chosen}", f"expected {', '.join(KINDS)}")
    check_flags(out, resume=resume, overwrite=overwrite, max_minutes=max_minutes, workers=workers)
    from betaplus.engine import default_workers

    cores = workers or default_workers()
    ahead = min(cores - 1, _MOST_AHEAD)
    given = {
        "pairs": pairs,
        "config": config,
        "max_minutes": max_minutes,
        "resume": resume,
        "overwrite": overwrite,
        "seed": seed,
        "ahead": ahead,
        "threads": cores - ahead,
        "command": command,
        "progress": progress,
    }
    if chosen == "inn":
        if data is not None:
            raise UsageError(
                "--data with --kind inn",
                "it needs the times of frames and the half-lives, of which such files say nothing",
                "leave --data out, or choose another kind",
            )
        return train_inn(out, **given)
    from betaplus.pipeline.training.separation.slice_train import train_slices

    return train_slices(out, chosen, data=data, **given)


def train_inn(
    out: Path,
    *,
    pairs: tuple[str, ...],
    config: Path | None,
    max_minutes: float | None,
    resume: bool,
    overwrite: bool,
    seed: int,
    ahead: int,
    threads: int,
    command: str,
    progress: Progress,
) -> Path:
    """Train the network of `inn`; arguments are those of `train_separation`.

    Args:
        out: Folder.
        pairs: Pairs of tracers.
        config: TOML file with fields of `SeparationPlan`.
        max_minutes: Minutes of training at most.
        resume: Go on where an earlier run stopped.
        overwrite: Begin again.
        seed: Seed.
        ahead: Processes that make batches beside the one that trains.
        threads: Of the one that trains: threads that wait for cores that others hold cost more
            than they bring.
        command: The command line, for the record.
        progress: What to report to.
    """
    plan = read_settings(SeparationPlan(), config).within(max_minutes).of_pairs(pairs)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if plan.studies % world:
        raise UsageError(
            f"{plan.studies} studies of a step for {world} processes",
            "expected a multiple",
            f"set studies = {world} in --config",
        )
    refuse_earlier_run(out, "inn", resume=resume, overwrite=overwrite)
    keep_plan(out / "inn", plan, resume=resume)
    import torch
    from safetensors.torch import load_file

    from betaplus.generative.training import TrainingSettings, train
    from betaplus.generative.training_step import stream_key
    from betaplus.pipeline.training.prefetch import Prefetched
    from betaplus.pipeline.training.separation.batches import StudyBatches
    from betaplus.pipeline.training.separation.publish import write_inn_bundle
    from betaplus.pipeline.training.separation.validation import Validation

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    network = _network(plan)
    batches, held = StudyBatches(plan), Validation(plan)
    with Prefetched(
        batches, plan.items, lambda step: stream_key(seed, "batch", step), ahead
    ) as made:
        result = train(
            network,
            made,
            _loss(plan),
            lambda averaged: held.measure(averaged, plan.bf16),
            out / "inn",
            TrainingSettings(
                steps=plan.steps,
                max_minutes=plan.minutes or None,
                learning_rate=plan.learning_rate,
                warmup=plan.warmup,
                decay_share=0.5,
                ema_half_life=200.0,
                validate_every=plan.validate_every,
                checkpoint_every=plan.validate_every,
                seed=seed,
                bf16=plan.bf16,
            ),
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
    network.load_state_dict(load_file(result.best))
    if os.environ.get("RANK", "0") != "0":
        return out / "bundles" / f"separation-inn-v{plan.version}"
    figures = held.measure(network.cpu().eval().requires_grad_(False), False)
    return write_inn_bundle(
        out / "bundles",
        plan,
        network,
        seed=seed,
        command=command,
        result=dataclasses.asdict(result),
        figures=figures,
        noise=batches.noise_range(_SCANS, torch.Generator().manual_seed(seed + 2)),
    )


def _network(plan: SeparationPlan) -> Any:
    from betaplus.separation.features import condition_count, context_count
    from betaplus.separation.network import SeparationNetwork, SeparationSize

    coefficients = plan.first + plan.second
    shown = plan.conditional and plan.images
    return SeparationNetwork(
        SeparationSize(
            dimensions=3,
            first=plan.first,
            second=plan.second,
            condition=condition_count(coefficients) if shown else 0,
            context=context_count(coefficients) if plan.conditional else 0,
            couplings=plan.couplings,
            looks=plan.looks if shown else 0,
            widths=plan.widths,
            blocks=plan.blocks,
            clamp=plan.clamp,
        )
    )


def _loss(plan: SeparationPlan) -> Any:
    from betaplus.separation.network_loss import LossWeights, SeparationBatch, separation_loss

    weights = LossWeights(inverse=plan.inverse, mixing=plan.mixing)

    def loss(network: Any, batch: dict[str, Tensor], done: float, generator: Any) -> Tensor:
        shown = dict(batch, condition=batch["condition"].float())
        shown.setdefault("clean", batch["linear"])  # without a weight nothing looks at it
        return separation_loss(network, SeparationBatch(**shown), weights)

    return loss
