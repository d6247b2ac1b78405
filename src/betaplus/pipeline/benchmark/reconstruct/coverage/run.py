"""Coverage of intervals of region means on many small scans, and on heads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.machine import machine_record
from betaplus.pipeline.benchmark.reconstruct.coverage.heads import HEAD_METHODS, measure_head
from betaplus.pipeline.benchmark.reconstruct.coverage.intervals import judge
from betaplus.pipeline.benchmark.reconstruct.coverage.measures import METHODS, measure_person
from betaplus.pipeline.benchmark.reconstruct.coverage.scans import COUNTS
from betaplus.pipeline.benchmark.reconstruct.coverage.table import coverage_table, heads_table
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.shelf import Shelf, Task, work_through
from betaplus.pipeline.training.corpus import FIRST_TEST

__all__ = ["benchmark_coverage", "benchmark_heads"]

_SCANS = 8  # of a person

Measured = dict[str, list[dict[str, Any]]]
Sides = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def benchmark_coverage(
    out: str | Path,
    quick: bool = False,
    progress: Progress | None = None,
    *,
    people: int = 50,
    calibration: int = 10,
    scans: int = _SCANS,
) -> dict[str, Any]:
    """Judge 90 % intervals of region means of slices in one ring.

    Writes ``benchmark_reconstruct_coverage.json`` and ``.md``; what was measured of a person is
    kept, and a run that was stopped goes on there.

    Args:
        out: Folder.
        quick: Few people.
        progress: What to report to.
        people: That are judged.
        calibration: Others, that are calibrated on.
        scans: Of each.
    """
    out = Path(out)
    if quick:
        people, calibration, scans = 2, 3, 4
    shelf = Shelf(out / ("coverage_items" + "_quick" * quick))
    known, judged = _seeds(calibration, people)

    def measure(person: int) -> Measured:
        return measure_person(person, scans, METHODS)

    sides = _measured(shelf, known, judged, measure, progress, "people")
    result = {
        **_result(quick, known, judged, sides, METHODS), "counts": COUNTS,
    }  # fmt: skip
    write_result(out, "reconstruct_coverage", result, coverage_table(result))
    return result


def benchmark_heads(
    out: str | Path,
    quick: bool = False,
    progress: Progress | None = None,
    *,
    heads: int = 400,
    calibration: int = 40,
) -> dict[str, Any]:
    """Judge 90 % intervals of region means of heads in the teaching scanner.

    Writes ``benchmark_reconstruct_coverage_heads.json`` and ``.md``; heads are kept, and a run that
    was stopped goes on there.

    Args:
        out: Folder.
        quick: Few heads.
        progress: What to report to.
        heads: That are judged.
        calibration: Others, that are calibrated on.
    """
    out = Path(out)
    if quick:
        heads, calibration = 2, 10
    shelf = Shelf(out / ("coverage_heads" + "_quick" * quick))
    known, judged = _seeds(calibration, heads)
    sides = _measured(shelf, known, judged, measure_head, progress, "heads")
    result = _result(quick, known, judged, sides, HEAD_METHODS)
    result["small blocks"] = judge(*sides, list(HEAD_METHODS), "small blocks")
    drawn = sides[1][0]["voxels"]
    result["voxels"] = {
        m: {
            level: sum(scan["voxels"][m][level] for scan in sides[1]) / len(sides[1])
            for level in held
        }
        for m, held in drawn.items()
    }
    write_result(out, "reconstruct_coverage_heads", result, heads_table(result))
    return result


def _seeds(calibration: int, judged: int) -> tuple[list[int], list[int]]:
    return (
        [FIRST_TEST + 500 + n for n in range(calibration)],
        [FIRST_TEST + 600 + n for n in range(judged)],
    )


def _measured(
    shelf: Shelf,
    known: list[int],
    judged: list[int],
    measure: Callable[[int], Measured],
    progress: Progress | None,
    what: str,
) -> Sides:
    """Return the scans that are calibrated on and those that are judged."""

    def put(seed: int) -> None:
        shelf.put(str(seed), measure(seed))

    tasks = [Task(str(seed), [str(seed)], partial(put, seed)) for seed in (*known, *judged)]
    work_through(shelf, tasks, progress, what)
    first, second = (
        [scan for seed in seeds for scan in shelf.get(str(seed))["scans"]]
        for seeds in (known, judged)
    )
    return first, second


def _result(
    quick: bool,
    known: list[int],
    judged: list[int],
    sides: Sides,
    methods: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    names = list(methods)
    return {
        "machine": machine_record(),
        "quick": quick,
        "settings": methods,
        "calibration": [known[0], known[-1]],
        "judged": [judged[0], judged[-1]],
        "scans": [len(side) for side in sides],
        "NRMSE": {m: sum(scan["NRMSE"][m] for scan in sides[1]) / len(sides[1]) for m in names},
        "methods": judge(*sides, names),
        "blocks": judge(*sides, names, "blocks"),
    }
