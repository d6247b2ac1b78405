"""Part `real`: sums of real curves, C-11 of one person and FDG of another, by all methods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.core.settings import make_settings
from betaplus.pipeline.benchmark.rows import select
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.pipeline.benchmark.separate.real.sums import RealSum, real_sums, with_noise
from betaplus.pipeline.benchmark.separate.summary import skipped
from betaplus.pipeline.benchmark.separate.writing import skip_lines, write_part
from betaplus.pipeline.benchmark.tracer_studies import data_folder
from betaplus.pipeline.benchmark.wording import number, opening
from betaplus.separation.method import LEARNED, METHODS, find_method
from betaplus.separation.problem import SeparationProblem
from betaplus.simulation.dynamic import NOISE_LEVEL

__all__ = ["benchmark_real", "curve_error", "mixture_share", "real_table"]

DELAYS = (600.0, 1200.0, 1800.0)  # s
LEVELS = (0.0, NOISE_LEVEL)
"""Noise levels of voxels [sqrt(Bq/mL min)]."""

_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "compartment": {"shared_volume": False, "prior": 0.25},  # parts are of two people
    "extrapolation": {"prior": 0.25},
}


def benchmark_real(
    out: Path,
    networks: Networks,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Measure all methods on sums of real curves.

    Writes ``benchmark_separate_real.json`` and ``.md``, which say so where there are no data.

    Args:
        out: Folder.
        networks: That are judged.
        quick: One scan of each tracer, one delay, two methods.
        progress: What to report to.
        folder: Reference data; that of ``BETAPLUS_DATA`` if None.
    """
    progress = progress or Silent()
    where = data_folder() if folder is None else folder
    methods = ("linear", "extrapolation") if quick else tuple(METHODS)
    delays, scans = ((1200.0,), 1) if quick else (DELAYS, 4)
    rows: list[dict[str, Any]] = []
    for number_, one in enumerate(real_sums(where, delays, scans)):
        progress.note(f"{one.name} at {one.delay / 60:g} min")
        for level in LEVELS:
            problem = with_noise(one, level, number_) if level else one.problem
            rows += [_row(one, problem, level, method, networks) for method in methods]
    result: dict[str, Any] = {
        "quick": quick,
        "missing": "" if rows else "no reference data: set BETAPLUS_DATA to a folder that has them",
        "methods": list(methods),
        "delays": list(delays),
        "levels": list(LEVELS),
        "networks": networks.record,
        "skipped": skipped(rows),
        "rows": rows,
    }
    write_part(out, "real", result, real_table(result))
    return result


def curve_error(found: np.ndarray, truth: np.ndarray, duration: np.ndarray) -> float:
    """Return |found - truth| / |truth| with frames weighted by their duration.

    Args:
        found: Curves, shape (..., F).
        truth: The curve, shape (F,).
        duration: Of its frames, shape (F,) [s].
    """
    square = ((found - truth) ** 2) @ duration
    return math.sqrt(float(np.mean(square)) / float((truth**2) @ duration))


def mixture_share(one: RealSum) -> float:
    """Return how much of the activity is the second tracer's, in frames that hold both."""
    activity = (one.problem.decay * one.truth * one.problem.frames.duration)[:, one.problem.seen[1]]
    return float(activity[1].sum() / activity.sum())


def real_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_real` as Markdown."""
    lines = opening("Sums of real curves", result)
    if result["missing"]:
        return "\n".join([*lines, result["missing"], ""])
    lines += [
        "Errors of the mean curve of a block of voxels over the size of the curve, frames weighted"
        " by their duration: medians over scans and regions; in brackets those of voxels. What a"
        " method expects of [11C]MC1 is the population of [11C]PBR28.",
        "",
        *skip_lines(result["skipped"]),
    ]
    for pair in dict.fromkeys(row["pair"] for row in result["rows"]):
        for level in result["levels"]:
            noise = "without noise" if not level else f"voxel noise of level {level:g}"
            for i, tracer in enumerate(pair.split("+")):
                lines += [f"## {pair}, {noise}: {tracer}", ""]
                shares = [row["share"] for row in select(result["rows"], pair=pair)]
                least, most = (100.0 * (v if i else 1.0 - v) for v in (min(shares), max(shares)))
                lines += [
                    f"{min(least, most):.0f} to {max(least, most):.0f} % of the activity in frames"
                    " that hold both tracers.",
                    "",
                ]
                lines += [
                    "| method | " + " | ".join(f"{d / 60:g} min" for d in result["delays"]) + " |",
                    "|---" * (len(result["delays"]) + 1) + "|",
                ]
                for method in result["methods"]:
                    of_method = select(result["rows"], pair=pair, level=level, method=method)
                    cells = [_cell(select(of_method, delay=delay), i) for delay in result["delays"]]
                    if any(cells):
                        lines.append(f"| {method} | " + " | ".join(cells) + " |")
                lines.append("")
    return "\n".join(lines)


def _cell(rows: Sequence[Mapping[str, Any]], tracer: int) -> str:
    if not rows:
        return ""
    mean, voxel = (float(np.median([r[k][tracer] for r in rows])) for k in ("mean", "voxel"))
    return f"{number(mean)} ({number(voxel)})"


def _row(
    one: RealSum, problem: SeparationProblem, level: float, method: str, networks: Networks
) -> dict[str, Any]:
    about: dict[str, Any] = {
        "name": one.name, "pair": one.pair, "delay": one.delay, "level": level, "method": method,
        "share": mixture_share(one),
    }  # fmt: skip
    kind, trained = find_method(method), networks.of(method)
    if method in LEARNED and trained is None:
        return {**about, "skipped": networks.missing[method]}
    settings = make_settings(kind.Settings, dict(_SETTINGS.get(method, {})))
    try:
        made = kind(settings) if trained is None else kind(settings, trained)
        x = made.fit(problem).x.numpy()
    except (UsageError, InputError) as why:
        return {**about, "skipped": str(why)}
    errors: dict[str, list[float]] = {"mean": [], "voxel": []}
    for i, seen in enumerate(problem.seen):
        duration, truth = problem.frames.duration[seen], one.truth[i, seen]
        found = x[i][..., seen].reshape(-1, int(seen.sum())).astype(np.float64)
        errors["mean"].append(curve_error(found.mean(0), truth, duration))
        errors["voxel"].append(curve_error(found, truth, duration))
    return {**about, **errors}
