"""Calibration of a method on curves of the default prior, with the delay fitted.

Parameters come from the default prior and the noise level l from a log-uniform range that the
method is given as its prior, so the posterior it should find is exactly the right one. The range is
such that the median relative SD of the last four frames goes from 1 % (a large region) to 40 % (a
voxel): l from 1.0 to 39 on the measured scan of `find_scan`.

Thirds are those of the method's own estimate of l. They are a function of the data, and given
the data the right posterior covers as it says. Given the true l, as given any parameter, it need
not: at the ends of its range the prior pulls l inwards, so that even right intervals are too wide
for the lowest l and too narrow for the highest.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.posterior import STATUS
from betaplus.core.progress import Progress, Silent
from betaplus.core.settings import make_settings
from betaplus.engine import default_workers
from betaplus.kinetics.method import Fitter, Task, find_method
from betaplus.kinetics.prior import PRIORS, Distribution, Prior
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.pipeline.benchmark.kinetics.cases import Scan
from betaplus.pipeline.benchmark.kinetics.posterior_checks import (
    BINS,
    LEVELS,
    THIRDS,
    coverage_checks,
    rank_checks,
    tarp_check,
    z_checks,
)
from betaplus.simulation.curves import draw_tacs
from betaplus.simulation.noise import noise_sd

__all__ = ["PARAMETERS", "QUANTITIES", "calibration", "calibration_table", "noise_range"]

PARAMETERS = ("K1", "k2", "k3", "k4", "VB", "delay")
"""What is drawn from the prior, the noise level apart."""

QUANTITIES = (*PARAMETERS, "Ki", "VT", "BPND")
"""What is judged, where the method has it."""

_RELATIVE_SD = (0.01, 0.40)
_LATE = 4
_PILOT = 4000
_SEED = 50_000
_BLOCK = 512
_LIMIT = 0.015


def calibration(
    scan: Scan,
    *,
    curves: int = 10_000,
    method: str = "exact",
    settings: Mapping[str, Any] | None = None,
    seed: int = _SEED,
    draws: int = 127,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge the posteriors of a method: coverage, ranks, z-scores and TARP.

    Args:
        scan: Input function and frames, at dose 1.
        curves: Number of curves.
        method: Method under test; what it has of `QUANTITIES` is judged.
        settings: Its settings; its defaults if None.
        seed: Seed of the curves and of the method.
        draws: Draws per curve for ranks and TARP, one less than a multiple of 16; 0 takes ranks
            from quantiles and leaves TARP out. They are to be independent. Method ``exact``
            refines curves until it has an effective sample size of this many.
        progress: What to report to.

    Returns:
        ``coverage``: group (all, thirds of estimated noise) to parameter to coverage at each of
        ``intervals``, with ``standard_error`` and ``worst`` by group; ``curve``: nominal and found
        coverage of more intervals; ``ranks``: parameter to chi-square and p values of uniformity;
        ``ecdf``: ECDF of ranks minus uniform, with its simultaneous 95 % band; ``z``; ``tarp`` or
        None; ``status``: counts; ``meets``: whether no coverage of all curves is off by more than
        .015.

    Raises:
        UsageError: If `draws` does not fit, there are fewer than 3 curves, or the method has none
            of the quantities.
    """
    if draws < 0 or (draws and (draws + 1) % BINS):
        raise UsageError(f"{draws} draws", f"expected 0 or one less than a multiple of {BINS}")
    if curves < len(THIRDS):
        raise UsageError(f"{curves} curves", f"expected at least {len(THIRDS)}")
    prior = _prior(*noise_range(scan))
    response = scan.response(1.0)
    drawn, _, noisy = draw_tacs(response, _box(prior), curves, seed)
    task = Task(
        curve=response.curve,
        frames=scan.frames,
        half_life=scan.half_life,
        model="2TCM",
        prior=prior,
        delay=None,
        samples=draws,
        seed=seed,
        quantiles=LEVELS,
    )
    kind = find_method(method)
    fitter = kind(make_settings(kind.Settings, settings or {})).prepare(task)
    names = tuple(name for name in QUANTITIES if name in fitter.parameters)
    if not names:
        raise UsageError(f"method {method!r}", f"expected one with {', '.join(QUANTITIES)}")
    fitted = _fit(fitter, names, noisy, progress or Silent())
    truth = _truth(drawn, names)
    samples = fitted.get("samples") if draws else None
    result: dict[str, Any] = {
        "method": method,
        "settings": dict(settings or {}),
        "input": scan.source,
        "curves": curves,
        "seed": seed,
        "noise": [prior["noise"].low, prior["noise"].high],
        "status": {
            STATUS.get(code, str(code)): int(n)
            for code, n in enumerate(np.bincount(fitted["status"]))
            if n
        },
        **coverage_checks(names, fitted["quantiles"], truth, fitted["noise"]),
        **rank_checks(names, fitted["quantiles"], samples, truth, seed),
        "z": z_checks(names, fitted["mean"], fitted["std"], truth),
        "tarp": None,
    }
    micro = tuple(name for name in PARAMETERS if name in names)
    if samples is not None and micro:
        columns = [names.index(name) for name in micro]
        result["tarp"] = tarp_check(micro, samples[:, columns], truth[:, columns], prior, seed)
    result["meets"] = abs(result["worst"]["all"]["deviation"]) <= _LIMIT
    return result


def noise_range(scan: Scan) -> tuple[float, float]:
    """Return the levels l at which the median late relative SD is 1 % and 40 %, at dose 1."""
    response = scan.response(1.0)
    box = _box(PRIORS["default"]) | {"noise": ("uniform", 1.0, 1.0)}
    _, clean, _ = draw_tacs(response, box, _PILOT, seed=987_654)
    gain = noise_gain(scan.frames, scan.half_life)
    sd = noise_sd(clean, 1.0, gain, noise_floor(response))[:, -_LATE:]
    late = clean[:, -_LATE:]
    relative = np.median(np.divide(sd, late, out=np.full_like(sd, np.inf), where=late > 0))
    return _RELATIVE_SD[0] / float(relative), _RELATIVE_SD[1] / float(relative)


def _prior(low: float, high: float) -> Prior:
    level = Distribution(dist="loguniform", low=low, high=high)
    return Prior("default, known range of noise", {**PRIORS["default"], "noise": level})


def _box(prior: Prior) -> dict[str, tuple[str, float, float]]:
    drawn = {name: prior[name] for name in (*PARAMETERS, "noise")}
    return {name: (d.dist, d.low, d.high) for name, d in drawn.items()}


def _truth(drawn: Mapping[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    K1, k2, k3, k4 = (drawn[name] for name in ("K1", "k2", "k3", "k4"))
    macro = {"Ki": K1 * k3 / (k2 + k3), "VT": K1 / k2 * (1 + k3 / k4), "BPND": k3 / k4}
    return np.stack([{**drawn, **macro}[name] for name in names], axis=1)


def _fit(
    fitter: Fitter, names: tuple[str, ...], noisy: np.ndarray, progress: Progress
) -> dict[str, np.ndarray]:
    """Results for the parameters in `names`, block by block in threads."""
    import torch

    starts = range(0, len(noisy), _BLOCK)
    progress.start("calibration", len(starts))

    def one(start: int) -> dict[str, np.ndarray]:
        torch.set_num_threads(1)
        block = noisy[start : start + _BLOCK]
        out = fitter.fit(block, np.arange(start, start + len(block)))
        progress.advance()
        return out

    with ThreadPoolExecutor(default_workers()) as pool:
        parts = list(pool.map(one, starts))
    progress.finish()
    fitted = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    columns = [fitter.parameters.index(name) for name in names]
    for key in ("mean", "std", "quantiles", "samples"):
        if key in fitted:
            fitted[key] = fitted[key][:, columns]
    return fitted


def calibration_table(result: Mapping[str, Any]) -> str:
    """Return a result of `calibration` as Markdown."""
    groups = list(result["coverage"])
    intervals = range(len(result["intervals"]))
    status = ", ".join(f"{n} {name}" for name, n in result["status"].items())
    low, high = result["noise"]
    worst = "; ".join(
        f"{group}: worst {100 * w['deviation']:+.2f} points ({w['parameter']},"
        f" {100 * w['interval']:.0f} %)"
        for group, w in result["worst"].items()
    )
    lines = [
        f"{result['curves']} curves of the default prior, delay fitted, l log-uniform from"
        f" {low:.2g} to {high:.2g}; {status}. Coverage in %: {worst}.",
        "",
        "| nominal | " + " | ".join(f"{100 * level:.0f}" for level in result["intervals"]) + " |",
        "|---" * (len(intervals) + 1) + "|",
    ]
    for name in result["coverage"]["all"]:
        shares = [[result["coverage"][group][name][i] for group in groups] for i in intervals]
        cells = [" / ".join(f"{100 * share:.1f}" for share in each) for each in shares]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    errors = [[result["standard_error"][group][i] for group in groups] for i in intervals]
    cells = [" / ".join(f"{100 * error:.2f}" for error in each) for each in errors]
    lines += ["| standard error | " + " | ".join(cells) + " |", "", f"Cells: {' / '.join(groups)}."]
    return "\n".join([*lines, "", *_rank_lines(result), *_tarp_lines(result)])


def _rank_lines(result: Mapping[str, Any]) -> list[str]:
    source = f"{result['draws']} draws" if result["draws"] else "quantiles"
    left = f", {result['unranked']} curves left out" if result["unranked"] else ""
    lines = [
        f"Ranks of the truth from {source}{left}; z = (mean - truth) / SD; contraction: median of"
        " 1 - posterior variance / prior variance.",
        "",
        "| | p, chi-square | p, ECDF | z mean | z SD | beyond 2, % | beyond 3, % | contraction |",
        "|---" * 8 + "|",
    ]
    for name, z in result["z"].items():
        rank = result["ranks"].get(name)
        p_values = [f"{rank[key]:.2g}" if rank else "n/a" for key in ("p_value", "ecdf_p_value")]
        cells = [
            *p_values,
            f"{z['mean']:+.3f}",
            f"{z['sd']:.3f}",
            f"{100 * z['beyond_2']:.2f}",
            f"{100 * z['beyond_3']:.2f}",
            f"{z['contraction']:.3f}",
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _tarp_lines(result: Mapping[str, Any]) -> list[str]:
    tarp = result["tarp"]
    if tarp is None:
        return []
    kinds = "; ".join(
        f"references from the {kind}: area {100 * part['area']:+.2f} points (standard error"
        f" {100 * part['area_error']:.2f}), p = {part['p_value']:.2g}"
        for kind, part in tarp.items()
        if kind != "parameters"
    )
    return ["", f"TARP on {', '.join(tarp['parameters'])}, below 0 overconfident; {kinds}."]
