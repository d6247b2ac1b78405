"""`betaplus train denoiser`: boxes, a network, its bundle; each can be cut short and resumed."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.training.denoiser.boxes import fill_boxes
from betaplus.pipeline.training.denoiser.kinds import (
    Kind,
    check_like,
    find_kind,
    keep_start,
    make_recipe,
    network_of,
    plan_of,
    start_of,
)
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.pipeline.training.flags import check_flags, refuse_earlier_run
from betaplus.pipeline.training.settings_file import read_settings

if TYPE_CHECKING:
    from betaplus.denoising.bundle import TrainedDenoiser

__all__ = ["train_denoiser"]

_LEVELS = 200  # items whose noise tells the range
_MOST_AHEAD = 3
_VALIDATION = 10  # boxes at each dose, at most


def train_denoiser(
    out: str | Path,
    *,
    kind: str = "mean",
    bundle: Path | None = None,
    config: Path | None = None,
    max_minutes: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    workers: int | None = None,
    command: str = "betaplus train denoiser",
    progress: Progress | None = None,
) -> Path:
    """Train a denoiser of whole-body PET and write its bundle.

    Args:
        out: Folder: ``corpus/`` with boxes of simulated scans, ``body/``, ``draws/`` or ``fast/``
            with ``metrics.jsonl`` and a checkpoint, ``bundles/``.
        kind: ``mean``; ``draws``, that `ddim` and `ddpm` draw with, around what the network
            of the mean says; ``fast``, that `consistency` draws with, distilled from that of draws.
        bundle: Network to start from; of ``draws`` and ``fast`` that which is shipped if None.
        config: TOML file with fields of `DenoiserPlan`.
        max_minutes: Minutes of training at most.
        resume: Go on where an earlier run stopped.
        overwrite: Begin again; boxes stay as they are but for ``mean``.
        seed: Seed.
        workers: Processes that simulate, and that make batches beside the one that trains; the
            cores available if None.
        command: The command line, for the record.
        progress: What to report to.

    Returns:
        The bundle.

    Raises:
        UsageError: If the folder holds an earlier run and neither flag is given, or there is no
            network to start from.
        InputError: If a file cannot be used.
    """
    out, progress = Path(out), progress or Silent()
    check_flags(out, resume=resume, overwrite=overwrite, max_minutes=max_minutes, workers=workers)
    chosen = find_kind(kind)
    start = start_of(chosen, bundle)
    plan = read_settings(plan_of(chosen, start), config).within(max_minutes)
    check_like(plan, chosen, start)
    refuse_earlier_run(out, chosen.bundle, resume=resume, overwrite=overwrite)
    fill_boxes(
        out / "corpus",
        plan,
        overwrite=overwrite and not chosen.start,
        seed=seed,
        workers=workers,
        progress=progress,
    )
    from betaplus.engine import default_workers

    ahead = min((workers or default_workers()) - 1, _MOST_AHEAD)
    return _train(out, plan, chosen, start, resume, overwrite, seed, command, progress, ahead)


def _train(
    out: Path,
    plan: DenoiserPlan,
    kind: Kind,
    start: TrainedDenoiser | None,
    resume: bool,
    overwrite: bool,
    seed: int,
    command: str,
    progress: Progress,
    ahead: int,
) -> Path:
    import torch
    from safetensors.torch import load_file

    from betaplus.generative.training import TrainingSettings, train
    from betaplus.generative.training_step import stream_key
    from betaplus.pipeline.training.corpus import Corpus
    from betaplus.pipeline.training.denoiser.batches import ItemBatches
    from betaplus.pipeline.training.denoiser.publish import write_denoiser_bundle
    from betaplus.pipeline.training.prefetch import Prefetched

    corpus = Corpus.of(out / "corpus")
    training, held = corpus.split()
    torch.manual_seed(seed)
    network = network_of(kind, plan, start)
    batches = ItemBatches(training, plan)
    keep_start(out / kind.bundle, start, resume=resume)
    before = None if start is None else start.network
    recipe = make_recipe(kind, plan, held, before, seed + 1, _VALIDATION)
    with Prefetched(
        batches, plan.batch, lambda step: stream_key(seed, "batch", step), ahead
    ) as made:
        result = train(
            network,
            made,
            recipe.loss,
            recipe.validate,
            out / kind.bundle,
            TrainingSettings(
                steps=plan.steps,
                max_minutes=plan.minutes or None,
                learning_rate=plan.learning_rate,
                warmup=500,
                decay_share=0.4,
                ema_half_life=500.0,
                validate_every=max(kind.every, plan.steps // 60),
                checkpoint_every=250,
                seed=seed,
                bf16=plan.bf16,
            ),
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
    network.load_state_dict(load_file(result.best))
    if os.environ.get("RANK", "0") != "0":
        return out / "bundles" / f"denoiser-{kind.bundle}-v{plan.version}"
    figures = recipe.validate(network.cpu().eval().requires_grad_(False))
    return write_denoiser_bundle(
        out / "bundles",
        kind.bundle,
        plan,
        network,
        checksum=corpus.checksum(),
        seed=seed,
        command=command,
        result=dataclasses.asdict(result),
        figures=figures,
        noise=batches.noise_range(_LEVELS, torch.Generator().manual_seed(seed + 2)),
        kind=kind,
        start=None if start is None else start.bundle,
    )
