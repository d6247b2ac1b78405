"""The training of a baseline: its learning rate by short trials, then its minutes, resumable."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from betaplus.core.errors import InputError
from betaplus.core.progress import Progress
from betaplus.generative.training import TrainingResult, TrainingSettings, train
from betaplus.generative.training_step import stream_key
from betaplus.io.jsons import read_json, write_json
from betaplus.pipeline.benchmark.denoise.learned_baselines.networks import Baseline, Judge
from betaplus.pipeline.benchmark.denoise.learned_baselines.plan import BaselinePlan
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.prefetch import Prefetched

__all__ = ["Trained", "train_baseline"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """A baseline with its weights.

    Attributes:
        name: Of it.
        network: In evaluation mode.
        checksum: SHA-256 of the file of weights.
        record: How it was trained, and its figures on held-out boxes, as JSON knows it.
    """

    name: str
    network: nn.Module
    checksum: str
    record: dict[str, Any]


def train_baseline(
    baseline: Baseline,
    folder: Path,
    corpus: Corpus,
    plan: BaselinePlan,
    *,
    minutes: float,
    seed: int,
    workers: int,
    progress: Progress,
) -> Trained:
    """Train a baseline, or go on where an earlier run stopped.

    Writes ``metrics.jsonl``, ``best.safetensors``, ``choice.json`` and a checkpoint.

    Args:
        baseline: What is trained.
        folder: Of it alone.
        corpus: Boxes; one person in twelve validates.
        plan: Settings.
        minutes: Of training, its validations among them, trials not.
        seed: Of the run.
        workers: Processes that make batches ahead.
        progress: What to report to.

    Raises:
        InputError: If the folder holds a run of other settings.
    """
    training, held = corpus.split()
    runs = _Runs(
        baseline=baseline, folder=folder, training=training, plan=plan, seed=seed,
        workers=workers, judge=baseline.judge(held, plan, seed + 1), progress=progress,
    )  # fmt: skip
    choice = runs.choose()
    progress.note(f"{baseline.name}: {choice['loss']}, learning rate {choice['rate']:g}")
    network, result = runs.train(
        folder, choice["loss"], choice["rate"], plan.most_steps, minutes=minutes
    )
    network.load_state_dict(load_file(result.best))
    network.eval().requires_grad_(False)
    figures = runs.judge(network, True)
    record = {
        "name": baseline.name,
        "parameters": sum(p.numel() for p in network.parameters()),
        "loss": choice["loss"],
        "rate": choice["rate"],
        "tried": choice["tried"],
        "minutes": result.minutes,
        "steps": result.steps,
        "best_step": result.best_step,
        "seed": seed,
        "held_out": figures,
    }
    checksum = hashlib.sha256(result.best.read_bytes()).hexdigest()
    return Trained(name=baseline.name, network=network, checksum=checksum, record=record)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Runs:
    baseline: Baseline
    folder: Path
    training: Corpus
    plan: BaselinePlan
    seed: int
    workers: int
    judge: Judge
    progress: Progress

    def choose(self) -> dict[str, Any]:
        """Return the loss and the learning rate that do best in short trials, kept in a file.

        Rates are tried with the first loss, then other losses with the best rate.
        """
        plan, losses = self.plan, self.baseline.losses
        rates = self.baseline.rates or plan.rates
        asked = {
            "losses": list(losses), "rates": list(rates), "steps": plan.trial_steps,
            "seed": self.seed,
        }  # fmt: skip
        kept = self.folder / "choice.json"
        if kept.exists() and (found := read_json(kept))["asked"] == asked:
            return found
        tried: list[dict[str, Any]] = []
        if plan.trial_steps and len(rates) * len(losses) > 1:
            tried += [self._trial(losses[0], rate) for rate in rates]
            rate = _best(tried)["rate"]
            tried += [self._trial(loss, rate) for loss in losses[1:]]
        best = _best(tried) if tried else {"loss": losses[0], "rate": rates[0]}
        choice = {"asked": asked, "loss": best["loss"], "rate": best["rate"], "tried": tried}
        write_json(kept, choice)
        return choice

    def _trial(self, loss: str, rate: float) -> dict[str, Any]:
        """Return how a short run ends; one that diverges has no score."""
        folder = self.folder / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            score = self.train(folder, loss, rate, self.plan.trial_steps)[1].best_score
        except InputError:  # no loss or no score was finite: nothing else can be wrong with it
            score = None
        shutil.rmtree(folder, ignore_errors=True)
        trial = {"loss": loss, "rate": rate, "score": score}
        self.progress.note(f"{self.baseline.name}, trial: {trial}")
        return trial

    def train(
        self, folder: Path, loss: str, rate: float, steps: int, *, minutes: float | None = None
    ) -> tuple[nn.Module, TrainingResult]:
        """Train to a number of steps or minutes; return the network and how it ended."""
        plan, baseline = self.plan, self.baseline
        torch.manual_seed(self.seed)
        network = baseline.build(plan)
        batches, items = baseline.batches(self.training, plan)
        ahead = self.workers if minutes is not None else 0
        with Prefetched(
            batches, items, lambda step: stream_key(self.seed, "batch", step), ahead
        ) as made:
            result = train(
                network,
                made,
                lambda net, batch, done, chosen: baseline.loss(net, batch, loss, chosen),
                lambda net: self.judge(net, False),
                folder,
                TrainingSettings(
                    steps=steps,
                    max_minutes=minutes,
                    learning_rate=rate,
                    warmup=min(plan.warmup, max(steps // 5, 1)),
                    decay_share=0.4,
                    ema_half_life=plan.ema_half_life,
                    validate_every=plan.validate_every,
                    checkpoint_every=plan.validate_every,
                    seed=self.seed,
                    bf16=plan.bf16,
                ),
                resume=True,
                progress=self.progress,
            )
        return network, result


def _best(tried: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the trial with the least score.

    Raises:
        InputError: If all diverged.
    """
    known = [trial for trial in tried if trial["score"] is not None]
    if not known:
        raise InputError(f"all of {len(tried)} trials diverged", "expected one that does not")
    return min(known, key=lambda trial: trial["score"])
