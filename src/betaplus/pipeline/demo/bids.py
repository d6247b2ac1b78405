"""A verb on a data set of two people, and what it found in both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress
from betaplus.io.tsv import column_numbers, read_table
from betaplus.pipeline.bids import BidsRequest, GroupResult, run_group, run_participants
from betaplus.pipeline.kinetics import KineticsRequest, KineticsResult, run_kinetics
from betaplus.simulation.bids_study import simulate_bids

__all__ = ["PEOPLE", "FromBids", "GroupReport", "from_bids"]

PEOPLE = 2

GroupReport = Callable[[Path, GroupResult], Any]
Report = Callable[[Path, KineticsResult], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class FromBids:
    """Regions of the people of a data set.

    Attributes:
        group: What was gathered.
        Ki: Participant to region to median, 5 % and 95 % quantile, and the truth [mL/cm3/min].
    """

    group: GroupResult
    Ki: dict[str, dict[str, tuple[float, float, float, float]]]

    @property
    def inside(self) -> float:
        """Share of regions whose interval holds the truth."""
        every = [values for regions in self.Ki.values() for values in regions.values()]
        return float(np.mean([low <= true <= high for _, low, high, true in every]))


def from_bids(
    out: Path,
    *,
    seed: int,
    overwrite: bool,
    progress: Progress,
    report: Report | None,
    group_report: GroupReport | None,
) -> FromBids:
    """Simulate a BIDS data set, run kinetics on the curves of everybody, and gather.

    Args:
        out: Folder for the data set and its derivatives.
        seed: Seed.
        overwrite: Replace what is there.
        progress: What to report to.
        report: Writes the report of one scan.
        group_report: Writes that of all.
    """
    progress.note(f"a BIDS data set of {PEOPLE} people")
    raw = simulate_bids(
        out / "raw", participants=PEOPLE, sessions=1, seed=seed + 1, overwrite=overwrite,
        progress=progress,
    )  # fmt: skip
    request: dict[str, Any] = {
        "bids_dir": raw,
        "out": out / "derivatives",
        "verb": "kinetics",
        "curves": True,
        "derivatives": (raw / "derivatives" / "regions",),
        "overwrite": overwrite,
    }

    def run(options: Mapping[str, Any]) -> str:
        result = run_kinetics(
            KineticsRequest(**{**options, "blood": tuple(options["blood"])}), progress, report
        )
        assert result is not None  # without --resume there is always something to do
        return "\n".join(result.summary)

    run_participants(
        BidsRequest(level="participant", **request), {"seed": seed}, run, progress.note
    )
    group = run_group(BidsRequest(level="group", **request), group_report)
    return FromBids(group=group, Ki=_influx(group, raw / "derivatives" / "truth"))


def _influx(
    group: GroupResult, truth: Path
) -> dict[str, dict[str, tuple[float, float, float, float]]]:
    """Return participant to region to median, quantiles and truth."""
    known = {}
    for record in group.records:
        (path,) = truth.glob(f"{record.participant}/pet/*_kinpar.tsv")
        table = read_table(path)
        values = column_numbers(table["Ki"], "Ki", path.name)
        known[record.participant] = dict(zip(table["region"], values, strict=True))
    found: dict[str, dict[str, tuple[float, float, float, float]]] = {}
    for row in group.rows:
        one, person = row.value, row.record.participant
        if one.parameter == "Ki" and known[person].get(one.region, 0.0) > 0.0:
            found.setdefault(person, {})[one.region] = (
                one.median, one.q05, one.q95, float(known[person][one.region]),
            )  # fmt: skip
    return found
