"""An explorer of region curves: any region, alone or beside another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from betaplus.core.posterior import Posterior
from betaplus.core.tacs import TacTable
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.report.elements import Html, format_number
from betaplus.report.figures.curves import display_unit
from betaplus.report.viewer.encoding import rounded, widget

__all__ = ["curve_explorer"]

_MOST = 400  # curves
_BAND = 1.96
_OTHERWISE = "The explorer of curves needs JavaScript; the figures show some of the curves."


def curve_explorer(
    table: TacTable, posterior: Posterior | None = None, notes: Sequence[str] = ()
) -> Html:
    """Return the explorer; of very many curves the first ones.

    Args:
        table: The curves.
        posterior: Their posterior; its prediction is drawn with the residuals it leaves.
        notes: A line for each curve; by default its chi-square.
    """
    prediction = {} if posterior is None else posterior.prediction
    names = table.names or tuple(f"curve {i + 1}" for i in range(len(table)))
    frames = table.frames
    most = float(np.nanmax(np.abs(table.values[:_MOST]), initial=0.0))
    factor, unit = display_unit(most, table.unit)
    if not notes and posterior is not None and "chi2" in posterior.diagnostics:
        chi2 = np.asarray(posterior.diagnostics["chi2"], dtype=float).reshape(-1)
        notes = [f"{n}: chi-square {format_number(v)}" for n, v in zip(names, chi2, strict=False)]
    curves = [
        _curve(names[i], table.values[i], _of(prediction, i), factor, notes[i] if notes else "")
        for i in range(min(len(table), _MOST))
    ]
    data = {
        "unit": unit,
        "start": rounded(min(frames.start[0], 0.0) / SECONDS_PER_MINUTE),
        "end": rounded(frames.end[-1] / SECONDS_PER_MINUTE),
        "mid": rounded(frames.mid / SECONDS_PER_MINUTE),
        "half": rounded(0.5 * frames.duration / SECONDS_PER_MINUTE),
        "curves": curves,
    }
    return widget("curves", data, _OTHERWISE)


def _of(prediction: Any, i: int) -> dict[str, np.ndarray]:
    found = {k: np.asarray(prediction[k]) for k in ("mean", "std", "sigma") if k in prediction}
    return {k: v[i] for k, v in found.items() if v.ndim == 2}


def _curve(
    name: str, values: np.ndarray, found: dict[str, np.ndarray], factor: float, about: str
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": name,
        "about": about,
        "values": rounded(factor * np.asarray(values)),
    }
    mean, std, sigma = (found.get(k) for k in ("mean", "std", "sigma"))
    if mean is not None:
        data["mean"] = rounded(factor * mean)
        if std is not None:
            data["low"] = rounded(factor * (mean - _BAND * std))
            data["high"] = rounded(factor * (mean + _BAND * std))
    if sigma is not None:
        data["sigma"] = rounded(factor * sigma)
        if mean is not None:
            gone = np.full(len(sigma), np.nan)
            data["residual"] = rounded(np.divide(values - mean, sigma, out=gone, where=sigma > 0))
    return data
