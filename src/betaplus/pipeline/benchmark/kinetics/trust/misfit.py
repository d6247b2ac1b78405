"""How often curves are called misfits: right models, livers with two inputs, shifted frames.

All are fitted with a two-tissue model with one input and the default prior, the noise level
unknown, as a table of regions is. The status ``misfit`` comes from the autocorrelation of the
residuals; a shift by one frame has a test of its own, `betaplus.kinetics.frame_shift`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from betaplus.core.input_function import InputCurve
from betaplus.core.posterior import STATUS
from betaplus.core.progress import Progress, Silent
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer
from betaplus.kinetics.fit import fit
from betaplus.kinetics.frame_shift import LIMIT, frame_shift
from betaplus.pipeline.benchmark.kinetics.cases import Scan
from betaplus.pipeline.benchmark.kinetics.trust.cases import (
    TISSUES,
    frame_shifted,
    liver_curves,
    noisy_curves,
    sample_shifted,
    tissue_curves,
)

__all__ = ["LATE_SD", "REGIONS", "misfit_rates", "table_of"]

LATE_SD = (0.01, 0.02, 0.03, 0.15)
"""Relative SD of the last four frames: regions, from large to small, and a voxel."""

REGIONS = 10
"""Regions of a scan whose evidence for a shift is added up."""

_MISFIT = next(code for code, name in STATUS.items() if name == "misfit")
_SHIFT_TISSUE = "grey matter"


class _Case(NamedTuple):
    """Curves at one noise level and how they are fitted."""

    name: str
    kind: str  # right | wrong
    values: np.ndarray
    curve: InputCurve
    delay: float | str
    frames: bool = False  # whether the frames are tested too


def misfit_rates(
    scan: Scan,
    *,
    curves: int = 300,
    late_sd: Sequence[float] = LATE_SD,
    seed: int = 61_000,
    settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Count misfits by case and noise level.

    Args:
        scan: Input function and frames.
        curves: Curves of each case at each level.
        late_sd: Relative SD of late frames.
        seed: Seed of the curves.
        settings: Settings of method ``exact``, in place of those of tables.
        workers: Blocks at work at a time.
        progress: What to report to.

    Returns:
        ``late_sd``; ``residuals``: case to ``right`` (whether the model is), ``rate`` by level,
        the share with status misfit; ``frames``: case to ``right``, ``rate`` (share of curves with
        a log Bayes factor for a shift above the limit) and ``table_rate`` (share of tables of
        `REGIONS` curves whose sum is above it), by level; ``standard_error``: that of a rate of
        80 %; ``limit`` of the log Bayes factor.
    """
    progress = progress or Silent()
    residuals: dict[str, Any] = {}
    frames: dict[str, Any] = {}
    progress.start("misfits", len(late_sd))
    for level in late_sd:
        for case in _cases(scan, curves, level, seed):
            table = table_of(scan, case.values)
            options: Any = {"delay": case.delay, "seed": seed, "workers": workers}
            options["settings"] = settings
            status = fit(table, case.curve, method="exact", predict=False, **options)
            share = float((status.diagnostics["status"] == _MISFIT).mean())
            entry = residuals.setdefault(case.name, {"right": case.kind == "right", "rate": []})
            entry["rate"].append(share)
            if case.frames:
                found = frame_shift(table, case.curve, **options)
                entry = frames.setdefault(
                    case.name, {"right": case.kind == "right", "rate": [], "table_rate": []}
                )
                entry["rate"].append(float(found.shifted.mean()))
                whole = len(table) // REGIONS * REGIONS
                sums = [
                    factor[:whole].reshape(-1, REGIONS).sum(axis=1)
                    for factor in (found.late, found.early)
                ]
                over = np.maximum(*sums) > LIMIT
                entry["table_rate"].append(float(over.mean()) if whole else None)
        progress.advance()
    progress.finish()
    return {
        "curves": curves,
        "seed": seed,
        "late_sd": list(late_sd),
        "residuals": residuals,
        "frames": frames,
        "regions": REGIONS,
        "limit": LIMIT,
        "standard_error": float(np.sqrt(0.8 * 0.2 / curves)),
    }


def table_of(scan: Scan, values: np.ndarray) -> TacTable:
    """Return curves (n, T) [Bq/mL] as a table of the scan."""
    tracer = dataclasses.replace(Tracer.of("F18", name="FDG"), half_life=scan.half_life)
    return TacTable(
        values=values,
        frames=scan.frames,
        unit="Bq/mL",
        names=tuple(f"curve-{i + 1:05d}" for i in range(len(values))),
        tracer=tracer,
        decay_corrected_to=0.0,
    )


def _cases(scan: Scan, n: int, level: float, seed: int) -> list[_Case]:
    response = scan.response(1.0)

    def noisy(clean: np.ndarray, offset: int) -> np.ndarray:
        return noisy_curves(response, clean, level, seed + offset)

    tissue = {name: noisy(tissue_curves(response, name, n, seed), 1) for name in TISSUES}
    grey, curve = tissue[_SHIFT_TISSUE], scan.curve
    known = TISSUES[_SHIFT_TISSUE]["delay"][1]
    late = frame_shifted(grey, np.zeros(n))
    later = sample_shifted(curve)
    fitted = "delay fitted"
    return [
        *(
            _Case(f"{name}, one input", "right", values, curve, "fit")
            for name, values in tissue.items()
            if name != _SHIFT_TISSUE
        ),
        _Case(f"{_SHIFT_TISSUE}, {fitted}", "right", grey, curve, "fit", True),
        _Case(f"{_SHIFT_TISSUE}, delay known", "right", grey, curve, known, True),
        _Case(
            "liver, two inputs",
            "wrong",
            noisy(liver_curves(response, n, seed), 2),
            curve,
            "fit",
        ),
        _Case(
            "liver, two inputs and 10-30 % blood",
            "wrong",
            noisy(liver_curves(response, n, seed, blood_volume=True), 3),
            curve,
            "fit",
        ),
        _Case(f"frames shifted by one, {fitted}", "wrong", late, curve, "fit", True),
        _Case("frames shifted by one, delay known", "wrong", late, curve, known, True),
        _Case(f"input shifted by a sample, {fitted}", "wrong", grey, later, "fit"),
        _Case("input shifted by a sample, delay known", "wrong", grey, later, known),
    ]
