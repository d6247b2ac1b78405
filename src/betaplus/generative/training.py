"""One training loop for every network, resumable, on one process or several.

It knows a network, a function that gives batches and one that gives a loss. A run that is cut short
and resumed sees the batches and random numbers that an unbroken one would: all of them follow from
the seed and the step. On a CPU the two end with the same bits if the steps, not the minutes, decide
the end.
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor, nn

from betaplus.core.errors import InputError, UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.generative.checkpoint import (
    Counts,
    Run,
    has_checkpoint,
    load_checkpoint,
    save_checkpoint,
    save_weights,
)
from betaplus.generative.distributed import Team, join_team
from betaplus.generative.ema import Ema
from betaplus.generative.metrics_log import append_metrics, cut_metrics
from betaplus.generative.training_settings import TrainingSettings
from betaplus.generative.training_step import make_optimizer, stream_key, take_step

__all__ = ["TrainingResult", "TrainingSettings", "train"]

Network = TypeVar("Network", bound=nn.Module)

_PARTS = 1000  # of a run, in which its progress is told


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """How a run ended.

    Attributes:
        best: The best weights, averaged over steps, float32.
        best_step: Step that they are from.
        best_score: Their score; None without validation.
        steps: Steps done, those of earlier runs that this one resumed among them.
        minutes: Minutes used, likewise.
        skipped: Steps left out because the loss or its gradient was not finite.
    """

    best: Path
    best_step: int
    best_score: float | None
    steps: int
    minutes: float
    skipped: int


def train(
    network: Network,
    batch: Callable[[int, int, int, Generator], Any],
    loss: Callable[[Network, Any, float, Generator], Tensor],
    validate: Callable[[Network], dict[str, float]] | None,
    out: Path,
    settings: TrainingSettings,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train a network in place and write its best weights.

    Writes to `out`: ``best.safetensors``, ``metrics.jsonl`` and ``checkpoint/``, which several
    processes must all see.

    Args:
        network: Moved to the device; at the end it has the last weights, not averaged.
        batch: (step, rank, world, generator) to what the loss takes: tensors, in tuples, lists or
            dicts, which are moved to the device. The generator is the same in every process: draw
            for all of them and keep ``[rank::world]``, parts of equal size, and the result does
            not depend on the number of processes. Nothing may be carried from one call to the next.
        loss: (network, batch, progress in [0, 1], generator) to a mean over the batch. The
            generator, on the CPU, differs between processes.
        validate: The network with averaged weights, in evaluation mode, to figures, of which
            ``score`` (lower is better) decides which weights are the best. Without it the last are.
        out: Folder.
        settings: How long and how fast.
        resume: Go on from the checkpoint in `out`; without one, start.
        overwrite: Drop what `out` holds of an earlier run.
        progress: Told of each step and each line of metrics.

    Raises:
        UsageError: If both flags are given, or neither and `out` holds an earlier run, or if there
            is no such device.
        InputError: If the checkpoint is damaged or of another network or other settings; if the
            loss is not finite at 11 steps running; if the score never is.
    """
    if resume and overwrite:
        raise UsageError("--resume and --overwrite are both given", "they exclude each other")
    with join_team(settings.device) as team:
        cuda = [team.device] if team.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            loop = _Loop(network, batch, loss, validate, out, settings, team, progress or Silent())
            with _alone(out) if team.rank == 0 else contextlib.nullcontext():
                loop.begin(resume, overwrite)
                return loop.run_to_end()


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder's lock, so that no two runs write to it.

    Raises:
        UsageError: If another run holds it.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another run is training in {out}", todo="wait for it") from error
        try:
            yield
        finally:
            (out / "lock").unlink(missing_ok=True)


class _Loop:
    def __init__(
        self,
        network: Any,
        batch: Callable[[int, int, int, Generator], Any],
        loss: Callable[[Any, Any, float, Generator], Tensor],
        validate: Callable[[Any], dict[str, float]] | None,
        out: Path,
        settings: TrainingSettings,
        team: Team,
        progress: Progress,
    ) -> None:
        self.batch, self.loss, self.validate = batch, loss, validate
        self.out, self.settings, self.team, self.progress = out, settings, team, progress
        network.to(team.device)
        team.share(network)
        self.run = Run(
            network=network,
            optimizer=make_optimizer(network, settings, team.device),
            ema=Ema(network, settings.ema_half_life),
            counts=Counts(),
        )
        self.averaged = copy.deepcopy(network).eval().requires_grad_(False)
        self.saved = 0
        self.earlier_minutes, self.started = 0.0, time.monotonic()

    def begin(self, resume: bool, overwrite: bool) -> None:
        folder, best = self.out / "checkpoint", self.out / "best.safetensors"
        exists = has_checkpoint(folder)
        if not (resume or overwrite) and (exists or best.exists()):
            raise UsageError(
                f"{self.out} holds an earlier training run",
                todo="give --resume to continue it or --overwrite to start again",
            )
        if resume and exists:
            load_checkpoint(folder, self.run, self.settings)
        counts = self.run.counts
        if self.team.of_first(counts.step) != counts.step:
            raise InputError(
                f"process {self.team.rank} does not see the first one's checkpoint in {self.out}",
                "expected a folder that all processes share",
            )
        self.saved, self.earlier_minutes = counts.step, counts.minutes
        if self.team.rank == 0:
            if not (resume and exists):
                shutil.rmtree(folder, ignore_errors=True)
            for left in self.out.glob(".tmp-*"):
                left.unlink()
            cut_metrics(self.out / "metrics.jsonl", counts.logged)
            # Weights validated after the checkpoint belong to steps that are done again.
            if self.run.best is None:
                best.unlink(missing_ok=True)
            else:
                save_weights(best, self.run.best)

    def run_to_end(self) -> TrainingResult:
        counts, settings = self.run.counts, self.settings
        self.progress.start("training", _PARTS)
        shown = 0
        try:
            while True:
                done = self._share_done()
                self.progress.advance(int(done * _PARTS) - shown)
                shown = int(done * _PARTS)
                if self._due(settings.validate_every, done) and counts.step != counts.logged:
                    self._log()
                if self._due(settings.checkpoint_every, done) and counts.step != self.saved:
                    self._save()
                if done >= 1:
                    break
                take_step(self.run, self.team, settings, self.batch, self.loss, done)
        except KeyboardInterrupt:
            if counts.step != self.saved:
                self._save()
            raise
        self.progress.finish()
        return self._result()

    def _result(self) -> TrainingResult:
        counts, first = self.run.counts, self.team.of_first
        best_step = int(first(counts.best_step or 0))
        score = first(math.nan if counts.best_score is None else counts.best_score)
        if not best_step:
            raise InputError(
                f"the score of {self.out} was not finite at any validation",
                todo="validate more often, or lower the learning rate",
            )
        return TrainingResult(
            best=self.out / "best.safetensors",
            best_step=best_step,
            best_score=None if math.isnan(score) else score,
            steps=counts.step,
            minutes=counts.minutes,
            skipped=counts.skipped,
        )

    def _share_done(self) -> float:
        done = self.run.counts.step / self.settings.steps
        if self.settings.max_minutes is not None:
            # Clocks differ between processes; the first one's decides.
            done = max(done, self.team.of_first(self._minutes()) / self.settings.max_minutes)
        return min(done, 1.0)

    def _due(self, every: int, done: float) -> bool:
        step = self.run.counts.step
        return step > 0 and (step % every == 0 or done >= 1)

    def _minutes(self) -> float:
        return self.earlier_minutes + (time.monotonic() - self.started) / 60

    def _log(self) -> None:
        run, counts = self.run, self.run.counts
        counts.minutes = self._minutes()
        line = {
            "step": counts.step,
            "minutes": counts.minutes,
            "loss": counts.loss_sum / counts.loss_count if counts.loss_count else math.nan,
            "learning_rate": counts.learning_rate,
            "skipped": counts.skipped,
        }
        if self.team.rank == 0:
            figures = self._validated()
            score = figures.get("score")
            if score is None or score < (math.inf if (b := counts.best_score) is None else b):
                run.best = run.ema.averaged()
                save_weights(self.out / "best.safetensors", run.best)
                counts.best_score, counts.best_step = score, counts.step
            append_metrics(self.out / "metrics.jsonl", line | figures)
            shown = {"loss": line["loss"]} | figures
            text = ", ".join(f"{name} {value:.4g}" for name, value in shown.items())
            self.progress.note(f"step {counts.step}: {text}")
        counts.logged, counts.loss_sum, counts.loss_count = counts.step, 0.0, 0

    def _validated(self) -> dict[str, float]:
        if self.validate is None:
            return {}
        self.averaged.load_state_dict(self.run.ema.averaged())
        # The same numbers each time, so that scores differ by the weights alone.
        torch.manual_seed(stream_key(self.settings.seed, "validation"))
        with torch.no_grad():
            figures = {k: float(v) for k, v in self.validate(self.averaged).items()}
        if "score" not in figures:
            raise ValueError(f"validation gave {sorted(figures)}, expected `score` among them")
        return figures

    def _save(self) -> None:
        self.run.counts.minutes = self._minutes()
        if self.team.rank == 0:
            save_checkpoint(self.out / "checkpoint", self.run, self.settings)
        self.saved = self.run.counts.step
