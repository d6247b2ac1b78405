"""Coverage of a method's intervals on curves whose parameters come from its prior."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.core.settings import make_settings
from betaplus.engine import default_workers
from betaplus.kinetics.method import find_method
from betaplus.pipeline.benchmark.kinetics.cases import LEVELS, QUANTITIES, Scan

__all__ = ["INTERVALS", "coverage", "coverage_table"]

INTERVALS = (0.50, 0.80, 0.90, 0.95)
"""Central intervals whose coverage is counted."""

_TAILS = tuple(
    sorted([(1 - level) / 2 for level in INTERVALS] + [(1 + level) / 2 for level in INTERVALS])
)
_STRATA = 48  # doses; a multiple of 3
_SEED = 40_000
_LIMITS = {"all": 0.015, "tertile": 0.03}
_TERTILES = ("low noise", "middle noise", "high noise")


def coverage(
    scan: Scan,
    *,
    curves: int = 10_000,
    strata: int = _STRATA,
    method: str = "exact",
    settings: Mapping[str, Any] | None = None,
    seed: int = _SEED,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Count how often central intervals hold the truth.

    Parameters and noise level come from the published prior; the dose is even in its logarithm
    between those of the lowest and the highest of `LEVELS`. Noise tertiles are tertiles of dose,
    which is known to the method: to sort by the true noise or the true curve would condition on
    the parameters, and then even a perfect posterior would not cover as it should.

    Args:
        scan: Input function and frames.
        curves: Number of curves.
        strata: Number of doses, a multiple of 3.
        method: Method under test.
        settings: Its settings; its defaults if None.
        seed: Curves of stratum i are those of `scan.draw(dose, n, seed + i)`.
        progress: What to report to.

    Returns:
        ``coverage``: group to parameter to coverage at each of `INTERVALS`; ``worst``: group to
        the largest deviation from nominal and where; ``standard_error``: group to binomial
        standard errors at each interval; ``meets``.
    """
    progress = progress or Silent()
    kind = find_method(method)
    chosen = make_settings(kind.Settings, settings or {})
    high, low = scan.dose(LEVELS[0]), scan.dose(LEVELS[-1])
    doses = high * (low / high) ** ((np.arange(strata) + 0.5) / strata)
    sizes = np.diff(np.linspace(0, curves, strata + 1).round().astype(int))
    progress.start("coverage", strata)

    def one(i: int) -> tuple[np.ndarray, np.ndarray]:
        """Whether each interval holds the truth, shape (n, P, 4), and the status codes."""
        drawn = scan.draw(float(doses[i]), int(sizes[i]), seed + i)
        fitter = kind(chosen).prepare(scan.task(float(doses[i]), quantiles=_TAILS))
        columns = [fitter.parameters.index(name) for name in QUANTITIES]
        fitted = fitter.fit(drawn.noisy, np.arange(sizes[i]))
        limits = fitted["quantiles"][:, columns]
        truth = np.stack([drawn.truth[name] for name in QUANTITIES], axis=1)[..., None]
        lower, upper = limits[..., : len(INTERVALS)][..., ::-1], limits[..., len(INTERVALS) :]
        progress.advance()
        return (truth >= lower) & (truth <= upper), fitted["status"]

    with ThreadPoolExecutor(default_workers()) as pool:
        parts = list(pool.map(one, range(strata)))
    progress.finish()
    held = np.concatenate([part[0] for part in parts])
    status = np.concatenate([part[1] for part in parts])
    tertile = np.repeat(np.arange(strata) * 3 // strata, sizes)
    groups = {"all": np.ones(curves, dtype=bool)}
    groups |= {name: tertile == i for i, name in enumerate(_TERTILES)}
    found = {name: held[chosen_].mean(axis=0) for name, chosen_ in groups.items()}
    nominal = np.array(INTERVALS)
    worst = {name: _worst(share - nominal) for name, share in found.items()}
    return {
        "curves": curves,
        "doses": [float(doses[0]), float(doses[-1])],
        "seed": seed,
        "intervals": list(INTERVALS),
        "coverage": {
            name: {p: share[i].tolist() for i, p in enumerate(QUANTITIES)}
            for name, share in found.items()
        },
        "worst": worst,
        "standard_error": {
            name: np.sqrt(nominal * (1 - nominal) / chosen_.sum()).tolist()
            for name, chosen_ in groups.items()
        },
        "refined": int((status == 3).sum()),
        "misfit": int((status == 4).sum()),
        "meets": bool(
            abs(worst["all"]["deviation"]) <= _LIMITS["all"]
            and all(abs(worst[name]["deviation"]) <= _LIMITS["tertile"] for name in _TERTILES)
        ),
    }


def _worst(deviation: np.ndarray) -> dict[str, Any]:
    p, level = np.unravel_index(np.argmax(np.abs(deviation)), deviation.shape)
    return {
        "deviation": float(deviation[p, level]),
        "parameter": QUANTITIES[p],
        "interval": INTERVALS[level],
    }


def coverage_table(result: Mapping[str, Any]) -> str:
    """Return coverage in per cent, all curves and noise tertiles, as a Markdown table."""
    names = list(result["coverage"])
    lines = [
        f"{result['curves']} curves, {result['refined']} refined, {result['misfit']} flagged as"
        " misfits. Coverage in %: "
        + "; ".join(
            f"{name}: worst {100 * w['deviation']:+.2f} points ({w['parameter']},"
            f" {100 * w['interval']:.0f} %)"
            for name, w in result["worst"].items()
        )
        + ".",
        "",
        "| nominal | " + " | ".join(f"{100 * level:.0f}" for level in result["intervals"]) + " |",
        "|---" * (len(result["intervals"]) + 1) + "|",
    ]
    for p in result["coverage"]["all"]:
        cells = [
            " / ".join(f"{100 * result['coverage'][name][p][i]:.1f}" for name in names)
            for i in range(len(result["intervals"]))
        ]
        lines.append(f"| {p} | " + " | ".join(cells) + " |")
    errors = [
        " / ".join(f"{100 * result['standard_error'][name][i]:.2f}" for name in names)
        for i in range(len(result["intervals"]))
    ]
    lines.append("| standard error | " + " | ".join(errors) + " |")
    lines += ["", f"Cells: {' / '.join(names)}."]
    return "\n".join(lines)
