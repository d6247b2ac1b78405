"""Fits of all regions with the shared parameter held at a value."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import ndtri

from betaplus.core.posterior import Posterior
from betaplus.core.progress import Progress
from betaplus.core.tacs import TacTable
from betaplus.engine import open_executor
from betaplus.kinetics.fit import fit
from betaplus.kinetics.prior import Distribution, Prior

__all__ = ["Held"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Held:
    """Fits at values of one parameter, addressed by its prior's probability u; each made once.

    Attributes:
        name: The parameter that is held.
        prior: The prior.
        data: The regions.
        options: Other arguments of `betaplus.kinetics.fit`.
        quantiles: Quantile levels.
        engine: Where values are worked on side by side.
        workers: Values at work at a time; the cores available if None.
        progress: What to report to.
    """

    name: str
    prior: Prior
    data: TacTable
    options: dict[str, Any]
    quantiles: tuple[float, ...]
    engine: str | Executor
    workers: int | None
    progress: Progress
    _made: dict[float, Posterior] = field(default_factory=dict)

    def values(self, u: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return the parameter at probabilities of its prior."""
        return self.prior[self.name].at_probit(ndtri(np.asarray(u, dtype=np.float64)))

    def at(self, u: Sequence[float] | np.ndarray) -> list[Posterior]:
        """Return the fits at probabilities `u`."""
        wanted = [float(v) for v in u]
        new = [v for v in dict.fromkeys(wanted) if v not in self._made]
        self._made.update(zip(new, self.draw(new, [0] * len(new)), strict=True))
        return [self._made[v] for v in wanted]

    def draw(
        self, u: Sequence[float] | np.ndarray, samples: Sequence[int] | np.ndarray
    ) -> list[Posterior]:
        """Return new fits at probabilities `u` with so many draws each."""
        if not len(u):
            return []
        out = []
        self.progress.start(f"values of {self.name}", len(u))
        with open_executor(self.engine, self.workers, self.progress) as pool:
            waiting = [
                pool.submit(fit, self.data, **self._arguments(value, int(count)))
                for value, count in zip(self.values(u), samples, strict=True)
            ]
            for future in waiting:
                out.append(future.result())
                self.progress.advance()
        self.progress.finish()
        return out

    def _arguments(self, value: float, samples: int) -> dict[str, Any]:
        if self.name == "delay":
            known = {"prior": self.prior, "delay": float(value)}
        else:
            fixed = {self.name: Distribution.at(float(value))}
            known = {"prior": self.prior.replaced(**fixed)}
        asked = {"samples": samples, "quantiles": self.quantiles, "engine": "inline"}
        return {**self.options, **known, **asked}
