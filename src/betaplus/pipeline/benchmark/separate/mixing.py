"""Part `mixing`: does a pair of images explain the mixture, and is a corrupted frame seen?

Chi-square is that of what the pair leaves of the mixture, without the projection onto it, against
the variance that the simulation gave its noise; degrees of freedom are what a fit leaves of the
noise, found by fitting simulated voxels again (`betaplus.separation.study_checks`). The verb's own
check, against the noise that it sees in the scan, is to pass there, and to warn of the frame that
is then scaled by a quarter more.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress
from betaplus.physics.dual import check_residual
from betaplus.pipeline.benchmark.gate import Gate, gate_lines
from betaplus.pipeline.benchmark.rows import select
from betaplus.pipeline.benchmark.separate.bench import Bench, Plan, plan_of
from betaplus.pipeline.benchmark.separate.candidates import Skip, run_candidate
from betaplus.pipeline.benchmark.separate.cases import Scene, Subject, scan_of
from betaplus.pipeline.benchmark.separate.images import about_plan
from betaplus.pipeline.benchmark.separate.macros import mean_share
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.pipeline.benchmark.separate.summary import skipped
from betaplus.pipeline.benchmark.separate.writing import skip_lines, write_part
from betaplus.pipeline.benchmark.shelf import Task, work_through
from betaplus.pipeline.benchmark.wording import number, opening
from betaplus.separation.fitting import SeparationFit
from betaplus.separation.study_checks import MixingCheck, check_mixing
from betaplus.simulation.dual_study import DualStudy

__all__ = ["BAND", "GAIN", "benchmark_mixing", "known_chi_square", "mixing_gates", "mixing_table"]

BAND = 0.1
"""How far from 1 chi-square may be."""

GAIN = 1.25
"""Of the corrupted frame."""

_PAIR = "FMZ+FDG"
_OPEN = 0.02  # share of the noise that a fit must leave of a frame
_WIDTHS = {
    "tissues": {"neighbours": 0.0},
    "compartment": {"fwhm": 0.0},
    "extrapolation": {"fwhm": 0.0},
    "nmf": {"fwhm": 0.0},
}


def benchmark_mixing(
    out: Path,
    networks: Networks,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    plan: Plan | None = None,
) -> dict[str, Any]:
    """Measure what pairs leave of the mixture.

    Writes ``benchmark_separate_mixing.json`` and ``.md``. Methods have their default settings and
    do not smooth.

    Args:
        out: Folder.
        networks: That are judged.
        quick: One small box, one delay.
        progress: What to report to.
        plan: How much is done, in place of the usual.
    """
    bench = Bench.at(out, plan or plan_of(quick), networks, progress)
    columns = list(bench.plan.methods)
    tasks, names = [], []
    for delay in bench.plan.delays:
        scene = Scene(pair=_PAIR, delay=delay)
        for n in range(bench.plan.people):
            for column in columns:
                word = "_".join(filter(None, (column, networks.name(column))))
                name = f"mixing/{scene.name}_{n}_{word}"
                names.append(name)
                run = partial(_measure, bench, scene, Subject(number=n), column, name)
                tasks.append(Task(name, [name], run))
    work_through(bench.shelf, tasks, bench.progress, "mixing")
    rows = [bench.shelf.get(name) for name in names]
    result: dict[str, Any] = {
        **about_plan(bench),
        "methods": columns,
        "skipped": skipped(rows),
        "gain": GAIN,
        "rows": rows,
    }
    result["gates"] = [gate.as_dict() for gate in mixing_gates(result)]
    write_part(out, "mixing", result, mixing_table(result))
    return result


def known_chi_square(
    simulated: DualStudy, fit: SeparationFit, mixture: np.ndarray, check: MixingCheck
) -> np.ndarray:
    """Return chi-square per degree of freedom of each frame, shape (T,); NaN where it has none.

    Args:
        simulated: The scan, whose noise is known.
        fit: The pair.
        mixture: What it was made from, shape (X, Y, Z, T) [Bq/mL].
        check: The verb's check: the leverage of frames is from it.
    """
    pair = fit.found.x.numpy() * np.float32(fit.study.problem.scale)
    left = mixture - simulated.protocol.mixing.forward(pair)
    open_ = 1.0 - check.leverage > _OPEN
    tissue = fit.study.tissue
    found = check_residual(
        left,
        simulated.noise_sd() ** 2,
        tissue.astype(np.int64),
        {1: "all"},
        leverage=np.where(open_, check.leverage, 0.0),
        together=max(mean_share(simulated, tissue) * float(tissue.sum()), 1.0),
    )
    return np.where(open_, found.chi_square[0], np.nan)


def mixing_gates(result: Mapping[str, Any]) -> list[Gate]:
    """Return the gates: chi-square of `inn` of every scan, frames seen, and false alarms."""
    own = select(result["rows"], method="inn")
    off = max((abs(r["chi_square"] - 1.0) for r in own), default=float("nan"))
    seen = float(np.mean([r["seen"] for r in own])) if own else float("nan")
    false = float(np.mean([bool(r["warned"]) for r in own])) if own else float("nan")
    return [
        Gate(name="inn: chi-square off 1, worst scan", found=off, target=BAND),
        Gate(name="inn: corrupted frames that are flagged", found=seen, target=1.0, least=True),
        Gate(name="inn: scans with a false warning", found=false, target=0.0),
    ]


def mixing_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_mixing` as Markdown."""
    lines = opening("Mixing residual", result)
    lines += [
        f"{_PAIR}, {len(result['people'])} heads, without the projection and without smoothing."
        " Chi-square per degree of freedom against the known variance: mean over scans and frames,"
        " lowest and highest frame; then the verb's own check: scans with a warning, and scans in"
        f" which a frame scaled by {result['gain']:g} was flagged.",
        "",
        *skip_lines(result["skipped"]),
        *gate_lines(mixing_gates(result)),
        "",
        "| method | delay [min] | chi-square | lowest | highest | warned | frame seen |",
        "|---" * 7 + "|",
    ]
    for method in result["methods"]:
        for delay in result["delays"]:
            own = select(result["rows"], method=method, delay=delay)
            if not own:
                continue
            frames = [c for r in own for c in r["frames"] if c is not None]
            lines.append(
                f"| {method} | {delay:g} | {np.mean([r['chi_square'] for r in own]):.3f} |"
                f" {number(min(frames))} | {number(max(frames))} |"
                f" {sum(bool(r['warned']) for r in own)} of {len(own)} |"
                f" {sum(r['seen'] for r in own)} of {len(own)} |"
            )
    return "\n".join([*lines, ""])


def _measure(bench: Bench, scene: Scene, subject: Subject, column: str, name: str) -> None:
    simulated, _ = bench.scan(scene, subject)
    about = {**scene.as_dict(), "subject": subject.name, "method": column}
    mixture = simulated.mixture()
    both = np.flatnonzero((simulated.decay > 0).all(0))
    frame = int(both[len(both) // 2])
    broken = mixture.copy()
    broken[..., frame] *= np.float32(GAIN)
    try:
        fit, check = _checked(bench, simulated, mixture, column)
        _, again = _checked(bench, simulated, broken, column)
    except Skip as why:
        bench.shelf.put(name, {**about, "skipped": str(why)})
        return
    chi = known_chi_square(simulated, fit, mixture, check)
    bench.shelf.put(
        name,
        {
            **about,
            "chi_square": float(np.nanmean(chi)),
            "frames": [float(c) if np.isfinite(c) else None for c in chi],
            "estimated": float(check.overall[0]),
            "warned": [int(f) for f in np.flatnonzero(check.warn[0])],
            "corrupted": frame,
            "warned_of": [int(f) for f in np.flatnonzero(again.warn[0])],
            "seen": bool(again.warn[0][frame]),
        },
    )


def _checked(
    bench: Bench, simulated: DualStudy, mixture: np.ndarray, column: str
) -> tuple[SeparationFit, MixingCheck]:
    study = scan_of(simulated, mixture)
    fit = run_candidate(study, column, _WIDTHS.get(column, {}), bench.networks)
    return fit, check_mixing(study, fit.found, column, fit.made)
