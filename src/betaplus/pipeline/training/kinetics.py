"""The networks of the kinetics verb, from simulated studies to three weight bundles.

In order: a corpus of studies with exact posterior draws; a denoiser of them, which `ddpm` and
`score` draw with; the consistency model, distilled from it; a flow. Every stage can be cut short
and resumed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError, UsageError
from betaplus.core.input_function import InputCurve
from betaplus.core.limits import read_toml
from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.training.flags import check_flags, refuse_earlier_run

__all__ = ["STAGES", "KineticsTraining", "read_config", "train_kinetics"]

STAGES = ("denoiser", "consistency", "flow")
"""Networks in the order of training."""

_LONGEST = 10**9  # steps, where minutes decide
_CORPUS_SHARE = 0.2  # of the minutes, where the corpus has to be cut short


@dataclasses.dataclass(frozen=True, kw_only=True)
class KineticsTraining:
    """What is trained on, and for how long.

    Attributes:
        studies: Simulated studies; one in 25 is for validation.
        curves: Curves of each.
        draws: Exact posterior draws of each curve.
        measured_share: Share of the studies with a measured input function, where there are any.
        denoiser_minutes: Minutes of training at most; so the next two.
        consistency_minutes: Likewise.
        flow_minutes: Likewise.
        version: Of the bundles.
    """

    studies: int = 1000
    curves: int = 256
    draws: int = 24
    measured_share: float = 0.5
    denoiser_minutes: float = 60.0
    consistency_minutes: float = 60.0
    flow_minutes: float = 30.0
    version: int = 1

    def __post_init__(self) -> None:
        for name, low in (("studies", 26), ("curves", 8), ("draws", 4), ("version", 1)):
            if getattr(self, name) < low:
                raise UsageError(f"{name} is {getattr(self, name)}", f"expected {low} or more")
        if not 0.0 <= self.measured_share <= 1.0:
            raise UsageError(f"measured_share is {self.measured_share:g}", "expected 0 to 1")
        for stage in STAGES:
            minutes = getattr(self, f"{stage}_minutes")
            if not 0 < minutes < math.inf:
                raise UsageError(f"{stage}_minutes is {minutes:g}", "expected a number above 0")

    def within(self, minutes: float | None) -> KineticsTraining:
        """Return the same with the minutes of all stages scaled to a total."""
        if minutes is None:
            return self
        total = sum(getattr(self, f"{stage}_minutes") for stage in STAGES)
        scale = (1.0 - _CORPUS_SHARE) * minutes / total
        return dataclasses.replace(
            self,
            **{f"{s}_minutes": scale * getattr(self, f"{s}_minutes") for s in STAGES},
        )


def read_config(path: Path | None) -> KineticsTraining:
    """Read a TOML file with fields of `KineticsTraining`.

    Raises:
        InputError: If it cannot be read or a field is unknown.
    """
    if path is None:
        return KineticsTraining()
    try:
        values = read_toml(path)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"training configuration {path.name} cannot be read: {error}") from error
    fields = {f.name: f for f in dataclasses.fields(KineticsTraining)}
    for name, value in values.items():
        if name not in fields:
            raise InputError(f"{name!r} in {path.name}", f"expected one of {', '.join(fields)}")
        wanted = type(fields[name].default)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or (wanted is int and not float(value).is_integer()):
            raise InputError(f"{name} = {value!r} in {path.name}", f"expected {wanted.__name__}")
    return KineticsTraining(**{k: type(fields[k].default)(v) for k, v in values.items()})


def train_kinetics(
    out: str | Path,
    *,
    config: Path | None = None,
    data: Path | None = None,
    max_minutes: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    workers: int | None = None,
    command: str = "betaplus train kinetics",
    progress: Progress | None = None,
) -> list[Path]:
    """Train the networks and write their bundles.

    Args:
        out: Folder: ``corpus/``, a folder for each network with ``metrics.jsonl`` and a
            checkpoint, and ``bundles/``.
        config: TOML file with fields of `KineticsTraining`.
        data: Folder with measured input functions to vary; every fifth is left out.
        max_minutes: Minutes for all of it, spread over the stages.
        resume: Go on where an earlier run stopped.
        overwrite: Begin again.
        seed: Seed.
        workers: Processes that simulate; the cores available if None.
        command: The command line, for the record.
        progress: What to report to.

    Returns:
        The bundles.

    Raises:
        UsageError: If the folder holds an earlier run and neither flag is given.
        InputError: If a file cannot be used.
    """
    from betaplus.kinetics.amortised.corpus import input_curves

    out, progress = Path(out), progress or Silent()
    check_flags(out, resume=resume, overwrite=overwrite, max_minutes=max_minutes, workers=workers)
    plan = read_config(config).within(max_minutes)
    refuse_earlier_run(out, "corpus", resume=resume, overwrite=overwrite)
    found = list(input_curves(data)) if data is not None else []
    if data is not None and not found:
        raise InputError(
            f"no input function in {data}", "expected *_blood.tsv or *_inputfunction.tsv files"
        )
    seen = [pair for i, pair in enumerate(found) if i % 5 != 0]
    record = {
        **{name: getattr(plan, name) for name in ("curves", "draws", "measured_share")},
        "seed": seed,
        "seen": [name for name, _ in seen],
        "held_out": [name for i, (name, _) in enumerate(found) if i % 5 == 0],
    }
    kept = out / "corpus" / "inputs.json"
    if resume:
        _check_same(kept, record)
    first = os.environ.get("RANK", "0") == "0"
    if first:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(record, indent=1) + "\n")
    studies = _corpus(
        out / "corpus", plan, [curve for _, curve in seen], max_minutes, overwrite, seed,
        workers, progress,
    )  # fmt: skip
    if first:
        kept.write_text(json.dumps({"studies": studies, **record}, indent=1) + "\n")
    return _networks(out, plan, studies, found, resume, overwrite, seed, command, progress)


def _check_same(path: Path, record: dict[str, Any]) -> None:
    """Refuse to continue a corpus with other settings than it was begun with."""
    if not path.exists():
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read: {error}", todo="give --overwrite to start again"
        ) from error
    for name, value in record.items():
        if before.get(name, value) == value:
            continue
        if name in ("seen", "held_out"):
            found, expected = "other measured input functions", "those of the earlier run"
        else:
            found, expected = f"{name} {value:g}", f"{before[name]} as in the earlier run"
        raise UsageError(
            f"{found} with --resume", f"expected {expected}", "give --overwrite to start again"
        )


def _corpus(
    folder: Path,
    plan: KineticsTraining,
    measured: Sequence[InputCurve],
    max_minutes: float | None,
    overwrite: bool,
    seed: int,
    workers: int | None,
    progress: Progress,
) -> int:
    """Simulate studies until there are enough or time is up; returns how many there are."""
    from betaplus.engine import default_workers
    from betaplus.kinetics.amortised.corpus import make_corpus
    from betaplus.kinetics.amortised.dataset import corpus_files

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        there = len(corpus_files(folder))
        if overwrite or there < plan.studies:
            raise UsageError(
                f"{there} of {plan.studies} studies under torchrun",
                "expected all of them, to be shared by the processes",
                "simulate on one process first, then give --resume",
            )
        return plan.studies
    if overwrite:
        for path in corpus_files(folder):
            path.unlink()
    started, done = time.monotonic(), 0
    progress.start("studies", plan.studies)
    for now in make_corpus(
        folder,
        studies=plan.studies,
        curves=plan.curves,
        draws=plan.draws,
        seed=seed,
        measured=measured,
        share=plan.measured_share,
        workers=workers or default_workers(),
    ):
        progress.advance(now - done)
        done = now
        spent = (time.monotonic() - started) / 60.0
        if max_minutes is not None and spent > _CORPUS_SHARE * max_minutes and done >= 26:
            break
    progress.finish()
    return done


def _networks(
    out: Path,
    plan: KineticsTraining,
    studies: int,
    found: Sequence[tuple[str, InputCurve]],
    resume: bool,
    overwrite: bool,
    seed: int,
    command: str,
    progress: Progress,
) -> list[Path]:
    import torch
    from safetensors.torch import load_file

    from betaplus.generative.conditional import ConditionalField
    from betaplus.generative.flow import ConditionalFlow
    from betaplus.generative.training import TrainingSettings, train
    from betaplus.kinetics.amortised.dataset import Dataset, corpus_files, split
    from betaplus.kinetics.amortised.flow import FLOW_SIZE
    from betaplus.kinetics.amortised.losses import (
        denoising_loss,
        distillation_loss,
        flow_loss,
    )
    from betaplus.kinetics.amortised.networks import SIZE
    from betaplus.kinetics.amortised.publishing import write_kinetics_bundle

    files = corpus_files(out / "corpus")[:studies]
    training, validation = (Dataset.read(part) for part in split(files))
    checksum = hashlib.sha256(b"".join(path.read_bytes() for path in files[:8])).hexdigest()
    data = {"corpus": checksum, "studies": str(len(files)), "measured": str(len(found))}

    def run(
        stage: str, network: Any, curves: int, draws: int, rate: float, bf16: bool,
        loss: Callable[..., Any],
    ) -> Path:  # fmt: skip
        progress.note(f"training the {stage}")

        def validate(averaged: Any) -> dict[str, float]:
            generator = torch.Generator().manual_seed(seed + 1)
            values = [
                float(loss(averaged, validation.batch(curves, draws, generator), 1.0, generator))
                for _ in range(12)
            ]
            return {"score": sum(values) / len(values)}

        torch.manual_seed(seed)
        result = train(
            network,
            lambda step, rank, world, g: training.batch(curves, draws, g, rank, world),
            loss,
            validate,
            out / stage,
            TrainingSettings(
                steps=_LONGEST,
                max_minutes=getattr(plan, f"{stage}_minutes"),
                learning_rate=rate,
                warmup=300,
                decay_share=0.5,
                weight_decay=1e-4,
                ema_half_life=700.0,
                seed=seed,
                bf16=bf16,
            ),
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
        network.load_state_dict(load_file(result.best))
        metrics = {"score": result.best_score or 0.0}
        if os.environ.get("RANK", "0") != "0":
            return out / "bundles" / f"kinetics-{stage}-v{plan.version}"
        return write_kinetics_bundle(
            out / "bundles", stage, plan.version, network, data, seed, command,
            result.minutes, result.steps, metrics,
        )  # fmt: skip

    torch.manual_seed(seed)
    teacher = ConditionalField(SIZE)
    bundles = [
        run(
            "denoiser", teacher, 128, 24, 2e-3, True,
            lambda network, batch, done, g: denoising_loss(network, batch, g),
        )
    ]  # fmt: skip
    teacher.eval().requires_grad_(False).cpu()
    student = ConditionalField(SIZE)
    student.load_state_dict(teacher.state_dict())
    student.requires_grad_(True)

    def distil(network: Any, batch: Any, done: float, g: Any) -> Any:
        teacher.to(batch[0].device)
        return distillation_loss(network, teacher, batch, g)

    bundles.append(run("consistency", student, 128, 6, 1e-3, False, distil))
    bundles.append(
        run(
            "flow", ConditionalFlow(FLOW_SIZE), 128, 6, 1e-3, False,
            lambda network, batch, done, g: flow_loss(network, batch, g),
        )
    )  # fmt: skip
    return bundles
