"""Part `heads`: coverage of Ki from Poisson counts of heads, with a prior that ships."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.benchmark.propagation.heads import draw_study
from betaplus.pipeline.benchmark.propagation.posterior import Denoise, Langevin
from betaplus.pipeline.benchmark.propagation.scores import KINDS, calibrated, factors, scores
from betaplus.pipeline.benchmark.propagation.table import heads_table
from betaplus.pipeline.benchmark.propagation.ways import WAYS, estimates
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.shelf import Shelf, Task, work_through

__all__ = ["FIRST_CALIBRATION", "FIRST_JUDGED", "HeadsPlan", "benchmark_heads"]

FIRST_JUDGED, FIRST_CALIBRATION = 930_000, 935_000
"""Seeds of heads that no network was trained on and no setting was chosen on; those from 939000 on
served to choose the steps of the chains."""

_DIGITS = 7  # of Ki that are kept


@dataclass(frozen=True, kw_only=True)
class HeadsPlan:
    """How much is done.

    Attributes:
        judged: Heads that are judged, one scan each.
        calibration: Heads that factors on SDs are from.
        prompts: Mean prompts of a scan, all frames together.
        frames: Of equal length.
        how: Draws are made.
    """

    judged: int = 80
    calibration: int = 24
    prompts: float = 5e5
    frames: int = 5
    how: Langevin = field(default_factory=Langevin)

    @property
    def folder(self) -> str:
        """Name of the folder of items: those of different plans do not mix."""
        chains = "-".join(f"{value:g}" for value in asdict(self.how).values())
        return f"heads_{self.prompts:g}_{self.frames}_{chains}"


def benchmark_heads(
    out: Path,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    plan: HeadsPlan | None = None,
    denoise: Denoise | None = None,
) -> dict[str, Any]:
    """Write ``benchmark_propagation_heads.json`` and ``.md``; return what is in the first.

    Every study is kept as it is made: a run that was stopped goes on where it was, and several
    processes that are given the same folder share the work.

    Args:
        out: Folder.
        quick: Two heads, a few steps.
        progress: What to report to.
        plan: How much is done, in place of the usual.
        denoise: The prior, in place of the one that ships; for tests.
    """
    little = HeadsPlan(
        judged=2, calibration=0, frames=3, how=Langevin(chains=1, burn=3, draws=4, thin=1)
    )
    chosen = plan or (little if quick else HeadsPlan())
    shelf = Shelf(out / chosen.folder)
    known = [FIRST_CALIBRATION + n for n in range(chosen.calibration)]
    judged = [FIRST_JUDGED + n for n in range(chosen.judged)]
    tasks = [
        Task(str(seed), [str(seed)], partial(_measure, shelf, chosen, seed, denoise))
        for seed in _mixed(judged, known)
    ]
    work_through(shelf, tasks, progress or Silent(), "studies")
    before, rows = ([shelf.get(str(seed)) for seed in seeds] for seeds in (known, judged))
    on = factors(before) if before else {}
    found = []
    for way in WAYS:
        for kind in KINDS:
            row = {"way": way, "kind": kind, **scores(rows, way, kind)}
            if (way, kind) in on:
                row["calibrated"] = calibrated(rows, way, kind, on[way, kind])
            found.append(row)
    result: dict[str, Any] = {
        "quick": quick, "plan": asdict(chosen), "judged": judged, "calibration": known,
        "voxels": float(np.mean([len(row["truth"]["voxel"]) for row in rows])),
        "regions": float(np.mean([len(row["truth"]["region"]) for row in rows])),
        "mean": float(np.mean([np.mean(row["truth"]["voxel"]) for row in rows])),
        "rows": found,
    }  # fmt: skip
    write_result(out, "propagation_heads", result, heads_table(result))
    return result


def _mixed(judged: Sequence[int], known: Sequence[int]) -> list[int]:
    """Return seeds so that a run that is stopped has some of both."""
    every = math.ceil(len(judged) / len(known)) if known else len(judged) + 1
    found, left = [], list(known)
    for n, seed in enumerate(judged):
        if n % every == 0 and left:
            found.append(left.pop(0))
        found.append(seed)
    return found + left


def _measure(shelf: Shelf, plan: HeadsPlan, seed: int, denoise: Denoise | None) -> None:
    import torch

    torch.set_num_threads(1)
    study = draw_study(seed, prompts=plan.prompts, frames=plan.frames)
    inside = study.brain
    item: dict[str, Any] = {
        "seed": seed,
        "truth": {
            "voxel": _listed(study.truth[inside]), "region": _listed(study.regions @ study.truth),
        },
    }  # fmt: skip
    for way, found in estimates(study, plan.how, denoise).items():
        item[way] = {
            "voxel": _listed(found.voxel[inside]), "voxel_sd": _listed(found.voxel_sd[inside]),
            "region": _listed(found.region), "region_sd": _listed(found.region_sd),
        }  # fmt: skip
    shelf.put(str(seed), item)


def _listed(values: np.ndarray) -> list[float]:
    return [float(v) for v in np.round(np.asarray(values, np.float64), _DIGITS)]
