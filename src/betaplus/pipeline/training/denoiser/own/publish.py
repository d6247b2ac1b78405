"""The bundle of a fine-tuned denoiser and what its card says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import betaplus
from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.denoising.validity import DOSE, NOISE, tracer_name
from betaplus.pipeline.training.denoiser.own.corpus import OwnScan
from betaplus.pipeline.training.denoiser.own.plan import OwnPlan

__all__ = ["write_own_bundle"]

_WHAT = (
    "Estimates what a PET image would be without noise, its mean, from one with few counts."
    " Fine-tuned from {base} on scans of one place."
)
_DATA = (
    "{pairs} of images of {subjects} in {folder}, with {doses} of the counts, besides what {base}"
    " was trained on. No clean image was known: the target of each was"
    " {target}, which is noisy too."
)
_TARGETS = {
    "nested": "what the full-dose image holds beyond the counts of the low-dose one",
    "apart": "the full-dose image of a scan of its own",
    "split": "the mean of the other splits of its scan",
}
_MEASURED = "{images} of {subjects} not trained on, against noisy targets; no clean image was known"
_LIMITS = (
    "Made for scans like those it was fine-tuned on. Its figures rest on noisy targets: the gain is"
    " an estimate that takes noise variance to go as one over counts, and tells nothing of what"
    " all counts together do not show. Only the mean was trained, not draws."
)


def write_own_bundle(
    folder: Path,
    plan: OwnPlan,
    network: Any,
    base: TrainedDenoiser,
    *,
    data: Path,
    scans: Sequence[OwnScan],
    held: Sequence[OwnScan],
    targets: Collection[str],
    checksum: str,
    seed: int,
    command: str,
    result: Mapping[str, Any],
    before: Mapping[str, float],
    after: Mapping[str, float],
) -> Path:
    """Write the bundle of a fine-tuned denoiser.

    Args:
        folder: Where bundles are.
        plan: Of the run.
        network: With its weights.
        base: What it started from.
        data: The user's folder.
        scans: All pairs.
        held: Those of them that validated.
        targets: Kinds of targets among them: ``nested``, ``apart``, ``split``.
        checksum: Of the pairs.
        seed: Of the run.
        command: The command line.
        result: Fields of `TrainingResult`.
        before: Figures of the validation before fine-tuning.
        after: And after.
    """
    from betaplus.generative.bundle_writing import Metric, ModelCard, TrainingRecord, write_bundle

    config = base.bundle.config
    known = config.validity
    named = {tracer_name(s.tracer, known.get("tracer", [])) for s in scans if s.tracer}
    doses = [scan.dose for scan in scans]
    validity = dict(known)
    if named:
        validity["tracer"] = sorted(named)
    validity[NOISE] = [min(s.noise[0] for s in scans), max(s.noise[1] for s in scans)]
    validity[DOSE] = [min(doses), max(doses)]
    figures = {f"{name} before": value for name, value in before.items() if name != "score"}
    figures |= {name: value for name, value in after.items() if name != "score"}
    target = " or ".join(_TARGETS[kind] for kind in sorted(targets))
    measured = _MEASURED.format(images=_count(len(held), "image"), subjects=_subjects(held))
    return write_bundle(
        folder,
        task="denoiser",
        name=plan.name,
        version=plan.version,
        tensors=network.state_dict(),
        architecture=config.architecture | {"network": "mean"},
        validity=validity,
        settings=config.settings | {"gives": ["mean"]},
        card=ModelCard(
            what=_WHAT.format(base=config.folder),
            training_data=_DATA.format(
                pairs=_count(len(scans), "pair"), subjects=_subjects(scans), folder=data.name,
                doses=", ".join(f"{dose:.3g}" for dose in sorted(set(doses))), base=config.folder,
                target=target,
            ),
            metrics=[
                Metric(name=name, value=f"{value:.3g}", measured=measured)
                for name, value in figures.items()
            ],
            limits=_LIMITS,
        ),
        training=TrainingRecord(
            command=command,
            seed=seed,
            code_version=betaplus.__version__,
            data={"pairs": checksum, config.folder: base.bundle.checksum},
            minutes=result["minutes"],
            steps=result["steps"],
            metrics=figures,
        ),
        overwrite=True,
    )  # fmt: skip


def _subjects(scans: Sequence[OwnScan]) -> str:
    return _count(len({scan.file.stem.partition("_")[0] for scan in scans}), "subject")


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
