"""`extrapolation`: the first tracer fitted before the second comes, carried on and subtracted.

What multi-tracer imaging began with: the frames before the second injection hold one tracer only;
its compartment model is carried on into the rest of the scan, and what is left there belongs to the
second (Kadrmas and Rust, IEEE Trans Nucl Sci 2005, 52:1341-1347, compare it with joint fits). Noise
and misfit of the first go into the second in full.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from betaplus.core.crew import Crew
from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.separation.compartment import shapes_for
from betaplus.separation.parallel_fit import fit_parallel
from betaplus.separation.problem import SeparatedImages, SeparationProblem
from betaplus.separation.smoothing import smoothed

__all__ = ["Extrapolation"]

_LEAST = 4  # frames before the second injection: fewer do not determine a curve


class Extrapolation:
    """The first tracer's model, carried on."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """What is fitted.

        Attributes:
            fwhm: Of the Gaussian filter on the mixture before, full width at half maximum [mm].
            first: Model of the first tracer, of `betaplus.separation.rate_grid.GRIDS`, or ``auto``.
            prior: How much a log-normal prior of rate constants counts; 0 is least squares.
        """

        fwhm: float = 0.0
        first: str = "auto"
        prior: float = 0.0

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
        """Return the fitted first tracer and what is left for the second; nothing is random.

        Raises:
            UsageError: If the first tracer's blood is missing, or it is alone in too few frames.
        """
        alone = problem.seen[0] & ~problem.seen[1]
        if alone.sum() < _LEAST:
            raise UsageError(
                f"{int(alone.sum())} frames before the second injection",
                f"expected {_LEAST} or more to fit the first tracer in",
                "choose another method",
            )
        shapes = shapes_for(problem, 0, self.settings.first)
        seen = smoothed(problem, self.settings.fwhm)
        mixture = seen.mixture[problem.mask].numpy()
        fit = fit_parallel(
            mixture,
            (shapes, None),
            problem.decay,
            problem.weights,
            frames=alone,
            prior=self.settings.prior,
            variance=seen.noise[problem.mask].numpy() ** 2,
            threads=threads,
            progress=progress,
            crew=crew,
        )
        both = problem.seen[1]
        d = problem.decay.astype("float32")
        second = fit.x[1]
        second[:, both] = (mixture[:, both] - d[0, both] * fit.x[0][:, both]) / d[1, both]
        x = torch.zeros((2, *problem.mixture.shape))
        x[0][problem.mask] = torch.from_numpy(fit.x[0])
        x[1][problem.mask] = torch.from_numpy(second)
        return SeparatedImages(
            x=x, found={"fwhm": self.settings.fwhm, "frames": float(alone.sum())}
        )
