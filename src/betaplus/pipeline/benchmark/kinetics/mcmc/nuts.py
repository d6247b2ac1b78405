"""Method `exact` against NUTS under the default prior, delay fitted: simulated and real curves."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.core.settings import make_settings
from betaplus.engine import default_workers
from betaplus.kinetics.method import Task, find_method
from betaplus.kinetics.prior import PRIORS
from betaplus.pipeline.benchmark.kinetics.cases import LEVELS, Scan
from betaplus.pipeline.benchmark.kinetics.real_curves import real_curves

__all__ = ["COMPARED", "nuts_agreement", "nuts_table"]

COMPARED = ("K1", "k2", "k3", "k4", "VB", "delay", "Ki")
"""What is compared."""

_SEED = 5000
_GROUP = 8  # curves that one thread samples together
_LIMITS = {"mean": 0.05, "std": 0.05}


@dataclass(frozen=True, eq=False)
class _Case:
    """Curves with one input function: a task, the curves (n, T) [Bq/mL], and what they are."""

    source: str
    task: Task
    curves: np.ndarray
    names: tuple[str, ...]


def nuts_agreement(
    scan: Scan,
    *,
    curves: int = 64,
    seed: int = _SEED,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare posterior means and SDs of `exact`, as a table of curves gets it, with NUTS.

    Args:
        scan: Input function and frames of the simulated curves.
        curves: Simulated curves, a third at each of `LEVELS`; real ones come on top where the
            reference data are there.
        seed: Curves of level i are those of `scan.draw(dose, n, seed + i, delay=True)`.
        settings: Settings of NUTS.
        progress: What to report to.

    Returns:
        For groups ``simulated`` and ``real``: parameter to median, 90th percentile and worst of
        |mean difference| / SD (``mean``) and |SD ratio - 1| (``std``), the reference's SD; and over
        all parameters. ``reference``: R-hat, effective sample sizes and the share that converged.
        ``curves``: every curve's numbers; ``seconds`` of both methods; ``meets``: whether every
        median is within .05 SD and 5 %.

    Raises:
        UsageError: If numpyro is missing.
    """
    progress = progress or Silent()
    kind = find_method("nuts")
    chosen = make_settings(kind.Settings, settings or {})
    cases = [*_simulated(scan, curves, seed), *_real()]
    total = sum(len(case.curves) for case in cases)
    progress.start("NUTS", total)
    rows: list[dict[str, Any]] = []
    seconds = {"exact": 0.0, "nuts": 0.0}
    with ThreadPoolExecutor(default_workers()) as pool:
        jobs = {}
        for case in cases:
            fitter = kind(chosen).prepare(case.task)
            for first in range(0, len(case.curves), _GROUP):
                some = np.arange(first, min(first + _GROUP, len(case.curves)))
                jobs[pool.submit(_timed, fitter, case.curves[some], some)] = (case, fitter, some)
        for job in as_completed(jobs):
            case, fitter, some = jobs[job]
            reference, spent = job.result()
            seconds["nuts"] += spent
            exact = find_method("exact")()
            ours = exact.prepare(case.task)
            found, spent = _timed(ours, case.curves[some], some)
            seconds["exact"] += spent
            rows += _rows(case, some, found, ours.parameters, reference, fitter.parameters)
            progress.advance(len(some))
    progress.finish()
    rows.sort(key=lambda row: (row["source"], row["name"]))
    groups = {
        name: _summary(chosen_rows)
        for name, chosen_rows in (
            ("simulated", [row for row in rows if row["source"] in map(_level, LEVELS)]),
            ("real", [row for row in rows if row["source"] not in map(_level, LEVELS)]),
        )
        if chosen_rows
    }
    return {
        "groups": groups,
        "reference": {
            "worst_rhat": max(row["rhat"] for row in rows),
            "least_ess": min(row["nuts_ess"] for row in rows),
            "median_ess": float(np.median([row["nuts_ess"] for row in rows])),
            "converged": sum(row["converged"] for row in rows),
        },
        "curves": rows,
        "seconds": seconds,
        "settings": dataclasses.asdict(chosen),
        "seed": seed,
        "meets": all(
            part["all"][key]["median"] <= _LIMITS[key]
            for part in groups.values()
            for key in _LIMITS
        ),
    }


def _level(level: float) -> str:
    return f"{100 * level:.0f} % noise"


def _simulated(scan: Scan, curves: int, seed: int) -> Iterator[_Case]:
    sizes = np.diff(np.linspace(0, curves, len(LEVELS) + 1).round().astype(int))
    for i, (level, n) in enumerate(zip(LEVELS, sizes, strict=True)):
        if n:
            dose = scan.dose(level)
            task = dataclasses.replace(
                scan.task(dose, delay=True), prior=PRIORS["default"], thorough=True
            )
            drawn = scan.draw(dose, int(n), seed + i, delay=True)
            names = tuple(f"#{j}" for j in range(n))
            yield _Case(_level(level), task, drawn.noisy, names)


def _real() -> Iterator[_Case]:
    for source, curve, table in real_curves():
        task = Task(
            curve=curve.converted("Bq/mL"),
            frames=table.frames,
            half_life=table.tracer.half_life,
            model="2TCM",
            prior=PRIORS["default"],
            delay=None,
            thorough=True,
        )
        yield _Case(source, task, table.values, table.names)


def _timed(fitter: Any, curves: np.ndarray, items: np.ndarray) -> tuple[dict[str, Any], float]:
    began = time.perf_counter()
    return fitter.fit(curves, items), time.perf_counter() - began


def _rows(
    case: _Case,
    some: np.ndarray,
    found: Mapping[str, np.ndarray],
    names: tuple[str, ...],
    reference: Mapping[str, np.ndarray],
    reference_names: tuple[str, ...],
) -> Iterator[dict[str, Any]]:
    ours = [names.index(name) for name in COMPARED]
    theirs = [reference_names.index(name) for name in COMPARED]
    for i, item in enumerate(some):
        sd = reference["std"][i, theirs].astype(np.float64)
        off = (found["mean"][i, ours] - reference["mean"][i, theirs]) / sd
        yield {
            "source": case.source,
            "name": case.names[int(item)],
            "mean": off.tolist(),
            "std": (found["std"][i, ours] / sd - 1.0).tolist(),
            "ess": float(found["ess"][i]),
            "nuts_ess": float(reference["ess"][i]),
            "rhat": float(reference["rhat"][i]),
            "converged": bool(reference["converged"][i]),
            "reference_mean": reference["mean"][i, theirs].tolist(),
            "reference_std": sd.tolist(),
        }


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    size = {key: np.abs([row[key] for row in rows]) for key in ("mean", "std")}
    labels = [f"{row['source']} {row['name']}" for row in rows]
    for p, name in [*enumerate(COMPARED), (slice(None), "all")]:
        out[name] = {}
        for key, values in size.items():
            mine = values[:, p].reshape(len(rows), -1)
            worst = int(mine.max(axis=1).argmax())
            out[name][key] = {
                "median": float(np.median(mine)),
                "p90": float(np.quantile(mine, 0.9)),
                "worst": float(mine.max()),
                "worst_curve": labels[worst],
            }
    return {"count": len(rows), **out}


def nuts_table(result: Mapping[str, Any]) -> str:
    """Return the comparison as Markdown tables."""
    reference, seconds = result["reference"], result["seconds"]
    n = len(result["curves"])
    chains = result["settings"]["chains"]
    lines = [
        f"{n} curves; NUTS with {chains} chains: R-hat at most {reference['worst_rhat']:.4f}, bulk"
        f" ESS at least {reference['least_ess']:.0f} (median {reference['median_ess']:.0f}),"
        f" {reference['converged']} of {n} converged. Time of one thread:"
        f" {seconds['exact']:.1f} s by exact, {seconds['nuts']:.0f} s by NUTS.",
    ]
    for group, part in result["groups"].items():
        lines += [
            "",
            f"| {group}, {part['count']} curves | mean: median | p90 | worst | SD: median | p90 |"
            " worst |",
            "|---|---|---|---|---|---|---|",
        ]
        for name in (*COMPARED, "all"):
            cells = [name]
            for key in ("mean", "std"):
                entry = part[name][key]
                cells += [
                    f"{entry['median']:.3f}",
                    f"{entry['p90']:.3f}",
                    f"{entry['worst']:.2f} ({entry['worst_curve']})",
                ]
            lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "Means: absolute difference in SDs of the reference; SDs: absolute ratio - 1.",
        *(
            f"- not converged: {row['source']} {row['name']}: R-hat {row['rhat']:.3f}, ESS"
            f" {row['nuts_ess']:.0f}"
            for row in result["curves"]
            if not row["converged"]
        ),
    ]
    return "\n".join(lines)
