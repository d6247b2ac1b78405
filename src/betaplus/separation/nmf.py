r"""`nmf`: the mixture as amounts of a few curves that belong to a tracer, all at least 0.

:math:`m \approx W H` with H of a few rows for each tracer, in the weighted least-squares sense, by
the multiplicative updates of Lee and Seung (NIPS 2000; with weights: Blondel, Ho and van Dooren,
2008). A row starts at a typical curve of its tracer, decayed; what is 0 stays 0 under
multiplication, so that rows of the second tracer stay out of the frames before its injection. Only
that and the start tell the tracers apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.core.seeds import generator
from betaplus.separation.problem import SeparatedImages, SeparationProblem
from betaplus.separation.smoothing import smoothed

__all__ = ["Nmf"]

_DRAW = 62
_SPREAD = 1.0  # SD of the coefficients that rows start at
_TINY = 1e-12
_CURVE_FLOOR = 1e-3  # of a row's largest: a start above 0 where the tracer has been injected


class Nmf:
    """Non-negative matrix factorisation."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """What is factorised.

        Attributes:
            fwhm: Of the Gaussian filter on the mixture before, full width at half maximum [mm].
            rows: Curves for each tracer.
            iterations: Updates of both factors.
            hold: Leave the curves at their start and find amounts only.
        """

        fwhm: float = 0.0
        rows: int = 2
        iterations: int = 200
        hold: bool = False

        def __post_init__(self) -> None:
            if self.rows < 1 or self.iterations < 1:
                raise UsageError(
                    f"{self.rows} rows and {self.iterations} iterations", "expected 1 or more"
                )

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def fit(
        self,
        problem: SeparationProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> SeparatedImages:
        """Return the images; the seed chooses the curves that rows start at.

        Raises:
            UsageError: If the problem has no spaces of curves to start from.
        """
        progress = progress or Silent()
        settings = self.settings
        seen = smoothed(problem, settings.fwhm)
        root = torch.from_numpy(np.sqrt(problem.weights)).float()
        y = (seen.mixture[problem.mask] * root).clamp_min(0.0)
        h = torch.from_numpy(_start(problem, settings.rows, seed)).float() * root
        w = torch.full((len(y), len(h)), float(y.mean() / h.mean().clamp_min(_TINY)) / len(h))
        progress.start("updates", settings.iterations)
        for _ in range(settings.iterations):
            w *= (y @ h.T) / (w @ (h @ h.T)).clamp_min(_TINY)
            if not settings.hold:
                h *= (w.T @ y) / ((w.T @ w) @ h).clamp_min(_TINY)
            progress.advance()
        progress.finish()
        misfit = float(((y - w @ h) ** 2).mean())
        x = torch.zeros((2, *problem.mixture.shape))
        for i in range(2):
            rows = slice(i * settings.rows, (i + 1) * settings.rows)
            d = torch.from_numpy(problem.decay[i]).float()
            over = torch.where(d > 0, 1.0 / (d * root).clamp_min(_TINY), 0.0)
            x[i][problem.mask] = (w[:, rows] @ h[rows]) * over
        return SeparatedImages(x=x, found={"fwhm": settings.fwhm, "misfit": misfit})


def _start(problem: SeparationProblem, rows: int, seed: int) -> np.ndarray:
    """Return the curves that rows start at, decayed, shape (2 x rows, T)."""
    if problem.spaces is None:
        raise UsageError("no spaces of curves to start from", "expected a prior of both tracers")
    out = []
    for i, space in enumerate(problem.spaces):
        rng = generator(seed, item=i, draw=_DRAW)
        c = np.zeros((rows, space.size))
        c[1:] = _SPREAD * rng.standard_normal((rows - 1, space.size))
        curves = np.maximum(space.curves(c), 0.0) * problem.decay[i]
        least = _CURVE_FLOOR * curves.max(1, keepdims=True) * (problem.decay[i] > 0)
        out.append(np.maximum(curves, least))
    return np.concatenate(out)
