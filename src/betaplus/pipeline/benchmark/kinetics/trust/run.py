"""The trust map: are model probabilities and the misfit flag to be believed.

A third of the curves comes from each of 1TCM, 2TCM3k and 2TCM, with parameters from the default
prior, the delay included, and a noise level l from a log-uniform range (late relative SD of 1 to
40 %, as for the calibration). The comparison is given that prior, so its probabilities should be
right: of all statements that are made with 70 %, 70 % should be true. Weights of AIC and BIC from
least squares of the same curves (Burnham and Anderson, 2002) are scored beside them.

The ranges of the rate constants that not all models have, k3 and k4, are doubled in their
logarithm for the sensitivity. The misfit flag is counted on these curves too, under the model they
came from; the rest of it is in `betaplus.pipeline.benchmark.kinetics.trust.misfit`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.posterior import STATUS
from betaplus.core.progress import Progress
from betaplus.kinetics.compare import COMPARED, compare
from betaplus.kinetics.prior import PRIORS, Distribution, Prior
from betaplus.physics.compartments import MODELS
from betaplus.pipeline.benchmark.kinetics.calibration import noise_range
from betaplus.pipeline.benchmark.kinetics.cases import Scan
from betaplus.pipeline.benchmark.kinetics.trust.misfit import LATE_SD, misfit_rates, table_of
from betaplus.pipeline.benchmark.kinetics.trust.scores import brier, paired, reliability
from betaplus.simulation.curves import draw_tacs

__all__ = ["trust", "trust_table"]

_SEED = 60_000
_WIDER = 2.0
_POINTS = 0.05
_FALSE, _POWER = 0.05, 0.80
_VOXEL = 0.1  # late relative SD that no region has
_MISFIT = next(code for code, name in STATUS.items() if name == "misfit")


def trust(
    scan: Scan,
    *,
    curves: int = 3000,
    misfit_curves: int = 300,
    late_sd: Sequence[float] = LATE_SD,
    seed: int = _SEED,
    settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge the probabilities of models and the misfit flag.

    Args:
        scan: Input function and frames, at dose 1.
        curves: Number of curves, a third from each model.
        misfit_curves: Curves of each case of misfit at each noise level.
        late_sd: Those levels, relative SD of the last four frames.
        seed: Seed of the curves.
        settings: Settings of method ``exact``; those of tables if None.
        workers: Blocks at work at a time.
        progress: What to report to.

    Returns:
        ``reliability`` of ``evidence``, ``wider``, ``aic`` and ``bic`` (see
        `trust.scores.reliability`); ``brier``: the mean score of each;
        ``better``: AIC's and BIC's scores minus that of the evidence, paired; ``right``: how often
        the most probable model is the right one; ``sensitivity``: ranges, median and 95 % quantile
        of the change of a probability, how often the choice changes; ``false_misfits``: share of
        curves called misfits under the model they came from; ``misfit``: see
        `betaplus.pipeline.benchmark.kinetics.trust.misfit.misfit_rates`; ``meets``.

    Raises:
        UsageError: If `curves` is not a positive multiple of 3.
    """
    if curves < 3 or curves % len(COMPARED):
        raise UsageError(f"{curves} curves", "expected a multiple of 3")
    low, high = noise_range(scan)
    level = Distribution(dist="loguniform", low=low, high=high)
    prior = Prior("default, known range of noise", {**PRIORS["default"], "noise": level})
    truth = np.repeat(np.arange(len(COMPARED)), curves // len(COMPARED))
    compared = compare(
        table_of(scan, _draw(scan, prior, curves // len(COMPARED), seed)),
        scan.curve,
        prior=prior,
        seed=seed,
        settings=settings,
        wider=_WIDER,
        workers=workers,
        progress=progress,
    )
    found = {
        "evidence": compared.probability,
        "wider": compared.sensitivity,
        "aic": compared.akaike,
        "bic": _weights(compared.bic),
    }
    scores = {name: brier(p, truth) for name, p in found.items()}
    change = np.abs(compared.sensitivity - compared.probability)
    chosen = {name: p.argmax(axis=1) for name, p in found.items()}
    misfits = compared.status[np.arange(curves), truth] == _MISFIT
    result: dict[str, Any] = {
        "input": scan.source,
        "curves": curves,
        "seed": seed,
        "models": list(COMPARED),
        "noise": [low, high],
        "least_ess": float(compared.ess.min()),
        "reliability": {name: reliability(p, truth, COMPARED) for name, p in found.items()},
        "brier": {name: float(score.mean()) for name, score in scores.items()},
        "better": {n: paired(scores["evidence"], scores[n]) for n in ("aic", "bic")},
        "right": {name: float((at == truth).mean()) for name, at in chosen.items()},
        "sensitivity": {
            "factor": _WIDER,
            "ranges": {k: v for k, v in compared.settings["wider"].items() if k != "factor"},
            "median": float(np.median(change)),
            "q95": float(np.quantile(change, 0.95)),
            "largest": float(change.max()),
            "choice_changes": float((chosen["evidence"] != chosen["wider"]).mean()),
        },
        "false_misfits": {
            "all": float(misfits.mean()),
            **{name: float(misfits[truth == k].mean()) for k, name in enumerate(COMPARED)},
        },
        "misfit": misfit_rates(
            scan,
            curves=misfit_curves,
            late_sd=late_sd,
            seed=seed + 1000,
            settings=settings,
            workers=workers,
            progress=progress,
        ),
    }
    result["meets"] = _meets(result)
    return result


def _draw(scan: Scan, prior: Prior, each: int, seed: int) -> np.ndarray:
    """Noisy curves of the models, one after another, shape (n, T) [Bq/mL]."""
    response, parts = scan.response(1.0), []
    for k, model in enumerate(COMPARED):
        names = (*MODELS[model].parameters, "delay", "noise")
        box = {name: (prior[name].dist, prior[name].low, prior[name].high) for name in names}
        parts.append(draw_tacs(response, box, each, seed + k)[2])
    return np.concatenate(parts)


def _weights(criterion: np.ndarray | None) -> np.ndarray:
    """Akaike weights, or those of BIC: shares of exp(-criterion / 2), shape (n, M)."""
    log = -0.5 * np.asarray(criterion, dtype=np.float64)
    share = np.exp(log - log.max(axis=1, keepdims=True))
    return share / share.sum(axis=1, keepdims=True)


def _meets(result: Mapping[str, Any]) -> dict[str, bool | None]:
    """What was asked for and whether it was found; None where too few curves were run to say."""
    worst = result["reliability"]["evidence"]["worst"].values()
    judged = [bin_ for bin_ in worst if bin_ is not None]
    misfit = result["misfit"]

    def least(part: str, name: str) -> float:
        pairs = zip(misfit["late_sd"], misfit[part][name]["rate"], strict=True)
        return min((rate for sd, rate in pairs if sd < _VOXEL), default=0.0)

    return {
        "reliable": all(abs(b["difference"]) <= _POINTS for b in judged) if judged else None,
        "better than AIC": result["brier"]["evidence"] < result["brier"]["aic"],
        "false misfits": result["false_misfits"]["all"] <= _FALSE,
        "power, liver with two inputs": least("residuals", "liver, two inputs") >= _POWER,
        "power, shifted frames, delay known": least("frames", "frames shifted by one, delay known")
        >= _POWER,
    }


def trust_table(result: Mapping[str, Any]) -> str:
    """Return a result of `trust` as Markdown."""
    low, high = result["noise"]
    lines = [
        f"{result['curves']} curves, a third from each of {', '.join(result['models'])}, default"
        f" prior, delay fitted, l log-uniform from {low:.2g} to {high:.2g}; seed {result['seed']};"
        f" an evidence rests on {result['least_ess']:.0f} effective points or more.",
        "",
        "| | Brier score | right choice, % | worst bin, points | mean difference, points |",
        "|---" * 5 + "|",
    ]
    labels = {
        "evidence": "evidence",
        "wider": f"evidence, priors {result['sensitivity']['factor']:g} times as wide",
        "aic": "AIC weights",
        "bic": "BIC weights",
    }
    for name, label in labels.items():
        part = result["reliability"][name]
        worst = [b for b in part["worst"].values() if b is not None]
        off = max((b["difference"] for b in worst), key=abs) if worst else None
        cells = [
            f"{result['brier'][name]:.4f}",
            f"{100 * result['right'][name]:.1f}",
            "n/a" if off is None else f"{100 * off:+.1f}",
            f"{100 * part['calibration_error']['all']:.1f}",
        ]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    better = "; ".join(
        f"{name.upper()} {part['mean']:+.4f} (standard error {part['standard_error']:.4f})"
        for name, part in result["better"].items()
    )
    lines += ["", f"Brier score more than the evidence's: {better}.", ""]
    lines += [
        *_reliability_lines(result),
        "",
        _sensitivity_line(result),
        "",
        *_misfit_lines(result),
    ]
    return "\n".join(lines)


def _reliability_lines(result: Mapping[str, Any]) -> list[str]:
    groups = result["reliability"]["evidence"]["groups"]
    lines = [
        "Probability said and share found to be right, % (curves), by evidence:",
        "",
        "| probability | " + " | ".join(groups) + " |",
        "|---" * (len(groups) + 1) + "|",
    ]
    edges = sorted({(b["low"], b["high"]) for bins in groups.values() for b in bins})
    for low, high in edges:
        cells = []
        for bins in groups.values():
            here = next((b for b in bins if b["low"] == low), None)
            cells.append(
                f"{100 * here['predicted']:.1f}: {100 * here['observed']:.1f} ({here['count']})"
                if here
                else "n/a"
            )
        lines.append(f"| {100 * low:.0f}-{100 * high:.0f} | " + " | ".join(cells) + " |")
    return lines


def _sensitivity_line(result: Mapping[str, Any]) -> str:
    part = result["sensitivity"]
    ranges = ", ".join(
        f"{name} {low:.2g}-{high:.2g}" for name, (low, high) in part["ranges"].items()
    )
    return (
        f"Priors {part['factor']:g} times as wide ({ranges}): a probability changes by"
        f" {100 * part['median']:.1f} points (median), {100 * part['q95']:.1f} (95 %),"
        f" {100 * part['largest']:.0f} at most; the most probable model changes for"
        f" {100 * part['choice_changes']:.1f} % of the curves."
    )


def _misfit_lines(result: Mapping[str, Any]) -> list[str]:
    misfit, false = result["misfit"], result["false_misfits"]
    levels = [f"{100 * sd:g} %" for sd in misfit["late_sd"]]
    by_model = ", ".join(f"{name} {100 * false[name]:.1f}" for name in result["models"])
    lines = [
        f"Misfits under the model the curve came from: {100 * false['all']:.1f} % ({by_model}).",
        "",
        f"Share called a misfit, %, by late relative SD; {misfit['curves']} curves of each"
        f" (standard error of a power of 80 %: {100 * misfit['standard_error']:.1f}).",
        "",
        "| | model is | " + " | ".join(levels) + " |",
        "|---" * (len(levels) + 2) + "|",
    ]
    for name, part in misfit["residuals"].items():
        cells = " | ".join(f"{100 * rate:.1f}" for rate in part["rate"])
        lines.append(f"| {name} | {'right' if part['right'] else 'wrong'} | {cells} |")
    lines += [
        "",
        f"Frames called shifted by one, % of curves (% of tables of {misfit['regions']} curves):",
        "",
        "| | frames are | " + " | ".join(levels) + " |",
        "|---" * (len(levels) + 2) + "|",
    ]
    for name, part in misfit["frames"].items():
        tables = ["n/a" if t is None else f"{100 * t:.0f}" for t in part["table_rate"]]
        pairs = zip(part["rate"], tables, strict=True)
        cells = " | ".join(f"{100 * rate:.1f} ({whole})" for rate, whole in pairs)
        lines.append(f"| {name} | {'right' if part['right'] else 'shifted'} | {cells} |")
    return lines
