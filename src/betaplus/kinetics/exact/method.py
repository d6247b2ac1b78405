r"""The exact method: Rao-Blackwellised quasi-Monte-Carlo, coarse to fine.

Given the rate constants (and the delay) a curve is linear in a = K1 (1 - VB) and b = VB, so those
two are drawn from their conditional, the noise level is integrated in closed form along with the
data, and only the rates are searched: a coarse set shared by all curves finds the mass, a damped
Gauss-Newton step the mode, a pilot its shape, and a fine low-discrepancy set the answer. Every
node carries the importance weight of the true posterior - true prior, true support, and variances
that follow the node's own curve - so the proposals decide only how many nodes are needed. A small
effective sample size starts rounds of refinement with Gaussian mixtures (population Monte Carlo;
Cappe et al., Stat Comput 2008).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.seeds import item_keys
from betaplus.kinetics.exact.compile import compile_kernels
from betaplus.kinetics.exact.problem import Problem, make_problem
from betaplus.kinetics.exact.sampler import Effort
from betaplus.kinetics.exact.space import Space, make_space
from betaplus.kinetics.exact.summary import COLUMNS, SRTM_COLUMNS, fit_curves
from betaplus.kinetics.method import Task, check_frames
from betaplus.kinetics.models import find_kinetic_model
from betaplus.physics.response import InputResponse

__all__ = ["THOROUGH", "Exact", "ExactFitter", "Results"]


class Results(NamedTuple):
    """Arrays of one block, see `betaplus.kinetics.method.Fitter`."""

    mean: np.ndarray
    std: np.ndarray
    quantiles: np.ndarray
    samples: np.ndarray
    ess: np.ndarray
    chi2: np.ndarray
    noise: np.ndarray
    evidence: np.ndarray
    status: np.ndarray
    fit: np.ndarray
    fit_std: np.ndarray
    sigma: np.ndarray


class Exact:
    """Posterior by importance sampling that knows the model; the yardstick of the other methods."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """Points per curve. The defaults are for images; a table of curves gets `THOROUGH`.

        Attributes:
            coarse: Points of the shared coarse set.
            pilot: Points that find the shape of the posterior.
            fine: Points of the final set.
            least_ess: Effective sample size below which a curve is refined.
            largest: Points of the last of four refinements.
            components: Gaussians of the refined proposal.
        """

        coarse: int = 512
        pilot: int = 256
        fine: int = 512
        least_ess: float = 100.0
        largest: int = 8192
        components: int = 4

        def __post_init__(self) -> None:
            for name in ("coarse", "pilot", "fine", "largest"):
                value = getattr(self, name)
                if not 64 <= value <= 1 << 20:
                    raise UsageError(f"setting {name}={value}", "expected 64 to 1048576")
            if not 1 <= self.components <= 32:
                raise UsageError(f"setting components={self.components}", "expected 1 to 32")
            if not 0 <= self.least_ess < self.largest:
                raise UsageError(
                    f"setting least_ess={self.least_ess:g}", "expected 0 to less than `largest`"
                )

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> ExactFitter:
        """Tabulate the responses and lay out the points of a task."""
        return ExactFitter(self.settings, task)


THOROUGH = Exact.Settings(coarse=2048, pilot=512, fine=4096, least_ess=400.0, largest=65536)
"""What a table of curves gets unless a setting is given: they are few, and worth it."""


class ExactFitter:
    """The exact method for the curves of one task."""

    def __init__(self, settings: Exact.Settings, task: Task) -> None:
        compile_kernels()
        if task.thorough and settings == Exact.Settings():
            settings = THOROUGH
        self.settings = settings
        model = find_kinetic_model(task.model)
        check_frames(task)
        response = InputResponse(
            task.curve, task.frames, task.half_life, dispersion=task.dispersion
        )
        fine = max(settings.fine, 4 * task.samples)
        self.effort = Effort(
            settings.pilot,
            fine,
            float(max(settings.least_ess, min(task.samples, fine / 4))),
            max(settings.largest, fine),
            settings.components,
        )
        self.problem: Problem = make_problem(
            response,
            task,
            n_coarse=settings.coarse,
            n_points=3 * settings.pilot + max(fine, settings.largest),
        )
        extra = (*(("F",) if task.extraction else ()), *(("delay",) if task.delay is None else ()))
        self.parameters = (*model.parameters, *model.macro, *extra)
        columns = SRTM_COLUMNS if model.reference else {n: i for i, n in enumerate(COLUMNS)}
        self._columns = np.array([columns[name] for name in self.parameters])
        self._task = task
        self._spaces = threading.local()

    def fit(self, curves: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        """Fit curves, shape (n, T) [Bq/mL]; see `betaplus.kinetics.method.Fitter.fit`."""
        target = self.problem.target
        n, t = curves.shape
        padded = np.zeros((n, target.floor.size), dtype=np.float32)
        padded[:, :t] = curves / target.table.scale
        out = self._results(n)
        fit_curves(
            target,
            self.problem.points,
            self.effort,
            self._space(),
            padded,
            item_keys(self._task.seed, items),
            self._columns,
            np.array(self._task.quantiles, dtype=np.float64),
            out,
        )
        kept = out._asdict()
        if not self._task.samples:
            del kept["samples"]
        for name in ("fit", "fit_std", "sigma"):
            if self._task.predict:
                kept[name] *= target.table.scale
            else:
                del kept[name]
        return kept

    def _results(self, n: int) -> Results:
        parameters, frames = len(self.parameters), len(self._task.frames)
        frames = frames if self._task.predict else 0

        def empty(*shape: int) -> np.ndarray:
            return np.zeros((n, *shape), dtype=np.float32)

        return Results(
            mean=empty(parameters),
            std=empty(parameters),
            quantiles=empty(parameters, len(self._task.quantiles)),
            samples=empty(parameters, self._task.samples),
            ess=empty(),
            chi2=empty(),
            noise=empty(),
            evidence=np.zeros(n),
            status=np.zeros(n, dtype=np.uint8),
            fit=empty(frames),
            fit_std=empty(frames),
            sigma=empty(frames),
        )

    def _space(self) -> Space:
        space = getattr(self._spaces, "space", None)  # one a thread
        if space is None:
            space = self._spaces.space = make_space(self.problem, self.effort)
        return space
