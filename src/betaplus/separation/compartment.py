"""`compartment`: parallel compartment models of both tracers, fitted to the mixture of a voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from betaplus.core.crew import Crew
from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.physics.dual.mixing import Mixing
from betaplus.separation.parallel_fit import fit_parallel
from betaplus.separation.problem import SeparatedImages, SeparationProblem
from betaplus.separation.rate_grid import Shapes, model_of, shapes_of
from betaplus.separation.smoothing import smoothed

__all__ = ["Compartment", "shapes_for"]


class Compartment:
    """The parallel model, by weighted least squares."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """What is fitted.

        Attributes:
            fwhm: Of the Gaussian filter on the mixture before, full width at half maximum [mm].
            first: Model of the first tracer, of `betaplus.separation.rate_grid.GRIDS`, or ``auto``.
            second: Of the second.
            shared_volume: Whether both tracers see one blood volume.
            prior: How much a log-normal prior of rate constants counts; 0 is least squares.
            refine: Move rate constants off their grid, to the least sum of squares
                (`betaplus.separation.parallel_refine`): slow, and of use only without noise.
        """

        fwhm: float = 0.0
        first: str = "auto"
        second: str = "auto"
        shared_volume: bool = True
        prior: float = 0.0
        refine: bool = False

        def __post_init__(self) -> None:
            if not (np.isfinite(self.prior) and self.prior >= 0.0):
                raise UsageError(f"prior is {self.prior:g}", "expected 0 or more")

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def fit(
        self,
        problem: SeparationProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
        crew: Crew | None = None,
    ) -> SeparatedImages:
        """Return the fitted curves of both tracers; nothing is random.

        Raises:
            UsageError: If the blood of a tracer is missing, or a setting is out of range.
        """
        settings = self.settings
        shapes = (
            shapes_for(problem, 0, settings.first),
            shapes_for(problem, 1, settings.second),
        )
        seen = smoothed(problem, settings.fwhm)
        mixture = seen.mixture[problem.mask].numpy()
        fit = fit_parallel(
            mixture,
            shapes,
            problem.decay,
            problem.weights,
            shared_volume=settings.shared_volume,
            prior=settings.prior,
            variance=seen.noise[problem.mask].numpy() ** 2,
            threads=threads,
            progress=progress,
            crew=crew,
        )
        cost = fit.cost
        curves = fit.x
        if settings.refine:
            from betaplus.separation.parallel_refine import refine_parallel

            curves, cost = refine_parallel(
                problem, mixture, fit, shapes, shared_volume=settings.shared_volume
            )
        x = torch.zeros((2, *problem.mixture.shape))
        for i in range(2):
            x[i][problem.mask] = torch.from_numpy(curves[i])
        variance = seen.noise[problem.mask].numpy().astype(np.float64) ** 2
        known = variance > 0
        chi = cost[known] / variance[known] / max(fit.freedom, 1)
        found = {"fwhm": settings.fwhm, "chi_square": float(chi.mean()) if chi.size else np.nan}
        return SeparatedImages(x=x, found=found)


def shapes_for(problem: SeparationProblem, index: int, model: str = "auto") -> Shapes:
    """Return the shapes of a tracer's curves in the scale of a problem.

    Raises:
        UsageError: If its blood is missing or the model is unknown.
    """
    tracer, blood = problem.tracers[index], problem.blood[index]
    if blood is None:
        raise UsageError(
            f"no blood of {tracer.name or f'tracer {index + 1}'}",
            "expected an input function for a fit of compartment models",
            "give its blood, or choose a method that needs none",
        )
    mixing = Mixing(problem.frames, problem.tracers, problem.injections)
    grid = model_of(tracer.name, model)
    shapes = shapes_of(grid, mixing, index, blood, problem.arrivals[index])
    return Shapes(
        grid=grid, tissue=shapes.tissue / problem.scale, blood=shapes.blood / problem.scale
    )
