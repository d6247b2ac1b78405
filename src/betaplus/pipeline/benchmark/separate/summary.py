r"""Means over people and draws of what was scored, and bias and SD of regions over draws.

Of a region's curve, with the mean over draws :math:`\bar x_f` and their variance :math:`v_f`,
frames weighted by their duration D and :math:`\|x\|^2 = \sum_f D_f x_f^2`,

.. math:: \mathrm{bias} = \|\bar x - x\| / \|x\|, \quad
          \mathrm{SD} = (\textstyle\sum_f D_f v_f)^{1/2} / \|x\| .
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.rows import Row

__all__ = [
    "MacroErrors",
    "curve_spread",
    "macro_errors",
    "macro_rows",
    "mean_of",
    "skipped",
]


def skipped(rows: Iterable[Row]) -> dict[str, str]:
    """Return method to why it was left out somewhere, the first reason, and how often."""
    held = list(rows)
    found: dict[str, str] = {}
    for row in held:
        if "skipped" in row and row["method"] not in found:
            own = [one for one in held if one["method"] == row["method"]]
            out = sum("skipped" in one for one in own)
            often = "" if out == len(own) else f" (in {out} of {len(own)} scans)"
            found[row["method"]] = row["skipped"] + often
    return found


def mean_of(rows: Sequence[Row], tracer: int, figure: str) -> float:
    """Return the mean of a figure of a tracer; people count alike. NaN where there is nothing."""
    people: dict[str, list[float]] = {}
    for row in rows:
        people.setdefault(row["subject"], []).append(float(row["tracers"][tracer][figure]))
    return float(np.mean([np.mean(v) for v in people.values()])) if people else math.nan


def curve_spread(
    rows: Sequence[Row], references: Mapping[str, Row], tracer: int
) -> tuple[float, float]:
    """Return bias and SD of region curves over draws, medians over regions and people.

    Args:
        rows: Of one method in one scene.
        references: Scene and subject to the truth.
        tracer: 0 or 1.
    """
    bias, spread = [], []
    for key in dict.fromkeys((row["scene"], row["subject"]) for row in rows):
        own = [r for r in rows if (r["scene"], r["subject"]) == key]
        reference = references["_".join(key)]
        seen = np.array(reference["seen"][tracer])
        duration = np.array(reference["duration"])[seen]
        truth = np.array(reference["curves"][tracer], dtype=float)[:, seen]
        each = np.array([r["tracers"][tracer]["curves"] for r in own], dtype=float)[..., seen]
        size = np.sqrt((truth**2) @ duration)
        bias += list(np.sqrt(((each.mean(0) - truth) ** 2) @ duration) / size)
        if len(own) > 1:
            spread += list(np.sqrt(each.var(0, ddof=1) @ duration) / size)
    return _median(bias), _median(spread)


@dataclass(frozen=True, kw_only=True)
class MacroErrors:
    """Errors of Ki or VT of regions over the value: medians over regions and people.

    Attributes:
        error: Root mean square over draws, against the fit to frames without noise.
        alone: The same against the fit to the scan with that tracer alone and the same number.
        bias: Of the mean over draws, against the fit to frames without noise.
        sd: Over draws.
        true: As `error`, against the mean of the true kinetics: the scanner's resolution and the
            model of the fit are in it, whatever the method.
    """

    error: float
    alone: float
    bias: float
    sd: float
    true: float


def macro_errors(
    values: Sequence[Row], singles: Sequence[Row], references: Mapping[str, Row], tracer: int
) -> MacroErrors:
    """Return the errors of a method in one scene.

    Args:
        values: Rows with ``scene``, ``subject``, ``draw`` and ``macro``, those of each tracer.
        singles: Fits of single tracers, of the same scenes.
        references: Scene and subject to the truth.
        tracer: 0 or 1.
    """
    found: dict[str, list[float]] = {f.name: [] for f in fields(MacroErrors)}
    by_draw = {(s["scene"], s["subject"], s["draw"]): s for s in singles}
    for key in dict.fromkeys((row["scene"], row["subject"]) for row in values):
        own = [r for r in values if (r["scene"], r["subject"]) == key]
        if not own[0]["macro"][tracer]:
            continue
        truth = np.array(references["_".join(key)]["true"][tracer], dtype=float)
        each = np.array([r["macro"][tracer] for r in own], dtype=float)
        pairs = [by_draw[(*key, r["draw"])] for r in own]
        single = np.array([p["alone"][tracer] for p in pairs], dtype=float)
        clean = np.array(pairs[0]["clean"][tracer], dtype=float)
        for name, known in (("error", clean), ("alone", single), ("true", truth)):
            size = known.mean(0) if known.ndim > 1 else known
            found[name] += list(np.sqrt(((each - known) ** 2).mean(0)) / size)
        found["bias"] += list((each.mean(0) - clean) / clean)
        if len(own) > 1:
            found["sd"] += list(each.std(0, ddof=1) / clean)
    return MacroErrors(**{name: _median(one) for name, one in found.items()})


def macro_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return scored rows as `macro_errors` takes them."""
    keys = ("scene", "subject", "draw")
    return [
        {**{k: row[k] for k in keys}, "macro": [one["macro"] for one in row["tracers"]]}
        for row in rows
    ]


def _median(values: Sequence[float]) -> float:
    known = [v for v in values if math.isfinite(v)]
    return float(np.median(known)) if known else math.nan
