"""`betaplus benchmark reconstruct`: the methods side by side on simulated heads.

Each method is tuned on heads of its own and judged on others, at full counts and at 1 %; bias and
SD come from realisations of one head, the spread of draws from one measurement; each method runs
once on a full mMR. No prior was trained on any of the heads. Simulation: activity and attenuation
on a grid twice as fine, randoms estimated from delayeds, the scatter estimate without noise.

Every figure is kept as it is made: a run that was stopped goes on where it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.machine import machine_record
from betaplus.pipeline.benchmark.reconstruct.bench import Bench, Plan, plan_of
from betaplus.pipeline.benchmark.reconstruct.defaults import default_tasks
from betaplus.pipeline.benchmark.reconstruct.matched import matched_tasks
from betaplus.pipeline.benchmark.reconstruct.table import reconstruct_table
from betaplus.pipeline.benchmark.reconstruct.tasks import all_tasks, chosen, item_name
from betaplus.pipeline.benchmark.result_files import result_file, write_arrays, write_result
from betaplus.pipeline.benchmark.shelf import work_through
from betaplus.reconstruction.method import SCORE_METHODS

__all__ = ["benchmark_reconstruct"]


def benchmark_reconstruct(
    out: str | Path,
    quick: bool = False,
    progress: Progress | None = None,
    *,
    full: bool = True,
    short: bool = False,
    plan: Plan | None = None,
) -> dict[str, Any]:
    """Tune, judge and compare the methods.

    Args:
        out: Folder for ``benchmark_reconstruct.json``, ``.md``, the images of the figures and the
            items that a run goes on from.
        quick: One head each, 1 % of the counts, few methods and settings, no mMR.
        progress: What to report to.
        full: Whether to run the mMR as well.
        short: 1 % of the counts, one draw of them, 10 realisations, no mMR.
        plan: How much is done, in place of these.

    Returns:
        ``accuracy`` by fraction of the counts and method: ``settings`` as tuned, ``rows`` of NRMSE,
        PSNR and SSIM by head and draw of the counts, NRMSE against OSEM of all counts, ``seconds``;
        ``bias_variance`` by method: rows of what is swept, bias and SD [%]; ``spread`` and
        ``lesions`` by method; ``counts`` and ``speed`` of methods with their defaults; ``full``:
        rows of the mMR; ``machine``.
    """
    out = Path(out)
    bench = Bench.at(out, plan or plan_of(quick, full, short), progress)
    work_through(bench.shelf, all_tasks(bench), bench.progress, "pieces")
    result = _gather(bench)
    names = [c.name for c in bench.plan.candidates]
    drawn = [c.name for c in bench.plan.candidates if c.method in SCORE_METHODS]
    images = bench.images(["truth", *names])
    images |= bench.images([f"mMR {name}" for name in ("truth", *names)] * bench.plan.full)
    images |= bench.images([f"{what} of {name}" for name in drawn for what in _SPREAD])
    write_result(out, "reconstruct", result, reconstruct_table(result))
    write_arrays(result_file(out, "reconstruct_images", "npz"), images)
    return result


_SPREAD = ("mean", "variation")


def _share(name: str) -> float:
    return float(name.partition("/")[2])


def _gather(bench: Bench) -> dict[str, Any]:
    plan, shelf = bench.plan, bench.shelf
    accuracy: dict[str, Any] = {}
    for fraction in plan.fractions:
        draws = plan.draws if fraction == plan.fractions[-1] else 1
        accuracy[f"{fraction:g}"] = found = {}
        for c in plan.candidates:
            rows = [
                shelf.get(item_name("judged", c, fraction, seed, draw))
                for seed in plan.judged_on
                for draw in range(draws)
            ]
            seconds = float(np.mean([row["seconds"] for row in rows]))
            tuned = chosen(bench, c, fraction)
            found[c.name] = {"method": c.method, **tuned, "rows": rows, "seconds": seconds}
    swept = {
        c.name: {
            "method": c.method,
            "swept": c.swept[0],
            "often": dict(c.often),
            "rows": [
                row
                for value in c.swept[1]
                if (row := shelf.get(item_name("bias", c, float(value))))["bias"] is not None
            ],
        }
        for c in plan.candidates
        if "bias" in c.parts
    }
    spread = {
        c.name: shelf.get(item_name("spread", c))
        for c in plan.candidates
        if c.method in SCORE_METHODS and "spread" in c.parts
    }
    names = {task.name for task in default_tasks(bench, {})}
    result: dict[str, Any] = {
        "machine": machine_record(),
        "quick": plan.quick,
        "tuned_on": list(plan.tuned_on),
        "judged_on": list(plan.judged_on),
        "accuracy": accuracy,
        "bias_variance": {
            "realisations": plan.realisations, "seed": plan.judged_on[0], "methods": swept,
        },
        "spread": spread,
        "lesions": {
            c.name: [shelf.get(item_name("lesions", c, seed)) for seed in plan.lesions]
            for c in plan.candidates
            if "lesions" in c.parts
        },
        "matched": [
            shelf.get(task.name) for task in matched_tasks(bench, {})
        ],
        "counts": [shelf.get(name) for name in sorted(names - {"speed"}, key=_share)],
    }  # fmt: skip
    if "speed" in names:
        result["speed"] = shelf.get("speed")
    if plan.full:
        whole = {
            c.name: shelf.get(item_name("full", c)) for c in plan.candidates if "full" in c.parts
        }
        result["full"] = {"prompts": next(iter(whole.values()))["prompts"], "rows": whole}
    return result
