"""Figures of the benchmark of `separate` that have a target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from betaplus.pipeline.benchmark.gate import Gate
from betaplus.pipeline.benchmark.rows import Row, select
from betaplus.pipeline.benchmark.separate.candidates import UNCONDITIONAL
from betaplus.pipeline.benchmark.separate.summary import mean_of

__all__ = [
    "GATED_DELAY",
    "LEAK",
    "OVER_COMPARTMENT",
    "crosstalk_gates",
    "image_gates",
    "loss",
    "shift_gates",
]

GATED_DELAY = 20.0
"""Delay that has targets [min]."""

OVER_COMPARTMENT = 0.7
"""NRMSE of `inn` over that of the tuned `compartment`, at most."""

LOSS = 0.5
"""Loss of the conditional network over that of the one that knows one protocol, at most."""

LEAK = 0.1
"""Uptake leaked over uptake inserted, at most."""

_OWN = "inn"
_LEARNED = ("inn-published", "ced", "cnn3d")


def image_gates(result: Mapping[str, Any]) -> list[Gate]:
    """Return the gates of part ``images``: pairs, counts and tracers apart."""
    rows: Sequence[Row] = result["rows"]
    found = []
    for pair, tracers in result["pairs"].items():
        for counts in result["counts"]:
            at = select(rows, pair=pair, delay=GATED_DELAY, counts=counts)
            if not at and GATED_DELAY not in result["delays"]:
                continue
            for i, tracer in enumerate(tracers):
                where = f"{pair}, {GATED_DELAY:g} min, counts 1/{1 / counts:g}, {tracer}"
                own = mean_of(select(at, method=_OWN), i, "nrmse")
                for other, target in [
                    ("compartment", OVER_COMPARTMENT),
                    *((name, 1.0) for name in _LEARNED),
                ]:
                    theirs = mean_of(select(at, method=other), i, "nrmse")
                    word = "tuned compartment" if other == "compartment" else other
                    found.append(
                        Gate(
                            name=f"{where}: NRMSE of {_OWN} over {word}",
                            found=own / theirs,
                            target=target,
                        )
                    )
    return found


def loss(rows: Sequence[Row], method: str, shift: str, tracer: int) -> float:
    """Return by what share NRMSE is larger under a shift than without; NaN if not measured."""
    at = mean_of(select(rows, method=method, shift=shift), tracer, "nrmse")
    return at / mean_of(select(rows, method=method, shift=""), tracer, "nrmse") - 1.0


def shift_gates(result: Mapping[str, Any]) -> list[Gate]:
    """Return the gates of part ``shifts``: loss on delay and dose, mean over both tracers.

    Held against two networks that know one protocol: that of `inn`, whose start is told what the
    scan was, and the published one, which is told nothing. Where such a network loses nothing there
    is nothing to compare with: not measured.
    """
    found = []
    for shift in ("delay", "dose"):
        for reference in (UNCONDITIONAL, "inn-published"):
            own, other = (
                0.5 * sum(loss(result["rows"], method, shift, i) for i in (0, 1))
                for method in (_OWN, reference)
            )
            found.append(
                Gate(
                    name=f"{shift}: loss of {_OWN} over that of {reference}",
                    found=max(own, 0.0) / other if other > 0 else math.nan,
                    target=LOSS,
                )
            )
    return found


def crosstalk_gates(result: Mapping[str, Any]) -> list[Gate]:
    """Return the gates of part ``crosstalk``: both directions at 20 min."""
    found = []
    for kind in ("first", "second"):
        known = [
            one
            for one in result["means"]
            if (one["method"], one["delay"], one["kind"]) == (_OWN, GATED_DELAY, kind)
        ]
        value = known[0]["leak"] if known else math.nan
        where = f"{GATED_DELAY:g} min, lesion of the {kind} tracer"
        found.append(
            Gate(
                name=f"{where}: leaked over inserted, {_OWN}",
                found=value,
                target=LEAK,
            )
        )
    return found
