"""Coverage of intervals of region means on many small scans."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.machine import machine_record
from betaplus.pipeline.benchmark.reconstruct.coverage.intervals import judge
from betaplus.pipeline.benchmark.reconstruct.coverage.measures import METHODS, measure_person
from betaplus.pipeline.benchmark.reconstruct.coverage.scans import COUNTS
from betaplus.pipeline.benchmark.reconstruct.coverage.table import coverage_table
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.shelf import Shelf, Task, work_through
from betaplus.pipeline.training.corpus import FIRST_TEST

__all__ = ["benchmark_coverage"]

_SCANS = 8  # of a person


def benchmark_coverage(
    out: str | Path,
    quick: bool = False,
    progress: Progress | None = None,
    *,
    people: int = 50,
    calibration: int = 10,
    scans: int = _SCANS,
) -> dict[str, Any]:
    """Judge 90 % intervals of region means.

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
    known = [FIRST_TEST + 500 + n for n in range(calibration)]
    judged = [FIRST_TEST + 600 + n for n in range(people)]
    tasks = [Task(str(p), [str(p)], partial(_measure, shelf, p, scans)) for p in (*known, *judged)]
    work_through(shelf, tasks, progress, "people")
    calibrated, found = (
        [scan for p in some for scan in shelf.get(str(p))["scans"]] for some in (known, judged)
    )
    result: dict[str, Any] = {
        "machine": machine_record(),
        "quick": quick,
        "settings": METHODS,
        "counts": COUNTS,
        "calibration": [known[0], known[-1]],
        "judged": [judged[0], judged[-1]],
        "scans": [len(calibrated), len(found)],
        "NRMSE": {
            m: sum(scan["NRMSE"][m] for scan in found) / len(found) for m in METHODS
        },
        "methods": judge(calibrated, found, list(METHODS)),
        "blocks": judge(calibrated, found, list(METHODS), "blocks"),
    }  # fmt: skip
    write_result(out, "reconstruct_coverage", result, coverage_table(result))
    return result


def _measure(shelf: Shelf, person: int, scans: int) -> None:
    shelf.put(str(person), measure_person(person, scans, METHODS))
