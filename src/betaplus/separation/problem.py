r"""What a scan of two tracers says, and what a method makes of it.

Frames are means without decay correction (`betaplus.physics.dual`),

.. math:: m_f = d_{1,f} x_{1,f} + d_{2,f} x_{2,f} + n_f ,

with x_i decay-corrected to its own injection and the noise n independent from frame to frame, of
variance :math:`s^2(v) / w_f`. One scale serves all three images, so that the equation holds for
them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputFunction
from betaplus.core.tracer import Tracer

if TYPE_CHECKING:
    from betaplus.separation.basis import CurveSpace
    from betaplus.separation.tissue_curves import TissueCurves

__all__ = ["SeparatedImages", "SeparationProblem"]


@dataclass(frozen=True, eq=False, kw_only=True)
class SeparationProblem:
    """A scan of two tracers, the first of which is injected first.

    Attributes:
        mixture: Frame means, not decay-corrected, shape (X, Y, Z, T) float32 [scale].
        scale: The activity that is 1 in all images [Bq/mL].
        decay: d, shape (2, T) float64: one over the decay correction factors of every frame from a
            tracer's own injection, 0 before it (`betaplus.physics.dual.Mixing`).
        frames: Frame timing from TimeZero.
        weights: w, shape (T,) float64, mean 1: a frame's precision relative to the mean frame's.
        noise: s, the SD of a frame of weight 1, shape (X, Y, Z) float32 [scale].
        noise_fwhm: Width of the Gaussian kernel that correlates it, full width at half maximum
            [mm]; 0 is white.
        voxel: Edges of a voxel [mm].
        mask: Voxels that are wanted, shape (X, Y, Z) bool; elsewhere images are 0.
        tracers: The two tracers.
        injections: Their injections [s from TimeZero].
        blood: Their blood, each in its tracer's own time (0 is its injection) and decay-corrected
            to its own injection [Bq/mL]; None where it was not measured.
        arrivals: Arrival at the tissue after the blood sampler [s].
        spaces: Curves to be expected of each tracer [scale]; None where nothing needs them.
        tissues: Curves of people's regions [scale]; None likewise.
    """

    mixture: Tensor
    scale: float
    decay: np.ndarray
    frames: FrameTiming
    weights: np.ndarray
    noise: Tensor
    voxel: tuple[float, float, float]
    mask: Tensor
    tracers: tuple[Tracer, Tracer]
    injections: tuple[float, float]
    blood: tuple[InputFunction | None, InputFunction | None] = (None, None)
    arrivals: tuple[float, float] = (0.0, 0.0)
    noise_fwhm: float = 0.0
    spaces: tuple[CurveSpace, CurveSpace] | None = None
    tissues: TissueCurves | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        x, y, z, _ = self.mixture.shape
        return x, y, z

    @property
    def delay(self) -> float:
        """Second injection after the first [s]."""
        return self.injections[1] - self.injections[0]

    @property
    def seen(self) -> np.ndarray:
        """Frames that hold activity of each tracer, shape (2, T) bool."""
        return np.asarray(self.decay > 0)


@dataclass(frozen=True, eq=False, kw_only=True)
class SeparatedImages:
    """What a method found.

    Attributes:
        x: Frame means of each tracer, decay-corrected to its own injection and 0 before it, shape
            (2, X, Y, Z, T) float32 [scale].
        std: Their posterior SD, likewise; None where the method has none.
        draws: Posterior draws, shape (K, 2, X, Y, Z, T); None likewise.
        found: What the method chose or saw, for the record.
    """

    x: Tensor
    std: Tensor | None = None
    draws: Tensor | None = None
    found: dict[str, float]
