"""Voxels per second: method `exact` and per-voxel `scipy.optimize.curve_fit`, in one run."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.core.settings import make_settings
from betaplus.engine import MICROBATCH, Block, make_executor, plan_curves, run
from betaplus.kinetics.method import Fitter, Task, find_method
from betaplus.pipeline.benchmark.kinetics.cases import LEVELS, RATES, Curves, Scan
from betaplus.pipeline.benchmark.kinetics.curve_fit import (
    LeanModel,
    fit_voxels,
    hold_model,
    lean_model,
)

__all__ = ["speed", "speed_table"]

_SEED = 70_000
_CORES = 2
_STAGES = ("coarse", "pilot", "fine")


LEAN = {"fine": 256, "pilot": 128, "coarse": 256, "least_ess": 50}
"""Settings that still keep to the bounds of the agreement benchmark: less work, longer tails."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Case:
    """One noise level: its task, its curves and what the baseline needs."""

    task: Task
    fitter: Fitter
    curves: Curves
    lean: LeanModel
    start: np.ndarray
    bounds: tuple[np.ndarray, np.ndarray]


def speed(
    scan: Scan,
    *,
    voxels: int = 4 * MICROBATCH,
    baseline_voxels: int = 64,
    repeats: int = 3,
    seed: int = _SEED,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Time `exact` at its defaults and the baseline on the same kinds of curves.

    Curves come from the published prior at the three noise levels, a third each; times are medians
    of repeated batches, with one core and with two (threads for `exact`, spawned processes for the
    baseline). Tables, compilation (or the loading of cached machine code) and the start of
    processes are timed apart. The baseline is given the SDs of the true curves, the prior's box as
    bounds and its centre as start, and returns an estimate and a covariance, no posterior.

    Args:
        scan: Input function and frames.
        voxels: Curves per noise level for `exact`.
        baseline_voxels: Curves per noise level for the baseline.
        repeats: Batches.
        seed: Chooses the curves.
        progress: What to report to.

    Returns:
        For delay ``fixed`` and ``fitted``: ``exact`` and ``curve_fit`` voxels/s by number of cores,
        their ``ratio``, ``start_up_s``, voxels/s by noise level, ``refined`` share, and ``stages``:
        the share of the time that each stage of `exact` takes.
    """
    progress = progress or Silent()
    progress.start("speed", 2)
    out: dict[str, Any] = {
        "voxels": voxels * len(LEVELS),
        "baseline_voxels": baseline_voxels * len(LEVELS),
        "repeats": repeats,
    }
    for name, delay in (("fixed", False), ("fitted", True)):
        out[name] = _speed(scan, delay, voxels, baseline_voxels, repeats, seed)
        progress.advance()
    progress.finish()
    return out


def _with_fitter(case: _Case, fitter: Fitter) -> _Case:
    """Return the case with another fitter."""
    return dataclasses.replace(case, fitter=fitter)


def _speed(
    scan: Scan, delay: bool, voxels: int, baseline_voxels: int, repeats: int, seed: int
) -> dict[str, Any]:
    kind = find_method("exact")
    cases = []
    for i, level in enumerate(LEVELS):
        dose = scan.dose(level)
        curves = scan.draw(dose, voxels, seed + i, delay=delay)
        task = scan.task(dose, delay=delay)
        if not cases:
            began = time.perf_counter()
        fitter = kind(make_settings(kind.Settings, {})).prepare(task)
        if not cases:
            table = time.perf_counter() - began
            fitter.fit(curves.noisy[:2], np.arange(2))
            start_up = time.perf_counter() - began
        names = [*RATES, *(["delay"] if delay else [])]
        low = np.array([task.prior[name].low for name in names])
        high = np.array([task.prior[name].high for name in names])
        fastest = sum(task.prior[name].high for name in ("k2", "k3", "k4"))
        lean = lean_model(scan.response(dose), fastest, (low[5], high[5]) if delay else None)
        start = 0.5 * (low + high)
        start[5:] = 0.0
        cases.append(_Case(task, fitter, curves, lean, start, (low, high)))
    exact = {cores: [_exact_time(c, cores, repeats) for c in cases] for cores in (1, _CORES)}
    lean = [
        _with_fitter(c, kind(make_settings(kind.Settings, LEAN)).prepare(c.task)) for c in cases
    ]
    quick = {cores: sum(_exact_time(c, cores, repeats) for c in lean) for cores in (1, _CORES)}
    usual = {
        cores: [_baseline_time(c, baseline_voxels, cores, repeats) for c in cases]
        for cores in (1, _CORES)
    }
    n, m = voxels * len(cases), baseline_voxels * len(cases)
    rates = {cores: n / sum(part) for cores, part in exact.items()}
    base = {cores: m / sum(t for t, _ in part) for cores, part in usual.items()}
    some = np.arange(min(voxels, MICROBATCH))
    status = [case.fitter.fit(case.curves.noisy[some], some)["status"] for case in cases]
    return {
        "start_up_s": start_up,
        "table_s": table,
        "exact": {str(cores): rate for cores, rate in rates.items()},
        "exact_by_level": {
            str(level): voxels / seconds
            for level, seconds in zip(LEVELS, exact[_CORES], strict=True)
        },
        "curve_fit": {str(cores): rate for cores, rate in base.items()},
        "curve_fit_gave_up": float(np.mean([share for _, share in usual[1]])),
        "ratio": {str(cores): rates[cores] / base[cores] for cores in rates},
        "exact_lean": {str(cores): n / seconds for cores, seconds in quick.items()},
        "ratio_lean": {str(cores): n / seconds / base[cores] for cores, seconds in quick.items()},
        "refined": float((np.array(status) == 3).mean()),
        "stages": _stages(cases[1], min(voxels, 2 * MICROBATCH), repeats),
    }


def _median_time(work: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _fit_block(block: Block, context: tuple[Fitter, np.ndarray]) -> Mapping[str, np.ndarray]:
    fitter, curves = context
    return fitter.fit(curves[block.read], np.arange(block.start, block.stop))


def _exact_time(case: _Case, cores: int, repeats: int) -> float:
    plan = plan_curves(len(case.curves.noisy))
    context = (case.fitter, case.curves.noisy)

    def work() -> None:
        for _ in run(plan, _fit_block, context, executor="threads", workers=cores):
            pass

    return _median_time(work, repeats)


def _baseline_time(case: _Case, voxels: int, cores: int, repeats: int) -> tuple[float, float]:
    """Seconds and share of voxels given up."""
    curves, sd = case.curves.noisy[:voxels], case.curves.sd[:voxels]
    shares = np.array_split(np.arange(voxels), cores)
    where = "inline" if cores == 1 else "processes"
    with make_executor(where, cores, initializer=hold_model, initargs=(case.lean,)) as pool:

        def work() -> list[Mapping[str, np.ndarray]]:
            jobs = [
                pool.submit(fit_voxels, curves[s], sd[s], case.start, case.bounds) for s in shares
            ]
            wait(jobs)
            return [job.result() for job in jobs]

        found = np.concatenate([part["estimate"] for part in work()])  # starts the processes
        seconds = _median_time(work, repeats)
    return seconds, float(np.isnan(found[:, 0]).mean())


def _stages(case: _Case, voxels: int, repeats: int) -> dict[str, float]:
    """Share of one core's CPU time by stage, from how it grows when a stage is doubled.

    ``refinement`` is what is saved by forbidding it, ``rest`` the search for the mode, moments and
    quantiles.
    """
    kind = find_method("exact")
    curves, items = case.curves.noisy[:voxels], np.arange(voxels)
    default = make_settings(kind.Settings, {})
    plain = dataclasses.replace(default, least_ess=0.0)
    variants = {"whole": default, "plain": plain}
    variants |= {
        stage: dataclasses.replace(plain, **{stage: 2 * getattr(plain, stage)}) for stage in _STAGES
    }
    fitters = {name: kind(settings).prepare(case.task) for name, settings in variants.items()}
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, fitter in fitters.items():
            began = time.thread_time()
            fitter.fit(curves, items)
            times[name].append(time.thread_time() - began)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    whole = seconds["whole"]
    out = {stage: (seconds[stage] - seconds["plain"]) / whole for stage in _STAGES}
    out["refinement"] = (whole - seconds["plain"]) / whole
    out["rest"] = 1.0 - sum(out.values())
    return out


def speed_table(result: Mapping[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        f"{result['voxels']} voxels for exact, {result['baseline_voxels']} for curve_fit, a third"
        f" at each noise level; medians of {result['repeats']} batches.",
        "",
        "| delay | exact, 1 core | exact, 2 cores | curve_fit, 1 core | 2 cores | ratio, 1 core |"
        " 2 cores | start-up |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in ("fixed", "fitted"):
        part = result[name]
        cells = [f"{part['exact'][k]:.0f}/s" for k in ("1", "2")]
        cells += [f"{part['curve_fit'][k]:.1f}/s" for k in ("1", "2")]
        cells += [f"{part['ratio'][k]:.0f}" for k in ("1", "2")]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {part['start_up_s']:.1f} s |")
        cells = [f"{part['exact_lean'][k]:.0f}/s" for k in ("1", "2")] + ["", ""]
        cells += [f"{part['ratio_lean'][k]:.0f}" for k in ("1", "2")]
        lines.append(f"| {name}, lean | " + " | ".join(cells) + " | |")
    lines += ["", "Lean: " + ", ".join(f"{k}={v:g}" for k, v in LEAN.items()) + ".", ""]
    for delay in ("fixed", "fitted"):
        part = result[delay]
        stages = ", ".join(f"{name} {100 * share:.0f} %" for name, share in part["stages"].items())
        levels = ", ".join(
            f"{100 * float(level):.0f} %: {rate:.0f}/s"
            for level, rate in part["exact_by_level"].items()
        )
        lines.append(
            f"- delay {delay}: {levels} on 2 cores; {100 * part['refined']:.1f} % of voxels"
            f" refined; time at middle noise: {stages}; curve_fit gave up on"
            f" {100 * part['curve_fit_gave_up']:.1f} %."
        )
    return "\n".join(lines)
