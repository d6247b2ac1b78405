"""Part `spread`: does the SD of a voxel say how far off it is?

Small scans of heads under protocols as training draws them. Intervals of a voxel in a frame are its
value and a normal quantile times its SD; the conformal factor that other heads would scale them by
is stated beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from betaplus.core.progress import Progress, Silent
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.pipeline.benchmark.gate import Gate, gate_lines
from betaplus.pipeline.benchmark.rows import Row, select
from betaplus.pipeline.benchmark.separate.candidates import Skip, run_candidate
from betaplus.pipeline.benchmark.separate.cases import make_case, person_of
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.pipeline.benchmark.separate.summary import skipped
from betaplus.pipeline.benchmark.separate.writing import skip_lines, write_part
from betaplus.pipeline.benchmark.shelf import Shelf, Task, work_through
from betaplus.pipeline.benchmark.wording import opening
from betaplus.simulation.dual_study import (
    FIRST_CALIBRATION,
    FIRST_TEST,
    STANDARD,
    draw_dual_protocol,
    draw_dual_study,
)

__all__ = ["LEVELS", "SpreadPlan", "benchmark_spread", "factor_of", "held", "spread_table"]

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Of the intervals."""

BAND = 0.03
"""How far from .9 the coverage of 90 % intervals may be."""

_EDGES = np.append(np.arange(0.0, 8.0, 0.02), np.inf)  # of errors over SD
_DELAYS = ((0.0, 10.0), (10.0, 20.0), (20.0, 30.0), (30.0, 40.01))  # min
_LEAST_HEAD = 0.3  # of a box


@dataclass(frozen=True, kw_only=True)
class SpreadPlan:
    """How much is done.

    Attributes:
        people: That are judged.
        calibration: People whose factor is stated.
        boxes: Scans of each.
        edge: Of each [voxels of 2.5 mm].
        methods: Names.
    """

    people: int = 24
    calibration: int = 12
    boxes: int = 4
    edge: int = 32
    methods: tuple[str, ...] = ("inn", "tissues", "linear")

    @property
    def folder(self) -> str:
        """Name of the folder of items: those of different plans do not mix."""
        return f"spread_{self.edge}_{self.boxes}_{'-'.join(self.methods)}"


def benchmark_spread(
    out: Path,
    networks: Networks,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    plan: SpreadPlan | None = None,
) -> dict[str, Any]:
    """Judge the SD of voxels.

    Writes ``benchmark_separate_spread.json`` and ``.md``. Methods have their default settings.

    Args:
        out: Folder.
        networks: That are judged.
        quick: One person each, one small box, without a network.
        progress: What to report to.
        plan: How much is done, in place of the usual.
    """
    little = SpreadPlan(people=1, calibration=1, boxes=1, edge=20, methods=("tissues", "linear"))
    chosen = plan or (little if quick else SpreadPlan())
    shelf = Shelf(out / "_".join(filter(None, (chosen.folder, networks.name("inn")))))
    known = [FIRST_CALIBRATION + 50 + n for n in range(chosen.calibration)]
    judged = [FIRST_TEST + 200 + n for n in range(chosen.people)]
    tasks = [
        Task(str(seed), [str(seed)], partial(_measure, shelf, chosen, networks, seed))
        for seed in (*known, *judged)
    ]
    work_through(shelf, tasks, progress or Silent(), "people")
    before, rows = (
        [row for seed in seeds for row in shelf.get(str(seed))["rows"]] for seeds in (known, judged)
    )
    result: dict[str, Any] = {
        "quick": quick,
        "plan": asdict(chosen),
        "networks": networks.record,
        "calibration": [known[0], known[-1]],
        "judged": [judged[0], judged[-1]],
        "scans": len({(r["person"], r["box"]) for r in rows}),
        "skipped": skipped(rows),
        "rows": [r for r in rows if "skipped" not in r],
        "factors": {method: factor_of(select(before, method=method)) for method in chosen.methods},
    }
    result["gates"] = [gate.as_dict() for gate in _gates(result)]
    write_part(out, "spread", result, spread_table(result))
    return result


def held(rows: Sequence[Row], level: float, factor: float = 1.0) -> float:
    """Return the share of voxels and frames whose interval holds the truth; NaN without any.

    Args:
        rows: With a histogram of errors over SD each.
        level: Of the intervals.
        factor: That they are scaled by.
    """
    counts = _counts(rows)
    if not counts.sum():
        return float("nan")
    limit = factor * float(norm.ppf(0.5 + 0.5 * level))
    below = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
    return float(np.interp(limit, _EDGES[:-1], below[:-1]))


def factor_of(rows: Sequence[Row], level: float = 0.9) -> float:
    """Return what SDs are to be scaled by for intervals of a level to hold so much of these."""
    counts = _counts(rows)
    if not counts.sum():
        return float("nan")
    below = np.concatenate([[0.0], np.cumsum(counts)])[:-1] / counts.sum()
    return float(np.interp(level, below, _EDGES[:-1]) / norm.ppf(0.5 + 0.5 * level))


def spread_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_spread` as Markdown."""
    plan = result["plan"]
    lines = opening("SD of voxels", result)
    lines += [
        f"{result['scans']} scans of {plan['people']} heads (seeds from {result['judged'][0]}),"
        f" boxes of {plan['edge']} voxels of 2.5 mm, under protocols as training draws them."
        " Share of voxels of the head and frames [%] whose interval, value and normal quantile"
        " times SD, holds the truth; no factor is applied. The factor is the one that 90 %"
        f" intervals on {plan['calibration']} other heads (seeds from {result['calibration'][0]})"
        " ask for.",
        "",
        *skip_lines(result["skipped"]),
        *gate_lines(_gates(result)),
        "",
        "| method | scans | " + " | ".join(f"{100 * level:g} %" for level in LEVELS)
        + " | error over SD | factor |",
        "|---" * (len(LEVELS) + 4) + "|",
    ]  # fmt: skip
    for method in plan["methods"]:
        own = select(result["rows"], method=method)
        factor = result["factors"][method]
        for word, rows in (("all", own), *_groups(own)):
            if rows:
                shares = " | ".join(f"{100 * held(rows, level):.1f}" for level in LEVELS)
                ratio = np.sqrt(sum(r["square"] for r in rows) / sum(r["variance"] for r in rows))
                last = f"{factor:.3f}" if word == "all" else ""
                lines.append(f"| {method} | {word} | {shares} | {ratio:.2f} | {last} |")
    return "\n".join([*lines, ""])


def _groups(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    found = [
        (f"delay {low:.0f} to {high:.0f} min", [r for r in rows if low <= r["delay"] < high])
        for low, high in _DELAYS
    ]
    tracers = sorted({r["tracer"] for r in rows})
    return found + [(tracer, select(rows, tracer=tracer)) for tracer in tracers]


def _gates(result: Mapping[str, Any]) -> list[Gate]:
    own = select(result["rows"], method="inn")
    return [
        Gate(name=f"inn, {word}: coverage of 90 % off .9", found=held(rows, 0.9) - 0.9, target=BAND)
        for word, rows in (("all", own), *_groups(own))
    ]


def _counts(rows: Sequence[Row]) -> np.ndarray:
    found = [r["histogram"] for r in rows if "histogram" in r]
    return np.sum(found, 0, dtype=np.float64) if found else np.zeros(len(_EDGES) - 1)


def _measure(shelf: Shelf, plan: SpreadPlan, networks: Networks, seed: int) -> None:
    person = person_of(seed, STANDARD)
    rows: list[dict[str, Any]] = []
    for box in range(plan.boxes):
        protocol = draw_dual_protocol(seed, box, either_order=True)
        simulated = draw_dual_study(person, protocol, item=box, shape=(plan.edge,) * 3)
        if simulated.head.mean() < _LEAST_HEAD:
            continue
        case = make_case(simulated)
        for method in plan.methods:
            about = {"person": seed, "box": box, "method": method}
            try:
                fit = run_candidate(case.study, method, {}, networks, seed=box)
            except Skip as why:
                rows.append({**about, "skipped": str(why)})
                continue
            if fit.found.std is None:
                raise RuntimeError(f"{method} gives no SD")
            scale = case.study.problem.scale
            for i, profile in enumerate(protocol.tracers):
                frames = simulated.decay[i] > 0
                inside = simulated.head[..., None] & frames
                error = fit.found.x[i].numpy()[inside] * scale - simulated.x[i][inside]
                sd = fit.found.std[i].numpy()[inside] * scale
                ratio = np.abs(error) / np.maximum(sd, 1e-12)
                rows.append({
                    **about, "tracer": profile.tracer.name,
                    "delay": protocol.delay / SECONDS_PER_MINUTE,
                    "histogram": np.histogram(ratio, _EDGES)[0].tolist(),
                    "square": float(np.mean(np.square(error, dtype=np.float64))),
                    "variance": float(np.mean(np.square(sd, dtype=np.float64))),
                })  # fmt: skip
    shelf.put(str(seed), {"rows": rows})
