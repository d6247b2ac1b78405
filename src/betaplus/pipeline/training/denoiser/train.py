"""`betaplus train denoiser`: boxes, a network, its bundle; each can be cut short and resumed."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.training.denoiser.boxes import fill_boxes
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.pipeline.training.flags import check_flags, refuse_earlier_run
from betaplus.pipeline.training.settings_file import read_settings

__all__ = ["train_denoiser"]

_NAME = "body"
_LEVELS = 200  # items whose noise tells the range
_VALIDATION = 10  # boxes at each dose


def train_denoiser(
    out: str | Path,
    *,
    config: Path | None = None,
    max_minutes: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    workers: int | None = None,
    command: str = "betaplus train denoiser",
    progress: Progress | None = None,
) -> Path:
    """Train the denoiser of whole-body PET and write its bundle.

    Args:
        out: Folder: ``corpus/`` with boxes of simulated scans, ``body/`` with ``metrics.jsonl`` and
            a checkpoint, ``bundles/``.
        config: TOML file with fields of `DenoiserPlan`.
        max_minutes: Minutes of training at most.
        resume: Go on where an earlier run stopped.
        overwrite: Begin again.
        seed: Seed.
        workers: Processes that simulate; the cores available if None.
        command: The command line, for the record.
        progress: What to report to.

    Returns:
        The bundle.

    Raises:
        UsageError: If the folder holds an earlier run and neither flag is given.
        InputError: If a file cannot be used.
    """
    out, progress = Path(out), progress or Silent()
    check_flags(out, resume=resume, overwrite=overwrite, max_minutes=max_minutes, workers=workers)
    plan = read_settings(DenoiserPlan(), config).within(max_minutes)
    refuse_earlier_run(out, _NAME, resume=resume, overwrite=overwrite)
    fill_boxes(
        out / "corpus", plan, overwrite=overwrite, seed=seed, workers=workers, progress=progress
    )
    return _train(out, plan, resume, overwrite, seed, command, progress)


def _train(
    out: Path,
    plan: DenoiserPlan,
    resume: bool,
    overwrite: bool,
    seed: int,
    command: str,
    progress: Progress,
) -> Path:
    import torch
    from safetensors.torch import load_file

    from betaplus.denoising.network import LEVELS, CorrectionNetwork
    from betaplus.generative.image_denoiser import NoiseLevels
    from betaplus.generative.training import TrainingSettings, train
    from betaplus.pipeline.training.corpus import Corpus
    from betaplus.pipeline.training.denoiser.batches import ItemBatches
    from betaplus.pipeline.training.denoiser.loss import correction_loss
    from betaplus.pipeline.training.denoiser.publish import write_denoiser_bundle
    from betaplus.pipeline.training.denoiser.validation import Validation

    corpus = Corpus.of(out / "corpus")
    training, held = corpus.split()
    torch.manual_seed(seed)
    network = CorrectionNetwork(plan.widths, plan.blocks)
    levels = NoiseLevels(
        low=LEVELS[0], high=LEVELS[1], mean=plan.sigma_mean, sd=plan.sigma_sd, uniform=0.2
    )
    batches, validation = ItemBatches(training, plan), Validation(held, plan, _VALIDATION, seed + 1)

    def loss(model: Any, batch: Any, done: float, generator: torch.Generator) -> Any:
        return correction_loss(model, batch, plan.direct, levels, generator)

    result = train(
        network,
        lambda step, rank, world, g: batches(plan.batch, g, rank, world),
        loss,
        lambda model: validation.measure(model, plan.bf16),
        out / _NAME,
        TrainingSettings(
            steps=plan.steps,
            max_minutes=plan.minutes or None,
            learning_rate=plan.learning_rate,
            warmup=500,
            decay_share=0.4,
            ema_half_life=500.0,
            validate_every=max(250, plan.steps // 60),
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
        return out / "bundles" / f"denoiser-{_NAME}-v{plan.version}"
    figures = validation.measure(network.cpu().eval().requires_grad_(False), plan.bf16)
    return write_denoiser_bundle(
        out / "bundles",
        _NAME,
        plan,
        network,
        checksum=corpus.checksum(),
        seed=seed,
        command=command,
        result=dataclasses.asdict(result),
        figures=figures,
        noise=batches.noise_range(_LEVELS, torch.Generator().manual_seed(seed + 2)),
    )
