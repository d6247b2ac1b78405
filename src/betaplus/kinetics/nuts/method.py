"""Method `nuts`: posteriors by Markov chains, run until they agree with each other.

It has the target of method `exact` and shares neither its tables nor its reasoning: curves from
splines in double precision, every parameter sampled, the noise level too, and the prior's own
coordinates. Chains are led from the prior to a tempered posterior, which finds the modes; mixtures
fitted there propose jumps between them; numpyro's NUTS does the rest. Needs the extra ``mcmc``.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.kinetics.method import Task, check_frames
from betaplus.kinetics.nuts.summary import Summary
from betaplus.physics.compartments import find_model

__all__ = ["Nuts", "NutsFitter"]

_BATCH = 64  # curves whose draws are held at a time
_MOST_DRAWS = 1_000_000


class Nuts:
    """NUTS with independence jumps, until R-hat and effective sample size are reached."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How long to run.

        Attributes:
            chains: Independent chains per curve.
            warmup: Draws of a chain before the first round; an eighth goes before each other round.
            draws: Draws of a chain in the first round; every further round has twice as many, and
                what came before it was its warm-up.
            ess: Bulk effective sample size that every parameter is to reach.
            rhat: Split R-hat that every parameter is to stay below.
            rounds: Most rounds; a curve that has not converged by then says so.
            proposals: Independence jumps tried before each NUTS transition.
            max_tree_depth: Most doublings of a NUTS trajectory.
            target_accept: Acceptance statistic that the step size is tuned to.
        """

        chains: int = 4
        warmup: int = 1000
        draws: int = 1500
        ess: float = 4000.0
        rhat: float = 1.01
        rounds: int = 6
        proposals: int = 24
        max_tree_depth: int = 4
        target_accept: float = 0.8

        def __post_init__(self) -> None:
            for name, least, most in (
                ("chains", 2, 64),
                ("warmup", 80, 100_000),
                ("draws", 20, 100_000),
                ("rounds", 1, 12),
                ("proposals", 1, 1000),
                ("max_tree_depth", 1, 12),
            ):
                value = getattr(self, name)
                if not least <= value <= most:
                    raise UsageError(f"setting {name}={value}", f"expected {least} to {most}")
            if self.draws << (self.rounds - 1) > _MOST_DRAWS:
                raise UsageError(
                    f"settings draws={self.draws} and rounds={self.rounds}",
                    f"expected a last round of at most {_MOST_DRAWS} draws a chain",
                )
            if not 0 < self.ess < np.inf:
                raise UsageError(f"setting ess={self.ess:g}", "expected a positive number")
            if not 1 < self.rhat < np.inf:
                raise UsageError(f"setting rhat={self.rhat:g}", "expected a number above 1")
            if not 0.5 <= self.target_accept < 1:
                raise UsageError(
                    f"setting target_accept={self.target_accept:g}", "expected 0.5 to less than 1"
                )

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> NutsFitter:
        """Tabulate the responses of a task.

        Raises:
            UsageError: If numpyro is missing, more draws are asked for than are sure to be made, or
                the task has nothing to fit.
        """
        return NutsFitter(self.settings, task)


class NutsFitter:
    """Markov chains for the curves of one task."""

    def __init__(self, settings: Nuts.Settings, task: Task) -> None:
        _need_numpyro()
        from betaplus.kinetics.nuts.chains import Sampler
        from betaplus.kinetics.nuts.sampler import Effort
        from betaplus.kinetics.nuts.target import make_target

        find_model(task.model)
        check_frames(task)
        if task.weights is not None:
            raise UsageError("weights of frames with method nuts", "expected the noise model's own")
        if task.extraction is not None:
            raise UsageError("flow from K1 with method nuts", "expected method exact or nlls")
        sure = settings.chains * settings.draws
        if task.samples > sure:
            raise UsageError(
                f"{task.samples} samples of {settings.chains} chains with {settings.draws} draws",
                f"expected at most {sure}",
                f"ask for more draws: draws={-(-task.samples // settings.chains)}",
            )
        self.settings = settings
        effort = Effort(settings.proposals, settings.max_tree_depth, settings.target_accept)
        with double_precision():
            target = make_target(task)
            if not target.layout.names:
                raise UsageError("every parameter is fixed", "expected one that is free")
            self._sampler = Sampler(target, effort, settings.chains, settings.warmup)
        self._summary = Summary(task, target.layout.priors, np.asarray(target.known))
        self.parameters = self._summary.parameters
        self._task = task

    def fit(self, curves: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        """Fit curves, shape (n, T) [Bq/mL]; see `betaplus.kinetics.method.Fitter.fit`.

        ``ess`` is the smallest bulk effective sample size of what is reported and of the noise
        level, ``rhat`` the largest split R-hat, ``converged`` whether both are good enough, and
        ``draws`` the draws of all chains in the last round. Noise ``estimate`` is taken as
        ``auto``: the level is sampled.
        """
        curves = np.ascontiguousarray(curves, dtype=np.float64)
        parts = [
            self._fit(curves[i : i + _BATCH], np.asarray(items)[i : i + _BATCH])
            for i in range(0, max(len(curves), 1), _BATCH)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _fit(self, y: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        settings, summary = self.settings, self._summary
        out = summary.empty(len(y))
        if not len(y):
            return out
        with double_precision():
            left, chains = np.arange(len(y)), self._sampler.begin(y, self._task.seed, items)
            for turn in range(settings.rounds):
                count = settings.draws << turn
                chains, draws, energies = self._sampler.sample(chains, turn, count)
                ended = np.zeros(len(left), dtype=bool)
                for row, curve in enumerate(left):
                    kept = summary.judge(draws[row], energies[row])
                    good = kept.rhat < settings.rhat and kept.ess >= settings.ess
                    ended[row] = good or turn == settings.rounds - 1
                    if ended[row]:
                        predicted = self._sampler.predict(kept.thinned()[None])
                        summary.fill(out, curve, y[curve], kept, predicted, turn, good)
                left = left[~ended]
                if not left.size:
                    break
                chains = chains.select(~ended)
        return out


def _need_numpyro() -> None:
    try:
        import numpyro  # noqa: F401
    except ImportError:
        raise UsageError(
            "method nuts needs numpyro", "expected the extra mcmc", "pip install 'betaplus[mcmc]'"
        ) from None


def double_precision() -> contextlib.AbstractContextManager[Any]:
    """Return a context in which this thread's JAX computes in float64 on the CPU."""
    import jax

    stack = contextlib.ExitStack()
    stack.enter_context(jax.enable_x64(True))
    stack.enter_context(jax.default_device(jax.devices("cpu")[0]))
    return stack
