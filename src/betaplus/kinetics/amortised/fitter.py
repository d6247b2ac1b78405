"""What every method with a network does with its draws: weigh them, sum up, hand over the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from betaplus.kinetics.amortised.condition import Condition, Describer
from betaplus.kinetics.amortised.importance import (
    effective_size,
    normalised,
    smooth_weights,
)
from betaplus.kinetics.amortised.lean import LeanPass
from betaplus.kinetics.amortised.results import parameter_names, summarise
from betaplus.kinetics.exact.method import Exact
from betaplus.kinetics.exact.pilot import Pilot
from betaplus.kinetics.method import Task

__all__ = ["MICROBATCH", "AmortisedFitter", "Draws", "Trust"]

MICROBATCH = 32
"""Curves that go through a network at a time, padded: the one size that its arithmetic runs in."""

_TRUSTED_K = 0.7  # of the Pareto tail, Vehtari et al.
_MOVED, _WIDENED = 0.10, 0.05  # SD: weights that change less than that leave a curve `ok`
OK, REWEIGHTED, REFINED, MISFIT = 1, 2, 3, 4


class Draws(NamedTuple):
    """What a network gives for n curves: whitened draws, and their log density if it has one."""

    x: np.ndarray  # (n, S, D)
    log_q: np.ndarray | None  # (n, S), in the whitened coordinates


Draw = Callable[[Condition, np.ndarray, np.ndarray], Draws]
"""(condition of MICROBATCH curves, places that are free, their indices in the whole) to draws."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trust:
    """When draws are believed.

    Attributes:
        reweight: Whether draws get importance weights of the exact posterior.
        refine: Whether curves whose weights fail, or that lie outside what the network was trained
            on, are done again by `exact`.
        least_share: Effective sample size over points below which weights have failed.
        points: Weighted points per curve, where draws have no density of their own.
    """

    reweight: bool = True
    refine: bool = True
    least_share: float = 0.05
    points: int = 2048


class AmortisedFitter:
    """A network's draws for the curves of one task.

    Args:
        task: What is fitted.
        draw: The network.
        probes: Whitened points at which it sees the posterior, shape (P, 6).
        trust: When its draws are believed.
        outside: What of the task lies outside the network's training, in words; if there is
            anything, no draw is believed.
        lean: The lean pass, if there is one already.

    Attributes:
        parameters: Names along the parameter axis of the results.
        remarks: What a user has to know about the whole fit.
    """

    def __init__(
        self,
        task: Task,
        draw: Draw,
        probes: np.ndarray,
        trust: Trust,
        outside: Sequence[str] = (),
        lean: LeanPass | None = None,
    ) -> None:
        self.parameters = parameter_names(task)
        self._task, self._draw, self._probes, self._trust = task, draw, probes, trust
        self._lean = lean or LeanPass(task)
        self._describe = Describer(task, self._lean)
        self._failed = bool(outside)
        self.remarks = tuple(outside_remarks(outside, trust.refine))
        self._exact = Exact().prepare(task) if trust.refine else None

    def fit(self, curves: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        """Fit curves, shape (n, T) [Bq/mL]; see `betaplus.kinetics.method.Fitter.fit`.

        Further diagnostics: ``trusted``, 0 where draws and weights failed (such curves are refined,
        or called misfit where refinement is off), and where weights were asked for, ``pareto_k``
        and ``evidence``.
        """
        parts = [
            self._batch(curves[i : i + MICROBATCH], items[i : i + MICROBATCH])
            for i in range(0, len(curves), MICROBATCH)
        ]
        out = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        out["trusted"] = (out["status"] != REFINED).astype(np.uint8)
        if self._exact is not None:
            self._refine(curves, items, out)
        else:
            out["status"][out["trusted"] == 0] = MISFIT
        return out

    def _batch(self, curves: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        n = len(curves)
        padded = self._lean.padded(curves)
        pilot = self._lean.pilots(padded, self._probes)
        condition = self._describe(padded, pilot)
        full = Condition(*(_repeat_last(part, MICROBATCH) for part in condition))
        numbers = np.concatenate([items, np.full(MICROBATCH - n, items[-1])])
        draws = self._draw(full, self._lean.free, numbers)
        x = draws.x[:n].astype(np.float64)
        broken = ~np.isfinite(x).all((1, 2))
        x[broken] = 0.0
        rows, log_p, misfits = self._lean.evaluate(padded, pilot, x)
        equal = np.full(x.shape[:2], 1.0 / x.shape[1])
        failed = np.full(n, self._failed) | broken
        if not self._trust.reweight:
            out = summarise(self._task, self._lean, pilot, x, equal, rows, misfits)
            out["ess"] = np.full(n, x.shape[1], dtype=np.float32)
            out["status"] = np.where(failed, REFINED, np.maximum(pilot.status, OK)).astype(np.uint8)
            return self._without(broken, out)
        raw = summarise(
            dataclasses.replace(self._task, samples=0, predict=False),
            self._lean, pilot, x, equal, rows, misfits,
        )  # fmt: skip
        if draws.log_q is None:
            x, rows, log_w, misfits = self._lean.reweight(
                padded, pilot, x, self._trust.points, self._task.seed
            )
        else:
            log_w = log_p - draws.log_q[:n].astype(np.float64)
            log_w[broken] = 0.0
        log_w = np.where(np.isfinite(log_w), log_w, -np.inf)
        smoothed, k = smooth_weights(log_w)
        w = normalised(smoothed)
        ess = effective_size(w)
        out = summarise(self._task, self._lean, pilot, x, w, rows, misfits)
        failed |= (k > _TRUSTED_K) | (ess < self._trust.least_share * x.shape[1])
        chance = 3.0 / np.sqrt(draws.x.shape[1])  # what the number of draws accounts for
        moved = np.abs(out["mean"] - raw["mean"]) > (_MOVED + chance) * out["std"]
        widened = np.abs(raw["std"] - out["std"]) > (_WIDENED + chance) * out["std"]
        status = np.where((moved | widened).any(1), REWEIGHTED, OK)
        status = np.where(pilot.status == MISFIT, MISFIT, status)
        out["status"] = np.where(failed, REFINED, status).astype(np.uint8)
        out["ess"] = ess.astype(np.float32)
        out["pareto_k"] = k.astype(np.float32)
        out["evidence"] = self._evidence(pilot, log_w)
        return self._without(broken, out)

    def _without(self, broken: np.ndarray, out: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Leave no number to curves whose draws are not finite, where `exact` will give none."""
        if self._exact is None and broken.any():
            for values in out.values():
                if values.dtype.kind == "f":
                    values[broken] = np.nan
        return out

    def _evidence(self, pilot: Pilot, log_w: np.ndarray) -> np.ndarray:
        """Log of the probability density of the data."""
        target = self._lean.problem.target
        n, d = target.n_frames, self._lean.free.size
        top = log_w.max(-1)
        volume = np.log(np.diagonal(pilot.factor, axis1=1, axis2=2)).sum(-1)
        shape = 0.5 * np.log(pilot.weight[:, :n].astype(np.float64)).sum(-1)
        unit = n * np.log(target.table.scale) + 0.5 * (n + d) * np.log(2.0 * np.pi)
        mean = np.log(np.exp(log_w - top[:, None]).mean(-1))
        return top + mean + volume + shape - unit

    def _refine(self, curves: np.ndarray, items: np.ndarray, out: dict[str, np.ndarray]) -> None:
        """Replace what failed by what `exact` finds."""
        failed = np.flatnonzero(out["status"] == REFINED)
        if failed.size == 0 or self._exact is None:
            return
        better = self._exact.fit(curves[failed], items[failed])
        for key, values in out.items():
            if key in better and key != "status":
                values[failed] = better[key]
        out["status"][failed] = np.where(better["status"] == MISFIT, MISFIT, REFINED)


def _repeat_last(values: np.ndarray, size: int) -> np.ndarray:
    missing = size - len(values)
    if missing == 0:
        return values
    return np.concatenate([values, np.repeat(values[-1:], missing, axis=0)])


def outside_remarks(outside: Sequence[str], refine: bool) -> Iterator[str]:
    """Yield what to say of a task that lies outside a network's training."""
    if outside:
        then = "every curve is done by exact instead" if refine else "its draws may be wrong"
        yield f"the network was not trained for this scan ({'; '.join(outside)}): {then}"
