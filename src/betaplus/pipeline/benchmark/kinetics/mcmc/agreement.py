"""Method `exact` against long MCMC on the same curves."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.core.settings import make_settings
from betaplus.engine import default_workers
from betaplus.kinetics.method import find_method
from betaplus.physics.compartments import find_model
from betaplus.pipeline.benchmark.kinetics.cases import LEVELS, QUANTITIES, Scan
from betaplus.pipeline.benchmark.kinetics.mcmc.reference import (
    Posterior,
    Reference,
    sample_posterior,
)

__all__ = ["agreement", "agreement_table", "compare"]

_SEED = 3000
_GROUP = 4  # curves that one thread samples together
_LARGEST_MEDIAN, _LARGEST_P90 = 0.05, 0.15


def agreement(
    scan: Scan,
    *,
    per_level: int = 16,
    method: str = "exact",
    settings: Mapping[str, Any] | None = None,
    ess: float = 4000.0,
    seed: int = _SEED,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare posterior means and SDs with ensemble MCMC at three noise levels.

    Both are given the published prior, delay 0, noise level unknown, and variances that follow the
    parameters.

    Args:
        scan: Input function and frames.
        per_level: Curves at each of `LEVELS`.
        method: Method under test.
        settings: Its settings; its defaults if None.
        ess: Bulk effective sample size that every parameter and Ki of every reference must reach,
            with R-hat below 1.01.
        seed: Curves of level i are those of `scan.draw(dose, n, seed + i)`.
        progress: What to report to.

    Returns:
        ``parameters``: name to median, 90th percentile and worst of |mean difference| / reference
        SD (``mean``) and of |SD ratio - 1| (``std``), over all curves and by level; ``reference``:
        what it can be trusted to; ``curves``: every curve's numbers; ``meets``: whether the limits
        are met.
    """
    progress = progress or Silent()
    kind = find_method(method)
    chosen = make_settings(kind.Settings, settings or {})
    results, references, doses = [], [], []
    jobs: dict[Any, tuple[int, int]] = {}
    parts: dict[tuple[int, int], Reference] = {}
    progress.start("reference posteriors", len(LEVELS) * per_level)
    with ThreadPoolExecutor(default_workers()) as pool:
        for i, level in enumerate(LEVELS):
            dose = scan.dose(level)
            curves = scan.draw(dose, per_level, seed + i)
            task = scan.task(dose)
            fitter = kind(chosen).prepare(task)
            columns = [fitter.parameters.index(name) for name in QUANTITIES]
            fitted = fitter.fit(curves.noisy, np.arange(per_level))
            doses.append(dose)
            results.append(fitted | {key: fitted[key][:, columns] for key in ("mean", "std")})
            posterior = Posterior(
                scan.response(dose), find_model(task.model), task.prior, curves.noisy
            )
            for start in range(0, per_level, _GROUP):
                some = posterior.select(np.arange(start, min(start + _GROUP, per_level)))
                job = pool.submit(sample_posterior, some, seed + 100 * i + start, ess=ess)
                jobs[job] = (i, start)
        for job in as_completed(jobs):
            parts[jobs[job]] = job.result()
            progress.advance(len(job.result().mean))
    progress.finish()
    for i in range(len(LEVELS)):
        references.append([parts[key] for key in sorted(parts) if key[0] == i])
    return compare(results, references, doses, seed)


def compare(
    results: list[dict[str, np.ndarray]],
    references: list[list[Reference]],
    doses: list[float],
    seed: int,
) -> dict[str, Any]:
    """Summarise one result and one list of references per level; see `agreement`."""
    flat = [part for level in references for part in level]
    columns = [flat[0].names.index(name) for name in QUANTITIES]
    mean = np.concatenate([part.mean[:, columns] for part in flat])
    std = np.concatenate([part.std[:, columns] for part in flat])
    rhat = np.concatenate([part.rhat for part in flat])
    ess = np.concatenate([part.ess for part in flat])
    std_error = np.concatenate([part.std_error for part in flat])
    keys = ("mean", "std", "ess", "status")
    got = {key: np.concatenate([result[key] for result in results]) for key in keys}
    signed = {"mean": (got["mean"] - mean) / std, "std": got["std"] / std - 1.0}
    level_of = np.repeat(np.arange(len(results)), [len(r["mean"]) for r in results])
    index_of = np.concatenate([np.arange(len(r["mean"])) for r in results])
    parameters: dict[str, Any] = {}
    for p, name in enumerate(QUANTITIES):
        parameters[name] = {}
        for key, values in signed.items():
            size = np.abs(values[:, p])
            worst = int(np.argmax(size))
            parameters[name][key] = {
                "median": float(np.median(size)),
                "p90": float(np.quantile(size, 0.9)),
                "worst": float(size[worst]),
                "worst_curve": {"level": LEVELS[level_of[worst]], "index": int(index_of[worst])},
                "median_by_level": [
                    float(np.median(size[level_of == i])) for i in range(len(results))
                ],
            }
    meets = bool((rhat < 1.01).all()) and all(
        part["median"] <= _LARGEST_MEDIAN and part["p90"] <= _LARGEST_P90
        for entry in parameters.values()
        for part in entry.values()
    )
    return {
        "levels": list(LEVELS),
        "doses": [float(dose) for dose in doses],
        "seed": seed,
        "parameters": parameters,
        "reference": {
            "worst_rhat": float(rhat.max()),
            "least_ess": float(ess.min()),
            "median_ess": float(np.median(ess)),
            "error_of_mean": float(np.median(ess[:, columns] ** -0.5)),
            "error_of_std": float(np.median(std_error[:, columns])),
            "worst_error_of_std": float(std_error[:, columns].max()),
        },
        "method_ess": {
            "median": float(np.median(got["ess"])),
            "least": float(got["ess"].min()),
            "refined": int((got["status"] == 3).sum()),
        },
        "curves": [
            {
                "level": LEVELS[level_of[i]],
                "index": int(index_of[i]),
                "mean_error": [float(v) for v in signed["mean"][i]],
                "std_error": [float(v) for v in signed["std"][i]],
                "ess": float(got["ess"][i]),
                "status": int(got["status"][i]),
                "reference_mean": [float(v) for v in mean[i]],
                "reference_std": [float(v) for v in std[i]],
                "reference_ess": float(ess[i].min()),
                "reference_rhat": float(rhat[i].max()),
                "reference_std_error": float(std_error[i].max()),
            }
            for i in range(len(mean))
        ],
        "meets": meets,
    }


def agreement_table(result: Mapping[str, Any]) -> str:
    """Return the comparison as a Markdown table."""
    n, reference = len(result["curves"]), result["reference"]
    names = ", ".join(f"{100 * level:.0f} %" for level in result["levels"])
    lines = [
        f"{n} curves at late-frame SDs of {names}; reference: R-hat at most"
        f" {reference['worst_rhat']:.4f}, bulk ESS at least {reference['least_ess']:.0f} (median"
        f" {reference['median_ess']:.0f}); its own means err by {reference['error_of_mean']:.3f} SD"
        f" and its SDs by {100 * reference['error_of_std']:.1f} % (at most"
        f" {100 * reference['worst_error_of_std']:.1f} %). Worst: noise level and curve.",
        "",
        "| | mean: median | p90 | worst | by level | SD: median | p90 | worst | by level |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, entry in result["parameters"].items():
        cells = [name]
        for key in ("mean", "std"):
            part = entry[key]
            where = part["worst_curve"]
            cells += [
                f"{part['median']:.3f}",
                f"{part['p90']:.3f}",
                f"{part['worst']:.3f} ({100 * where['level']:.0f} % #{where['index']})",
                " / ".join(f"{v:.3f}" for v in part["median_by_level"]),
            ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
