"""Draws of crops by many samplers, in worker processes, kept in files so that a run can go on.

A file holds one draw. Its path tells what the draw depends on: weights and precision, the crop and
what a network is shown of it. A run that was interrupted computes what is missing, on whatever
device, as draws on another differ by rounding alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from betaplus import __version__
from betaplus.core.progress import Progress
from betaplus.denoising.bundle import TrainedDenoiser, load_denoiser
from betaplus.denoising.volume import Volume
from betaplus.engine import make_executor
from betaplus.io.atomic import atomic_path
from betaplus.pipeline.benchmark.denoise.calls.crops import read_crop
from betaplus.pipeline.benchmark.denoise.calls.lines import Line, method_of, one_draw, watched

__all__ = ["Job", "fingerprint", "jobs_of", "make_draws", "read_draws"]

_POLL = 1.0  # s


@dataclass(frozen=True, kw_only=True)
class Job:
    """A draw that is wanted.

    Attributes:
        crop: File of the crop.
        line: How it is drawn.
        draw: Number of the draw.
        file: Where it is kept.
    """

    crop: Path
    line: Line
    draw: int
    file: Path


def jobs_of(
    folder: Path,
    crops: Sequence[Path],
    lines: Sequence[Line],
    networks: Mapping[str, TrainedDenoiser],
) -> list[Job]:
    """Return all draws that are wanted, those that take longest first.

    Args:
        folder: Where draws are kept.
        crops: Files of the crops.
        lines: How they are drawn.
        networks: By the names of their bundles.
    """
    weights = {name: fingerprint(network) for name, network in networks.items()}
    grids = {name: network.voxel for name, network in networks.items()}
    shown = {(crop, grid): _shown(crop, grid) for crop in crops for grid in set(grids.values())}
    folders = {name: folder / f"{name}-{mark}" for name, mark in weights.items()}
    return [
        Job(
            crop=crop,
            line=line,
            draw=draw,
            file=folders[line.bundle]
            / f"{line.slug}_{crop.stem}-{shown[crop, grids[line.bundle]]}_{draw}.npz",
        )
        for line in sorted(lines, key=lambda line: -line.steps)
        for draw in range(line.draws)
        for crop in crops
    ]


def fingerprint(denoiser: TrainedDenoiser) -> str:
    """Return what tells draws of one network from those of another."""
    return _hash(denoiser.bundle.checksum, denoiser.bf16)


def make_draws(
    jobs: Sequence[Job],
    networks: Mapping[str, TrainedDenoiser],
    *,
    workers: int,
    progress: Progress,
) -> None:
    """Make the draws that are not there yet.

    Args:
        jobs: All that are wanted.
        networks: By the names of their bundles.
        workers: Processes, each with one thread; 1 for none but this.
        progress: What to report to; a step is a call of a network.
    """
    missing = [job for job in jobs if not job.file.is_file()]
    if not missing:
        return
    some = next(iter(networks.values()))
    paths = {name: network.bundle.path for name, network in networks.items()}
    count = get_context("spawn").Value("q", 0)
    progress.start("calls of the network", sum(job.line.expected for job in missing))
    executor = make_executor(
        "threads" if workers == 1 else "processes", workers, initializer=_open,
        initargs=(paths, some.bf16, str(some.device), count),
    )  # fmt: skip
    shown = 0
    try:
        waiting: set[Future[None]] = {executor.submit(_draw, job) for job in missing}
        while waiting:
            done, waiting = wait(waiting, _POLL, FIRST_COMPLETED)
            shown, before = int(count.value), shown
            progress.advance(shown - before)
            for future in done:
                future.result()
    finally:
        executor.shutdown(cancel_futures=True)
    progress.finish()


def read_draws(jobs: Sequence[Job], crop: Path, line: Line) -> tuple[np.ndarray, int]:
    """Return the draws of a crop, shape (draws, X, Y, Z) [SUV], and the calls that each took.

    Raises:
        RuntimeError: If draws took different numbers of calls.
    """
    images, calls = [], set()
    for job in jobs:
        if job.crop == crop and job.line == line:
            with np.load(job.file) as kept:
                images.append(kept["image"])
                calls.add(int(kept["calls"]))
    if len(calls) != 1:
        raise RuntimeError(f"draws of {line.name} took {sorted(calls)} calls, expected one number")
    return np.stack(images), calls.pop()


class _Held:
    """What a worker keeps from draw to draw."""

    def __init__(self, paths: Mapping[str, Path], bf16: bool, device: str, count: Any) -> None:
        self.networks = {
            name: load_denoiser(name, path, device=device, bf16=bf16)
            for name, path in paths.items()
        }
        self.count = count
        self.volumes: dict[Path, Volume] = {}

    def volume(self, crop: Path, grid_voxel: float) -> Volume:
        if crop not in self.volumes:
            self.volumes[crop] = read_crop(crop).volume(grid_voxel)
        return self.volumes[crop]


_held: list[_Held] = []


def _open(paths: Mapping[str, Path], bf16: bool, device: str, count: Any) -> None:
    torch.set_num_threads(1)
    _held[:] = [_Held(paths, bf16, device, count)]


def _draw(job: Job) -> None:
    (held,) = _held
    network = held.networks[job.line.bundle]
    volume = held.volume(job.crop, network.voxel)
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1
        with held.count.get_lock():
            held.count.value += 1

    with watched(network.network, call):
        image = one_draw(method_of(job.line, held.networks), volume, job.draw)
    with atomic_path(job.file) as path:
        np.savez(path, image=image, calls=calls)


def _shown(crop: Path, grid_voxel: float) -> str:
    """Return what tells a crop from another, or from itself when inputs are made otherwise.

    Of three digits, so that rounding does not matter.
    """
    shown = read_crop(crop).volume(grid_voxel).shown
    return _hash(f"{shown.images.abs().mean():.2e} {shown.basis.abs().mean():.2e}")


def _hash(*about: object) -> str:
    return hashlib.sha256(repr((__version__, *about)).encode()).hexdigest()[:12]
