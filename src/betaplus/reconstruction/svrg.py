"""Penalised maximum likelihood with the relative difference prior, by variance-reduced gradients.

The gradient of a subset is corrected by what that subset and all data said of an anchor image
(SVRG, Johnson and Zhang, NeurIPS 2013), and steps are scaled by x / (s + 1.5 diag(H) x), which
knows the prior's curvature: the algorithm that won the PETRIC challenge of 2024 (Ehrhardt, Kereta
and Schramm, Front Nucl Med 2025, doi 10.3389/fnume.2025.1641215).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.progress import Progress
from betaplus.physics.blur import GaussianBlur
from betaplus.physics.priors.relative_difference import RelativeDifference
from betaplus.reconstruction.checks import check_count, check_range
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.method import Watch
from betaplus.reconstruction.relative_difference import relative_difference_prior
from betaplus.reconstruction.scales import first_image

__all__ = ["Svrg"]

_STEPS = ((2, 3.0), (4, 2.0), (6, 1.5), (8, 1.0))  # until which epoch, how long; .5 afterwards
_REFRESHED = 3  # epochs after which the preconditioner stays
_CURVATURE = 1.5
_SMOOTH = 5.0  # mm
_FLOOR = 1e-4  # of the largest value


class Svrg:
    """Long steps with little noise in their direction."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How long and how smooth.

        Attributes:
            iterations: Epochs, passes through all data, at most; those for full gradients apart.
            subsets: Subsets.
            beta: Strength of the prior, relative to the mean sensitivity.
            gamma: How early edges are kept; 0 gives a quadratic over the sum.
            anchor: Epochs from one full gradient to the next.
            tolerance: End when an epoch changes the image by less than this share; 0 never.
        """

        iterations: int = 10
        subsets: int = 25
        beta: float = 0.01
        gamma: float = 2.0
        anchor: int = 2
        tolerance: float = 0.0

        def __post_init__(self) -> None:
            check_count("iterations", self.iterations)
            check_count("subsets", self.subsets)
            check_range("beta", self.beta, 0.0)
            check_range("gamma", self.gamma, 0.0)
            check_count("anchor", self.anchor)
            check_range("tolerance", self.tolerance, 0.0, 1.0)

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def run(
        self, data: Data, start: np.ndarray | None, progress: Progress, watch: Watch | None = None
    ) -> np.ndarray:
        """Reconstruct; see `Method.run`."""
        s, x = self.settings, first_image(data, start)
        beta, prior = relative_difference_prior(data, x, s.beta, s.gamma)
        count = len(data.order)
        anchors = -(-s.iterations // s.anchor)
        progress.start("SVRG", (s.iterations + anchors) * count)
        blur = GaussianBlur(data.grid.shape, data.grid.voxel_size, _SMOOTH)
        kept: list[np.ndarray] = []
        total = preconditioner = x
        for epoch in range(s.iterations):
            if epoch < _REFRESHED:
                preconditioner = _preconditioner(data, prior, beta, blur.forward(x))
            if epoch % s.anchor == 0:
                kept = []
                for n in range(count):
                    kept.append(data.back_ratio(x, n) - data.subset_sensitivity(n))
                    progress.advance()
                total = np.sum(kept, axis=0, dtype=np.float32)
            before, step = x, next((v for last, v in _STEPS if epoch < last), 0.5)
            for n in data.order:
                part = data.back_ratio(x, n) - data.subset_sensitivity(n)
                gradient = count * (part - kept[n]) + total - np.float32(beta) * prior.gradient(x)
                x = np.maximum(x + step * preconditioner * gradient, 0.0)
                x = (x * data.mask).astype(np.float32)
                progress.advance()
            if watch is not None:
                watch(epoch + 1, x)
            if np.linalg.norm(x - before) <= s.tolerance * np.linalg.norm(before):
                break
        progress.finish()
        return x


def _preconditioner(
    data: Data, prior: RelativeDifference, beta: float, smooth: np.ndarray
) -> np.ndarray:
    """Return x / (s + 1.5 diag(H) x) of a smoothed image, 0 outside the mask."""
    image = np.maximum(smooth, _FLOOR * float(smooth.max()))
    curvature = _CURVATURE * np.float32(beta) * prior.hessian_diagonal(image) * image
    return np.where(data.mask, image / np.maximum(data.sensitivity + curvature, 1e-30), 0.0).astype(
        np.float32
    )
