"""Simulated curves with posterior draws to learn from, study by study, kept on disk.

The first draw of a curve is the parameters that it was made from; the others are drawn by the exact
method at several times the points that the lean pass has. All are kept in whitened coordinates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from betaplus.core.errors import BetaplusError
from betaplus.core.input_function import InputCurve
from betaplus.kinetics.amortised.condition import TOKEN, Describer, make_probes
from betaplus.kinetics.amortised.lean import LeanPass
from betaplus.kinetics.amortised.studies import Study, draw_curves, draw_study
from betaplus.kinetics.exact.density import PLACES
from betaplus.kinetics.exact.method import Exact
from betaplus.kinetics.method import Task

__all__ = ["FRAMES", "input_curves", "make_corpus", "study_arrays", "whitened"]

FRAMES = 72
"""Frames that tokens are padded to."""

_THOROUGH = Exact.Settings(coarse=512, pilot=256, fine=2048, least_ess=400.0, largest=16384)
_FURTHEST = 12.0


def input_curves(folder: Path) -> Iterator[tuple[str, InputCurve]]:
    """Yield every input function under `folder` that can be used, by path in order.

    Args:
        folder: Holds PET-BIDS ``*_blood.tsv`` or bloodstream ``*_inputfunction.tsv`` files.
    """
    from betaplus.io.blood import load_blood

    paths = sorted([*folder.rglob("*_blood.tsv"), *folder.rglob("*_inputfunction.tsv")])
    for path in paths:
        try:
            blood = load_blood(path)
            curve = blood.curve(float(np.max(blood.time)))
        except BetaplusError:
            continue
        if curve.plasma.max() > 0:
            yield str(path.relative_to(folder)), curve


def whitened(
    task: Task, lean: LeanPass, mean: np.ndarray, factor: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Return whitened coordinates (n, S, D) of parameters (n, S, 6)."""
    z = np.linspace(-6.0, 6.0, 4097)
    columns = [
        np.interp(values[..., place], task.prior[PLACES[place]].at_probit(z), z)
        for place in lean.free
    ]
    centred = np.stack(columns, axis=-1) - mean[:, None]
    x = np.linalg.solve(factor[:, None], centred[..., None])[..., 0]
    return np.clip(x, -_FURTHEST, _FURTHEST)


def study_arrays(study: Study, seed: int, item: int, n: int, draws: int) -> dict[str, np.ndarray]:
    """Return tokens, features, free places and whitened draws of a study's curves."""
    truth, curves = draw_curves(study, n, seed, item)
    task = dataclasses.replace(study.task, samples=draws)
    exact = Exact(_THOROUGH).prepare(task)
    lean = LeanPass(study.task, exact.problem)
    padded = lean.padded(curves)
    pilot = lean.pilots(padded, make_probes())
    condition = Describer(study.task, lean)(padded, pilot)
    found = exact.fit(curves.astype(np.float32), np.arange(n))
    values = np.repeat(truth[:, None], draws + 1, axis=1)
    for place in lean.free:
        column = exact.parameters.index(PLACES[place])
        values[:, 1:, place] = found["samples"][:, column]
    x = np.zeros((n, draws + 1, len(PLACES)), dtype=np.float16)
    x[..., lean.free] = whitened(task, lean, pilot.mean, pilot.factor, values)
    tokens = np.zeros((n, FRAMES, TOKEN), dtype=np.float16)
    tokens[:, : condition.tokens.shape[1]] = condition.tokens
    return {
        "tokens": tokens,
        "frames": np.full(n, condition.tokens.shape[1], dtype=np.int16),
        "features": condition.features.astype(np.float16),
        "free": condition.free.astype(np.float16),
        "x": x,
        "ess": found["ess"].astype(np.float32),
    }


def make_corpus(
    out: Path,
    *,
    studies: int,
    curves: int = 256,
    draws: int = 24,
    seed: int = 0,
    measured: Sequence[InputCurve] = (),
    share: float = 0.5,
    workers: int = 2,
) -> Iterator[int]:
    """Write studies that are not there yet; yield how many there are after each.

    Args:
        out: Folder of the corpus.
        studies: How many.
        curves: Curves of each.
        draws: Posterior draws of each curve.
        seed: Seed.
        measured: Measured input functions to vary.
        share: Share of studies that start from one.
        workers: Processes.
    """
    out.mkdir(parents=True, exist_ok=True)
    wanted = [i for i in range(studies) if not _path(out, i).exists()]
    done = studies - len(wanted)
    yield done
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [(out, seed, i, curves, draws, measured, share) for i in wanted]
        try:
            for _ in pool.map(_write_study, jobs):
                done += 1
                yield done
        finally:
            pool.shutdown(cancel_futures=True)


def _path(out: Path, item: int) -> Path:
    return out / f"study-{item:05d}.npz"


def _write_study(job: tuple[Path, int, int, int, int, Sequence[InputCurve], float]) -> None:
    import torch

    torch.set_num_threads(1)
    out, seed, item, curves, draws, measured, share = job
    arrays = study_arrays(draw_study(seed, item, measured, share), seed, item, curves, draws)
    path = _path(out, item)
    with path.with_suffix(".part").open("wb") as file:
        np.savez(file, **arrays)
    path.with_suffix(".part").rename(path)
