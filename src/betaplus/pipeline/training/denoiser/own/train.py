"""`betaplus train denoiser --data`: a denoiser fine-tuned on a user's own pairs; resumable."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError, UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.training.denoiser.own.pairs import Pair, find_pairs
from betaplus.pipeline.training.denoiser.own.plan import OwnPlan
from betaplus.pipeline.training.fill import fill_folder
from betaplus.pipeline.training.flags import check_flags, refuse_earlier_run
from betaplus.pipeline.training.settings_file import read_settings

__all__ = ["fine_tune_denoiser"]


def fine_tune_denoiser(
    out: str | Path,
    data: str | Path,
    *,
    bundle: Path | None = None,
    unit: str | None = None,
    config: Path | None = None,
    max_minutes: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    command: str = "betaplus train denoiser",
    progress: Progress | None = None,
) -> Path:
    """Fine-tune a denoiser on a user's own pairs and write its bundle.

    Args:
        out: Folder: ``corpus/`` with the pairs, ``own/`` with ``metrics.jsonl`` and a checkpoint,
            ``bundles/``.
        data: Folder with full- and low-dose images, or splits, of two subjects or more; see
            `betaplus.pipeline.training.denoiser.own.pairs` for their names.
        bundle: What to start from; the shipped network if None.
        unit: Of images whose sidecar does not say.
        config: TOML file with fields of `OwnPlan`.
        max_minutes: Minutes of training at most.
        resume: Go on where an earlier run stopped.
        overwrite: Begin again.
        seed: Seed.
        command: The command line, for the record.
        progress: What to report to.

    Returns:
        The bundle.

    Raises:
        UsageError: If the folder holds an earlier run and neither flag is given, or there is no
            bundle to start from.
        InputError: If a file cannot be used, or training does not help on held-out subjects.
    """
    out, data, progress = Path(out), Path(data), progress or Silent()
    check_flags(out, resume=resume, overwrite=overwrite, max_minutes=max_minutes)
    plan = read_settings(OwnPlan(), config).within(max_minutes)
    refuse_earlier_run(out, plan.name, resume=resume, overwrite=overwrite)
    pairs = find_pairs(data)

    from betaplus.denoising.bundle import load_denoiser
    from betaplus.pipeline.training.denoiser.own.corpus import import_pairs, import_record

    base = load_denoiser(explicit=bundle)
    multiple = base.network.size.multiple
    if plan.edge % multiple:
        raise UsageError(
            f"training setting edge is {plan.edge}", f"expected a multiple of {multiple}"
        )
    fill_folder(
        out / "corpus",
        import_record(plan, base.voxel, pairs, data) | {"start": base.bundle.checksum[:12]},
        lambda: import_pairs(out / "corpus", pairs, plan, base.voxel, unit),
        what="pairs",
        overwrite=overwrite,
        progress=progress,
    )
    return _train(out, data, plan, pairs, base, resume, overwrite, seed, command, progress)


def _train(
    out: Path,
    data: Path,
    plan: OwnPlan,
    pairs: list[Pair],
    base: Any,
    resume: bool,
    overwrite: bool,
    seed: int,
    command: str,
    progress: Progress,
) -> Path:
    import copy

    from safetensors.torch import load_file

    from betaplus.generative.training import TrainingSettings, train
    from betaplus.pipeline.training.corpus import Corpus
    from betaplus.pipeline.training.denoiser.own.batches import OwnBatches, OwnValidation
    from betaplus.pipeline.training.denoiser.own.corpus import own_scans
    from betaplus.pipeline.training.denoiser.own.loss import mean_loss
    from betaplus.pipeline.training.denoiser.own.publish import write_own_bundle

    corpus = Corpus.of(out / "corpus")
    training, kept = (own_scans(part) for part in corpus.split())
    for remark in dict.fromkeys(text for scan in (*training, *kept) for text in scan.remarks):
        progress.note(f"remark: {remark}")
    batches, validation = OwnBatches(training, plan), OwnValidation(kept, plan, seed + 1)
    before = validation.measure(base.network, plan.bf16)
    network = copy.deepcopy(base.network).train().requires_grad_(True)
    result = train(
        network,
        lambda step, rank, world, g: batches(plan.batch, g, rank, world),
        lambda model, batch, done, g: mean_loss(model, batch),
        lambda model: validation.measure(model, plan.bf16),
        out / plan.name,
        TrainingSettings(
            steps=plan.steps,
            max_minutes=plan.minutes or None,
            learning_rate=plan.learning_rate,
            warmup=min(50, plan.steps // 10),
            decay_share=0.5,
            ema_half_life=max(1.0, min(100.0, plan.steps / 20)),
            validate_every=max(10, plan.steps // 20),
            checkpoint_every=100,
            seed=seed,
            bf16=plan.bf16,
        ),
        resume=resume,
        overwrite=overwrite,
        progress=progress,
    )
    if os.environ.get("RANK", "0") != "0":
        return out / "bundles" / f"denoiser-{plan.name}-v{plan.version}"
    network.load_state_dict(load_file(result.best))
    after = validation.measure(network.cpu().eval().requires_grad_(False), plan.bf16)
    if not after["score"] < before["score"]:
        raise InputError(
            f"on held-out subjects the network is no better after training: {after['score']:.3f} dB"
            f" from their targets, {before['score']:.3f} dB before",
            "expected less",
            "keep the bundle it started from, or train on more subjects or at a lower"
            " learning_rate",
        )
    return write_own_bundle(
        out / "bundles",
        plan,
        network,
        base,
        data=data,
        scans=own_scans(corpus),
        held=kept,
        targets={"split" if p.split else "nested" if plan.nested else "apart" for p in pairs},
        checksum=corpus.checksum(),
        seed=seed,
        command=command,
        result=dataclasses.asdict(result),
        before=before,
        after=after,
    )
