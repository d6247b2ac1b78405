"""Curves that all methods are compared on: input functions that no network was trained with.

Networks learn from Feng's curves with spread parameters and from the measured blood of MC1 and of
the PET-BIDS examples. Here the shapes are the arterial plasma of twelve [11C]PBR28 scans and the
image-derived curves of PET-TRACER and KMAP, each rescaled in activity so that late frames have a
median relative SD of 3, 15 or 40 %. Parameters come from the published prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.core.seeds import generator
from betaplus.core.tracer import Tracer
from betaplus.engine import default_workers
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS
from betaplus.pipeline.benchmark.kinetics.cases import LEVELS, QUANTITIES, Scan
from betaplus.pipeline.benchmark.kinetics.real_curves import real_curves
from betaplus.pipeline.benchmark.tracer_studies import data_folder, pbr28_studies
from betaplus.simulation.curves import PUBLISHED_BOX, draw_tacs
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.tracers import find_profile

__all__ = ["SIMULATED", "Batch", "draw_batch", "draw_batches", "spread", "unseen_scans"]

SIMULATED = "simulated, Feng's model, seed"
_FENG_SEED, _FENG_COUNT = 900_000, 8


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """Curves with one input function at one noise level.

    Attributes:
        source: Where the input function came from.
        level: Median late relative SD.
        task: The fit, without draws.
        truth: Shape (n, 6), in the order of `QUANTITIES` of `kinetics.cases`.
        curves: With noise, shape (n, T) [Bq/mL].
        items: Their indices among all curves, shape (n,).
    """

    source: str
    level: float
    task: Task
    truth: np.ndarray
    curves: np.ndarray
    items: np.ndarray

    def __len__(self) -> int:
        return len(self.curves)

    def some(self, count: int) -> Batch:
        """Return its first curves."""
        return Batch(
            source=self.source, level=self.level, task=self.task, truth=self.truth[:count],
            curves=self.curves[:count], items=self.items[:count],
        )  # fmt: skip


def unseen_scans(
    most: int = 0, *, frames: FrameTiming | None = None, radionuclide: str = "F18"
) -> list[Scan]:
    """Return input functions that no network was trained with, as scans with the frames of FDG.

    Where the reference data are absent they are simulated, and `Scan.source` says so.

    Args:
        most: How many, spread over all there are; 0 for all.
        frames: Other frames; input functions that were not measured for as long are left out.
        radionuclide: Whose half-life.
    """
    frames = frames or find_profile("FDG").frames
    end = float(frames.end[-1])
    found: list[tuple[str, InputCurve]] = []
    for study in pbr28_studies(data_folder()):
        if study.blood is not None:
            try:
                curve = study.blood.curve(end)
            except InputError:  # not measured for as long
                continue
            found.append((f"PBR28 {study.subject}_{study.session}", curve))
    for source, curve, _ in real_curves(data_folder()):
        short = source.removeprefix("FDG ")
        if source.startswith("FDG") and curve.time[-1] >= end and not _known(found, curve):
            found.append((f"FDG {short.split()[0]}s", curve))
    if not found:
        found = [_simulated(_FENG_SEED + i, end) for i in range(_FENG_COUNT)]
    chosen = spread(len(found), most or len(found))
    half_life = Tracer.of(radionuclide).half_life
    return [Scan(found[i][1].converted("Bq/mL"), frames, half_life, found[i][0]) for i in chosen]


def spread(total: int, count: int) -> np.ndarray:
    """Return at most `count` indices, even over 0 to `total` - 1."""
    count = min(count, total)
    return ((np.arange(count) + 0.5) * total / count).astype(int)


def draw_batches(
    scans: Sequence[Scan], curves: int, seed: int, levels: Sequence[float] = LEVELS
) -> list[Batch]:
    """Spread curves evenly over input functions and noise levels.

    Args:
        scans: Input functions.
        curves: Curves in all.
        seed: Batch i has the seed `seed` + i.
        levels: Noise levels.
    """
    with ThreadPoolExecutor(default_workers()) as pool:
        doses = list(pool.map(lambda scan: scan.dose(levels[0]), scans))
    cells = [
        (scan, level, dose * (levels[0] / level) ** 2)
        for scan, dose in zip(scans, doses, strict=True)
        for level in levels
    ]
    edges = np.linspace(0, curves, len(cells) + 1).round().astype(int)
    out = []
    for i, (scan, level, dose) in enumerate(cells):
        if edges[i + 1] > edges[i]:
            out.append(draw_batch(scan, level, dose, int(edges[i + 1] - edges[i]), seed + i))
            out[-1].items[:] += edges[i]
    return out


def draw_batch(
    scan: Scan,
    level: float,
    dose: float,
    curves: int,
    seed: int,
    *,
    delay: float = 0.0,
    known: bool = True,
) -> Batch:
    """Draw curves from the published prior.

    Args:
        scan: Input function, frames and half-life.
        level: Noise level that the batch is called by.
        dose: Dose.
        curves: How many.
        seed: Seed.
        delay: Delay of all curves [s].
        known: Whether the fit is told the delay.
    """
    task = Task(
        curve=scan.response(dose).curve,
        frames=scan.frames,
        half_life=scan.half_life,
        model="2TCM",
        prior=PRIORS["published"],
        delay=delay if known else None,
        seed=seed,
    )
    box = dict(PUBLISHED_BOX) | {"delay": ("uniform", delay, delay)}
    truth, _, noisy = draw_tacs(scan.response(dose), box, curves, seed)
    truth["Ki"] = truth["K1"] * truth["k3"] / (truth["k2"] + truth["k3"])
    rows = np.stack([truth[name] for name in QUANTITIES], axis=1)
    return Batch(
        source=scan.source, level=level, task=task, truth=rows, curves=noisy,
        items=np.arange(curves),
    )  # fmt: skip


def _known(found: Sequence[tuple[str, InputCurve]], curve: InputCurve) -> bool:
    """Whether the same samples are there already: regions of one scan share them."""
    return any(
        other.plasma.shape == curve.plasma.shape and np.allclose(other.plasma, curve.plasma)
        for _, other in found
    )


def _simulated(seed: int, end: float) -> tuple[str, InputCurve]:
    profile = find_profile("FDG")
    rng = generator(seed, item=0, draw=5)
    blood = draw_blood(profile.blood, profile.activity_per_gram, end, rng)
    return f"{SIMULATED} {seed}", blood.curve(end)
