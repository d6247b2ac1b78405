"""The consistency model made to fit one scan: its own frames, input function, prior and noise.

All voxels of a scan share these, so a few minutes on curves simulated for it remove what a network
trained on many scans gets wrong about this one.
"""

from __future__ import annotations

import copy
import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress
from betaplus.core.seeds import generator
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import Distribution

__all__ = ["adapted_settings", "noise_of_curves"]

_SHARES = (0.3, 0.3, 0.4)  # of the minutes: simulation, denoiser, distillation
_CURVES, _DRAWS, _LOOKED_AT = 256, 16, 256
_SLACK = 1.5  # by which the range of noise levels is widened
_LONGEST = 10**9


def noise_of_curves(task: Task, curves: np.ndarray, seed: int) -> Distribution:
    """Return the range of noise levels l of some curves (n, T) [Bq/mL], inside the prior's."""
    from betaplus.kinetics.amortised.condition import make_probes
    from betaplus.kinetics.amortised.lean import LeanPass

    rng = generator(seed, draw=40)
    chosen = np.sort(rng.permutation(len(curves))[:_LOOKED_AT])
    lean = LeanPass(task)
    padded = lean.padded(np.asarray(curves[chosen], dtype=np.float64))
    level = np.exp(lean.pilots(padded, make_probes()[:1]).level)
    level = level * np.sqrt(lean.problem.target.table.scale)
    low, high = np.quantile(level, (0.01, 0.99))
    prior = task.prior["noise"]
    low = float(np.clip(low / _SLACK, prior.low, 0.99 * prior.high))
    high = float(np.clip(high * _SLACK, 1.01 * low, prior.high))
    return Distribution(dist="loguniform", low=low, high=high)


def adapted_settings(
    settings: Any,
    task: Task,
    curves: np.ndarray,
    folder: Path | None,
    progress: Progress,
) -> Any:
    """Return settings that name a bundle adapted to a task, made now unless it is there.

    Args:
        settings: `betaplus.kinetics.amortised.consistency.Consistency.Settings`.
        task: What will be fitted.
        curves: The scan's curves, shape (n, T) [Bq/mL], for their noise.
        folder: Where to keep the bundle, so that a resumed run has the same; None for a temporary
            folder.
        progress: What to report to.
    """
    folder = Path(tempfile.mkdtemp(prefix="betaplus-")) if folder is None else folder / "adapted"
    bundle = folder / "kinetics-consistency-v1"
    if not bundle.exists():
        progress.note(f"adapting the network to this scan: {settings.adapt_minutes:g} min")
        _adapt(settings, task, curves, folder, progress)
    return dataclasses.replace(settings, bundle=str(bundle))


def _adapt(settings: Any, task: Task, curves: np.ndarray, folder: Path, progress: Progress) -> None:
    from betaplus.kinetics.amortised.corpus import study_arrays
    from betaplus.kinetics.amortised.dataset import Dataset
    from betaplus.kinetics.amortised.losses import denoising_loss, distillation_loss
    from betaplus.kinetics.amortised.networks import load_field
    from betaplus.kinetics.amortised.publishing import write_kinetics_bundle
    from betaplus.kinetics.amortised.studies import Study

    minutes, seed = settings.adapt_minutes, task.seed
    study = Study(task=task, noise=noise_of_curves(task, curves, seed))
    until, arrays = time.monotonic() + 60.0 * _SHARES[0] * minutes, []
    while not arrays or time.monotonic() < until:
        item = (1 << 30) + len(arrays)  # no item of the scan
        arrays.append(study_arrays(study, seed, item, _CURVES, _DRAWS))
    data = Dataset(arrays)
    progress.note(f"simulated {len(data)} curves of this scan")
    teacher = copy.deepcopy(load_field("denoiser", "", "cpu")[0])
    student = copy.deepcopy(load_field("consistency", settings.bundle, "cpu")[0])
    _tune(
        teacher, data, 16, 5e-4, _SHARES[1] * minutes, folder / "denoiser", seed,
        lambda network, batch, done, g: denoising_loss(network, batch, g), progress,
    )  # fmt: skip
    teacher.requires_grad_(False).eval()
    steps = _tune(
        student, data, 6, 3e-4, _SHARES[2] * minutes, folder / "consistency", seed,
        lambda network, batch, done, g: distillation_loss(network, teacher, batch, g), progress,
    )  # fmt: skip
    write_kinetics_bundle(
        folder, "consistency", 1, student, {"corpus": "the scan's own frames and input function"},
        seed, f"--adapt-minutes {minutes:g}", minutes, steps, {},
    )  # fmt: skip


def _tune(
    network: Any,
    data: Any,
    draws: int,
    rate: float,
    minutes: float,
    folder: Path,
    seed: int,
    loss: Any,
    progress: Progress,
) -> int:
    """Train on and put the averaged weights into the network; returns the number of steps."""
    from safetensors.torch import load_file

    from betaplus.generative.training import TrainingSettings, train

    network.requires_grad_(True)
    result = train(
        network,
        lambda step, rank, world, g: data.batch(128, draws, g, rank, world),
        loss,
        None,
        folder,
        TrainingSettings(
            steps=_LONGEST,
            max_minutes=minutes,
            learning_rate=rate,
            warmup=50,
            decay_share=0.6,
            ema_half_life=150.0,
            validate_every=_LONGEST,
            checkpoint_every=_LONGEST,
            seed=seed,
            device="cpu",
        ),
        overwrite=True,
        progress=progress,
    )
    network.load_state_dict(load_file(result.best))
    network.eval()
    return result.steps
