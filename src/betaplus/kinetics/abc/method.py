"""Method `abc`: approximate Bayesian computation by rejection or sequential Monte Carlo.

Parameters from the prior are turned into curves, noise is added, and those whose curves come near
the data are kept: no likelihood is evaluated anywhere. This is what PET-TRACER (arXiv 2509.13614)
was compared with; it began in PET with Fan et al., NeuroImage 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.kinetics.abc.sampler import Effort, sample
from betaplus.kinetics.abc.simulator import Simulator
from betaplus.kinetics.abc.summary import Summary
from betaplus.kinetics.abc.table import PASS, Table
from betaplus.kinetics.method import Task
from betaplus.physics.compartments import find_model

__all__ = ["Abc", "AbcFitter"]

_DRAWS = 31  # number of the stream of a curve's random numbers
_LEAST_KEPT = 100  # particles of a round before the last, of which a quarter are kept
_LAST = 0.5  # share of the simulations that the last round gets
_CHOICES = {
    "sampler": ("smc", "rejection"),
    "distance": ("statistics", "curve"),
    "adjust": ("rescaled", "linear", "none"),
}


class Abc:
    """Approximate Bayesian computation, batched."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How many simulations, and what is done with them.

        Attributes:
            sampler: ``smc``, or ``rejection``, which is its first round alone.
            table: Noise-free prior simulations that all curves share.
            simulations: Noisy simulations per curve, those of all rounds.
            accepted: Particles kept of the last round, and at most of the others.
            rounds: Rounds of ``smc``; the last gets half of the simulations.
            distance: Between ``statistics`` fitted to simulations, or weighted squares of the
                ``curve``.
            adjust: ``linear`` regression on the statistics, ``rescaled`` residuals besides, or
                ``none``.
            bandwidth: Variance of the perturbation kernel over that of the particles.
        """

        sampler: str = "smc"
        table: int = 1 << 16
        simulations: int = 8000
        accepted: int = 1000
        rounds: int = 3
        distance: str = "statistics"
        adjust: str = "rescaled"
        bandwidth: float = 1.0

        def __post_init__(self) -> None:
            for name, known in _CHOICES.items():
                if getattr(self, name) not in known:
                    raise UsageError(
                        f"setting {name}={getattr(self, name)!r}",
                        f"expected {' or '.join(known)}",
                    )
            for name, least, most in (
                ("table", 1024, 1 << 19),
                ("simulations", 400, 1 << 17),
                ("accepted", 100, 1 << 16),
                ("rounds", 2, 20),
            ):
                value = getattr(self, name)
                if not least <= value <= most:
                    raise UsageError(f"setting {name}={value}", f"expected {least} to {most}")
            counts = self.counts()
            if counts[0] > self.table:
                raise UsageError(
                    f"settings table={self.table} and simulations={self.simulations}",
                    f"expected a table of at least {counts[0]}, which the first round takes of it",
                )
            if min(counts) < 2 * _LEAST_KEPT:
                raise UsageError(
                    f"settings rounds={self.rounds} and simulations={self.simulations}",
                    f"expected at least {2 * _LEAST_KEPT} simulations a round",
                )
            if self.accepted > counts[-1]:
                raise UsageError(
                    f"settings accepted={self.accepted} and simulations={self.simulations}",
                    f"expected at most {counts[-1]} accepted, the simulations of the last round",
                )
            if not 0.0 < self.bandwidth <= 4.0:
                raise UsageError(
                    f"setting bandwidth={self.bandwidth:g}",
                    "expected above 0 and at most 4",
                )

        def counts(self) -> tuple[int, ...]:
            """Return the simulations of each round."""
            if self.sampler == "rejection":
                return (self.simulations,)
            before = int((1.0 - _LAST) * self.simulations) // (self.rounds - 1)
            return (
                *[before] * (self.rounds - 1),
                self.simulations - before * (self.rounds - 1),
            )

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> AbcFitter:
        """Simulate the table that the curves of a task share.

        Raises:
            UsageError: If the model, the noise or an option is not one that the method knows.
        """
        return AbcFitter(self.settings, task)


class AbcFitter:
    """Approximate Bayesian computation for the curves of one task."""

    def __init__(self, settings: Abc.Settings, task: Task) -> None:
        find_model(task.model)
        if isinstance(task.noise, str) and task.noise == "estimate":
            raise UsageError(
                "noise estimate with method abc",
                "expected auto, a level or standard deviations",
            )
        if task.extraction is not None:
            raise UsageError("flow from K1 with method abc", "expected method exact or nlls")
        self.settings = settings
        counts = settings.counts()
        before = (min(settings.accepted, max(_LEAST_KEPT, n // 4)) for n in counts[:-1])
        self._effort = Effort(
            counts,
            (*before, settings.accepted),
            settings.distance,
            settings.adjust,
            settings.bandwidth,
        )
        self._simulator = Simulator(task)
        self._table = Table(self._simulator, settings.table, task.seed)
        self._summary = Summary(task, self._simulator)
        self.parameters = self._summary.parameters
        self._seed = task.seed

    def fit(self, curves: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        """Fit curves, shape (n, T) [Bq/mL]; see `betaplus.kinetics.method.Fitter.fit`.

        ``ess`` is Kish's effective sample size of the weights, ``tolerance`` the distance of the
        last particle accepted: in standard deviations of the simulations' statistics, or of the
        noise at level 1.
        """
        y = np.asarray(curves, dtype=np.float64) / self._simulator.scale
        weights = self._simulator.weights(y)
        out = self._summary.empty(len(y))
        table, first = self._table, self._effort.simulations[0]
        for start in range(0, len(y), PASS):
            rows = slice(start, start + PASS)
            nearest = table.nearest(y[rows], weights[rows], first)
            for i, near in enumerate(nearest, start):
                stream = generator(self._seed, int(items[i]), _DRAWS)
                found = (table.v[near], table.curves[near])
                levels = self._simulator.levels(y[i], found[1])
                particles = sample(
                    self._simulator,
                    y[i],
                    weights[i],
                    found,
                    levels,
                    self._effort,
                    stream,
                )
                self._summary.fill(out, i, y[i], particles, levels, stream)
        return out
