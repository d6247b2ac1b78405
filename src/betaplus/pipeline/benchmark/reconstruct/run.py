"""`betaplus benchmark reconstruct`: the methods side by side on simulated heads.

Each method is tuned on heads of its own and judged on others, at full counts and at 1 %; bias and
SD come from realisations of one head; each method runs once on a full mMR. Simulation: activity and
attenuation on a grid twice as fine, randoms estimated from delayeds, the scatter estimate without
noise.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.evaluation.images import Realisations
from betaplus.pipeline.benchmark.machine import machine_record
from betaplus.pipeline.benchmark.reconstruct.cases import (
    CANDIDATES,
    Candidate,
    Case,
    make_case,
    measures,
    trials,
)
from betaplus.pipeline.benchmark.result_files import result_file, write_arrays, write_result

__all__ = ["benchmark_reconstruct", "reconstruct_table"]

_SUBSETS = {"small": 18, "full": 21}
_TUNED_ON, _JUDGED_ON = (100, 101), (0, 1, 2)
_SWEPT = {  # what bias is traded against SD with
    "osem": ("passes", (1, 2, 3, 4, 6, 8)),
    "map-em": ("beta", (0.003, 0.01, 0.03, 0.1)),
    "svrg": ("beta", (0.01, 0.03, 0.1)),
}


def benchmark_reconstruct(
    out: str | Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    *,
    full: bool = True,
) -> dict[str, Any]:
    """Tune, judge and compare the methods.

    Args:
        out: Folder for ``benchmark_reconstruct.json``, ``.md`` and the images of the figures; None
            writes nothing.
        quick: One head each, 1 % of the counts, three realisations, no mMR.
        progress: What to report to.
        full: Whether to run the mMR as well.

    Returns:
        ``accuracy`` by fraction of the counts and method: ``settings`` as tuned, ``rows`` of NRMSE,
        PSNR and SSIM by head, ``seconds``; ``bias_variance`` by method: rows of what is swept, bias
        and SD [%]; ``full``: rows of the mMR; ``machine``.
    """
    progress = progress or Silent()
    fractions = (0.01,) if quick else (1.0, 0.01)
    tuned_on = _TUNED_ON[:1] if quick else _TUNED_ON
    judged_on = _JUDGED_ON[:1] if quick else _JUDGED_ON
    result: dict[str, Any] = {
        "machine": machine_record(),
        "quick": quick,
        "tuned_on": list(tuned_on),
        "judged_on": list(judged_on),
        "accuracy": {},
    }  # fmt: skip
    images: dict[str, np.ndarray] = {}
    for fraction in fractions:
        progress.note(f"tuning at {100 * fraction:g} % of the counts")
        chosen = _tune([make_case("small", fraction, seed) for seed in tuned_on], quick, progress)
        heads = [make_case("small", fraction, seed) for seed in judged_on]
        found = _judge(heads, chosen, progress)
        result["accuracy"][f"{fraction:g}"] = found
        if fraction == fractions[-1]:
            images = {name: row.pop("image") for name, row in found.items()}
            images["truth"] = heads[0].truth
        else:
            for row in found.values():
                row.pop("image")
    last = result["accuracy"][f"{fractions[-1]:g}"]
    result["bias_variance"] = _bias_variance(
        make_case("small", 0.01, judged_on[0]), last, 3 if quick else 20, progress
    )
    if full and not quick:
        result["full"], more = _full(last, progress)
        images |= {f"mMR {name}": image for name, image in more.items()}
    if out is not None:
        write_result(Path(out), "reconstruct", result, reconstruct_table(result))
        write_arrays(result_file(Path(out), "reconstruct_images", "npz"), images)
    return result


def _quicker(candidate: Candidate, quick: bool) -> Candidate:
    if not quick:
        return candidate
    tried = {name: values[2:5:2] if len(values) > 4 else values[-1:] for name, values in
             candidate.tried.items()}  # fmt: skip
    return Candidate(
        name=candidate.name, method=candidate.method, tried=tried, passes=4,
        filters=candidate.filters,
    )  # fmt: skip


def _tune(cases: Sequence[Case], quick: bool, progress: Progress) -> dict[str, dict[str, Any]]:
    """Return for each method the settings with the least NRMSE over the heads."""
    chosen = {}
    for candidate in CANDIDATES:
        errors: dict[tuple[Any, ...], list[float]] = {}
        best: dict[tuple[Any, ...], dict[str, Any]] = {}
        for case in cases:
            data = case.data(_SUBSETS["small"])
            for trial in trials(_quicker(candidate, quick), data):
                errors.setdefault(trial.key, []).append(measures(trial.image, case)["NRMSE"])
                best[trial.key] = {
                    "settings": trial.settings, "passes": trial.passes, "filter": trial.filter,
                }  # fmt: skip
        key = min(errors, key=lambda k: float(np.mean(errors[k])))
        chosen[candidate.name] = {**best[key], "tried": len(errors)}
        progress.note(f"{candidate.name}: {best[key]}, NRMSE {np.mean(errors[key]):.2f} %")
    return chosen


def _judge(
    cases: Sequence[Case], chosen: Mapping[str, Mapping[str, Any]], progress: Progress
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for candidate in CANDIDATES:
        choice, rows, seconds = chosen[candidate.name], [], []
        first = None
        for case in cases:
            data = case.data(_SUBSETS["small"])
            _ = data.sensitivity  # shared by all methods
            began = time.perf_counter()
            trial = _run(candidate, choice, data)
            seconds.append(time.perf_counter() - began)
            rows.append({"seed": case.seed, **measures(trial, case)})
            first = trial if first is None else first
        found[candidate.name] = {
            "method": candidate.method, **choice, "rows": rows,
            "seconds": float(np.mean(seconds)), "image": first,
        }  # fmt: skip
        progress.note(
            f"{candidate.name}: NRMSE {np.mean([row['NRMSE'] for row in rows]):.2f} % on new heads"
        )
    return found


def _run(candidate: Candidate, choice: Mapping[str, Any], data: Any) -> np.ndarray:
    return next(
        trials(
            candidate, data, settings=choice["settings"], passes=choice["passes"],
            filters=(choice["filter"],),
        )
    ).image  # fmt: skip


def _bias_variance(
    case: Case, accuracy: Mapping[str, Any], realisations: int, progress: Progress
) -> dict[str, Any]:
    """Return bias and SD of each method over realisations, as its strength is varied."""
    running: dict[str, dict[float, Realisations]] = {c.name: {} for c in CANDIDATES}
    progress.start("realisations", realisations)
    for r in range(realisations):
        data = case.data(_SUBSETS["small"], realisation=r + 1)
        for candidate in CANDIDATES:
            choice = accuracy[candidate.name]
            what, values = _SWEPT[candidate.method]
            if what == "passes":
                images = {
                    t.passes: t.image
                    for t in trials(candidate, data, filters=(choice["filter"],), settings={})
                }
                images = {n: image for n, image in images.items() if n in values}
            else:
                images = {
                    value: _run(
                        candidate,
                        {**choice, "settings": {**choice["settings"], what: value}},
                        data,
                    )
                    for value in values
                }
            for value, image in images.items():
                running[candidate.name].setdefault(value, Realisations()).add(image)
        progress.advance()
    progress.finish()
    out: dict[str, Any] = {}
    for candidate in CANDIDATES:
        rows = []
        for value, sums in running[candidate.name].items():
            found = sums.against(case.truth, case.mask)
            rows.append({"value": value, "bias": found.bias, "sd": found.sd})
        out[candidate.name] = {"swept": _SWEPT[candidate.method][0], "rows": rows}
    return {"realisations": realisations, "seed": case.seed, "methods": out}


def _full(
    accuracy: Mapping[str, Any], progress: Progress
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Run each method once on a full mMR at 1 % of the counts, as tuned on the small scanner."""
    progress.note("a head in the mMR, 1 % of the counts")
    case = make_case("full", 0.01, _JUDGED_ON[0])
    data, rows, images = case.data(_SUBSETS["full"]), {}, {"truth": case.truth}
    _ = data.sensitivity
    for candidate in CANDIDATES:
        began = time.perf_counter()
        image = _run(candidate, accuracy[candidate.name], data)
        seconds = time.perf_counter() - began
        rows[candidate.name] = {**measures(image, case), "seconds": seconds}
        images[candidate.name] = image
        progress.note(f"{candidate.name}: {rows[candidate.name]}")
    return {"prompts": float(data.sinogram.prompts.sum(dtype=float)), "rows": rows}, images


def reconstruct_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_reconstruct` as Markdown."""
    quick = " Quick run: too little to judge by." if result["quick"] else ""
    lines = [
        "# Benchmark of reconstruct",
        "",
        f"Simulated heads in the teaching scanner, 128 x 128 x 16 voxels; tuned on heads"
        f" {result['tuned_on']}, judged on {result['judged_on']}.{quick}",
        "",
        "| counts | method | tuned to | NRMSE [%] | PSNR [dB] | SSIM | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for fraction, methods in result["accuracy"].items():
        for name, found in methods.items():
            tuned = {**found["settings"], "passes": found["passes"]}
            tuned |= {"filter": found["filter"]} if found["filter"] else {}
            text = ", ".join(f"{key} {value:g}" for key, value in tuned.items())
            cells = []
            for key, digits in (("NRMSE", 1), ("PSNR", 1), ("SSIM", 3)):
                values = [row[key] for row in found["rows"]]
                cells.append(f"{np.mean(values):.{digits}f} ({min(values):.{digits}f} to"
                             f" {max(values):.{digits}f})")  # fmt: skip
            lines.append(
                f"| {100 * float(fraction):g} % | {name} | {text} | {' | '.join(cells)} |"
                f" {found['seconds']:.1f} |"
            )
    bias = result["bias_variance"]
    lines += [
        "",
        f"Bias and SD over {bias['realisations']} realisations of head {bias['seed']} at 1 % of the"
        " counts, in percent of the norm of the truth, the noise of the mean taken off:",
        "",
        "| method | swept | bias [%] | SD [%] |",
        "|---|---|---|---|",
    ]
    for name, found in bias["methods"].items():
        for row in found["rows"]:
            lines.append(
                f"| {name} | {found['swept']} {row['value']:g} | {row['bias']:.1f}"
                f" | {row['sd']:.1f} |"
            )
    if "full" in result:
        lines += [
            "",
            f"mMR, span 11, {result['full']['prompts']:,.0f} prompts, settings as tuned on the"
            " teaching scanner:",
            "",
            "| method | NRMSE [%] | PSNR [dB] | SSIM | seconds |",
            "|---|---|---|---|---|",
        ]
        for name, row in result["full"]["rows"].items():
            lines.append(
                f"| {name} | {row['NRMSE']:.1f} | {row['PSNR']:.1f} | {row['SSIM']:.3f}"
                f" | {row['seconds']:.0f} |"
            )
    return "\n".join(lines) + "\n"
