"""How the consistency model does on scans that are unlike those of the main comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.posterior import STATUS
from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.kinetics.methods.cases import Batch, draw_batch, unseen_scans
from betaplus.pipeline.benchmark.kinetics.methods.entries import ENTRIES, run_entry
from betaplus.pipeline.benchmark.kinetics.methods.reference import reference
from betaplus.pipeline.benchmark.kinetics.methods.scores import (
    TAILS,
    accuracy,
    coverage_by_level,
    held,
)

__all__ = ["LONG_FRAMES", "SHIFTS", "Shift", "shifts"]

LONG_FRAMES = FrameTiming.from_durations(
    [15.0] * 8 + [60.0] * 4 + [120.0] * 5 + [360.0] * 7 + [480.0] * 4
)
"""28 frames over 90 minutes."""

_LEVEL = 0.15
_DRAWS = 200
_REFINED = next(code for code, name in STATUS.items() if name == "refined")


@dataclass(frozen=True, kw_only=True)
class Shift:
    """What is unlike.

    Attributes:
        name: In words.
        dose: Factor on the dose at which late frames have an SD of 15 %.
        frames: Frames; those of FDG if None.
        radionuclide: Whose half-life.
        delay: Delay of the curves [s].
        known: Whether the fit is told it.
    """

    name: str
    dose: float = 1.0
    frames: FrameTiming | None = None
    radionuclide: str = "F18"
    delay: float = 0.0
    known: bool = True


SHIFTS = (
    Shift(name="none"),
    Shift(name="half the dose", dose=0.5),
    Shift(name="28 frames over 90 min", frames=LONG_FRAMES),
    Shift(name="half-life of C-11", radionuclide="C11"),
    Shift(name="delay of 20 s, known", delay=20.0),
    Shift(name="delay of 20 s, fitted", delay=20.0, known=False),
)


def shifts(
    curves: int, covered: int, inputs: int, draws: int, seed: int, progress: Progress
) -> list[dict[str, Any]]:
    """Judge the consistency model, raw and re-weighted, at 15 % noise.

    Args:
        curves: Curves with a reference.
        covered: Curves for coverage.
        inputs: Input functions they are spread over.
        draws: Draws per curve where there is a reference.
        seed: Seed.
        progress: What to report to.

    Returns:
        For each of `SHIFTS` its ``name``, ``sources``, and for each of the two its ``accuracy`` and
        ``coverage``, and ``handed_over``: the share of curves that refinement would do again.

    Raises:
        InputError: If there are no weights.
    """
    entries = [entry for entry in ENTRIES if entry.method == "consistency"]
    out = []
    for number, shift in enumerate(SHIFTS):
        progress.note(f"shift {number + 1} of {len(SHIFTS)}: {shift.name}")
        scans = unseen_scans(inputs, frames=shift.frames, radionuclide=shift.radionuclide)
        each, many = curves // len(scans), covered // len(scans)
        judged: list[Batch] = []
        counted: list[Batch] = []
        for i, scan in enumerate(scans):
            dose = shift.dose * scan.dose(_LEVEL)
            for batches, count, more in ((judged, each, 0), (counted, many, 500)):
                start = seed + 1000 * number + more + i
                batches.append(
                    draw_batch(
                        scan, _LEVEL, dose, count, start, delay=shift.delay, known=shift.known
                    )
                )
        trusted = reference(judged, progress)
        truth = np.concatenate([batch.truth for batch in counted])
        level = np.full(len(truth), _LEVEL)
        row: dict[str, Any] = {
            "name": shift.name,
            "sources": [scan.source for scan in scans],
            "curves": len(trusted.mean),
            "covered": len(truth),
            "least_ess": float(trusted.ess.min()),
            "found": {},
        }
        for entry in entries:
            found = run_entry(entry, judged, draws, progress=progress)
            inside = run_entry(entry, counted, _DRAWS, quantiles=TAILS, progress=progress)
            coverage = coverage_by_level(held(inside.quantiles, truth), level)["all"]
            row["found"][entry.label] = {
                "accuracy": accuracy(found.mean, found.std, trusted.mean, trusted.std),
                "coverage": coverage,
                "handed_over": float((found.status == _REFINED).mean()),
            }
        out.append(row)
    return out
