"""`betaplus train prior`: volumes, a network, its bundle; each can be cut short and resumed."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError, UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.generative.bundle import find_bundle
from betaplus.pipeline.training.flags import check_flags, refuse_earlier_run
from betaplus.pipeline.training.prior.plan import PriorPlan, read_plan
from betaplus.pipeline.training.prior.volumes import fill_corpus

__all__ = ["train_prior"]


def train_prior(
    out: str | Path,
    *,
    name: str = "brain2d",
    config: Path | None = None,
    data: Path | None = None,
    unit: str | None = None,
    max_minutes: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    workers: int | None = None,
    command: str = "betaplus train prior",
    progress: Progress | None = None,
) -> Path:
    """Train a diffusion prior of static images, or of pairs of Patlak maps; write its bundle.

    Args:
        out: Folder: ``corpus/`` with the volumes, ``<name>/`` with ``metrics.jsonl`` and a
            checkpoint, ``bundles/``.
        name: Of the settings to start from: ``brain2d``, ``brain2d-osem``, ``body3d`` or
            ``patlak3d``.
        config: TOML file with fields of `PriorPlan`.
        data: Folder with images to learn from in place of simulated ones.
        unit: Of those images whose sidecar does not say, where the prior is in SUV.
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
        UsageError: If the folder holds an earlier run and neither flag is given, there are images
            for a prior of pairs of maps, or there is no prior to start from.
        InputError: If a file cannot be used.
    """
    out, progress = Path(out), progress or Silent()
    check_flags(out, resume=resume, overwrite=overwrite, max_minutes=max_minutes, workers=workers)
    plan = read_plan(name, config).within(max_minutes)
    if data is not None and (plan.images or plan.sees):
        what = "pairs of maps" if plan.images else "scans"
        raise UsageError(
            f"images of your own for {plan.name}", f"expected none: {what} are simulated"
        )
    if data is not None and not data.is_dir():
        raise InputError(f"{data} is not a folder", "expected a folder of images")
    if plan.start:
        find_bundle("prior", plan.start)  # what is not there is told now
    refuse_earlier_run(out, plan.name, resume=resume, overwrite=overwrite)
    fill_corpus(
        out / "corpus", plan, data=data, unit=unit, overwrite=overwrite, seed=seed,
        workers=workers, progress=progress,
    )  # fmt: skip
    return _train(out, plan, data, resume, overwrite, seed, command, progress)


def _train(
    out: Path,
    plan: PriorPlan,
    data: Path | None,
    resume: bool,
    overwrite: bool,
    seed: int,
    command: str,
    progress: Progress,
) -> Path:
    import torch
    from safetensors.torch import load_file

    from betaplus.generative.bundle import load_bundle, load_into
    from betaplus.generative.image_denoiser import ImageDenoiser, NoiseLevels, denoising_loss
    from betaplus.generative.training import TrainingSettings, train
    from betaplus.generative.unet import UNetSize
    from betaplus.pipeline.training.corpus import Corpus
    from betaplus.pipeline.training.prior.batches import ORIENTATIONS, Batches
    from betaplus.pipeline.training.prior.pair_batches import PairBatches
    from betaplus.pipeline.training.prior.publish import write_prior_bundle
    from betaplus.pipeline.training.prior.seen_batches import SeenBatches
    from betaplus.pipeline.training.prior.validation import Validation

    corpus = Corpus.of(out / "corpus")
    training, validation = corpus.split()
    outputs = max(len(plan.images), plan.slab)
    size = UNetSize(
        dimensions=plan.dimensions,
        widths=plan.widths,
        blocks=plan.blocks,
        stem=plan.stem,
        channels=outputs * (2 if plan.reach else 1) + plan.sees * plan.around,
        outputs=outputs,
        context=len(ORIENTATIONS) if plan.dimensions == 2 and not plan.sees else 0,
    )
    torch.manual_seed(seed)
    network = ImageDenoiser(size, plan.sd, plan.reach)
    if plan.start:
        load_into(network, load_bundle(find_bundle("prior", plan.start), "prior"))
    levels = NoiseLevels(
        low=plan.sigma_low, high=plan.sigma_high, mean=plan.sigma_mean, sd=plan.sigma_sd,
        uniform=plan.sigma_uniform,
    )  # fmt: skip
    draw = PairBatches if plan.images else SeenBatches if plan.sees else Batches
    batches = draw(training, plan)
    validate = Validation(draw(validation, plan, augment=False), plan, seed)

    def loss(model: Any, batch: Any, done: float, generator: torch.Generator) -> Any:
        images, known, *beside = batch
        sigma = levels.draw(len(images), generator).to(images.device)
        noise = torch.randn(images.shape, generator=generator).to(images.device)
        return denoising_loss(model, images, sigma, noise, *beside, context=known)

    result = train(
        network,
        lambda step, rank, world, g: batches(plan.batch, g, rank, world),
        loss,
        validate,
        out / plan.name,
        TrainingSettings(
            steps=plan.steps,
            max_minutes=plan.minutes or None,
            learning_rate=plan.learning_rate,
            warmup=500,
            decay_share=0.4,
            ema_half_life=1000.0,
            validate_every=max(250, plan.steps // 40),
            checkpoint_every=500,
            seed=seed,
            bf16=plan.bf16,
        ),
        resume=resume,
        overwrite=overwrite,
        progress=progress,
    )
    network.load_state_dict(load_file(result.best))
    bundle = out / "bundles" / f"prior-{plan.name}-v{plan.version}"
    if os.environ.get("RANK", "0") != "0":
        return bundle
    figures = validate(network.cpu().eval().requires_grad_(False))
    return write_prior_bundle(
        out / "bundles",
        plan,
        network,
        data=None if data is None else f"{len(corpus.files)} volumes of {data.name}",
        checksum=corpus.checksum(),
        seed=seed,
        command=command,
        result=dataclasses.asdict(result),
        figures=figures,
    )
