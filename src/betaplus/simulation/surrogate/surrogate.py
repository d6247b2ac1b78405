"""Images as a scanner would give them, without a projector.

The mean image is the activity as far as it is recovered (`recovery`); noise is multiplicative, with
local SD, spectrum and distribution from the theory in `spectrum`, `information` and `marginal`, and
the post-filter goes over the product. Doses are nested as the counts of a list-mode file are: the
image at full dose is the weighted mean of that at a low dose and of its complement, which have
independent noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.physics.blur import GaussianBlur
from betaplus.simulation.surrogate.field import NoiseBank
from betaplus.simulation.surrogate.information import Information, measure_information
from betaplus.simulation.surrogate.marginal import factors, total_sd
from betaplus.simulation.surrogate.recovery import mean_image
from betaplus.simulation.surrogate.style import ScanStyle

__all__ = ["Surrogate"]

_DRAW = 60
_LEAST = 1e-4  # of the largest activity: where less is, the spectrum is that of this
_SURVIVAL = 1e-4
_STEPS = 1000  # of nested doses, each with noise of its own


class Surrogate:
    """A body in a scan of some style.

    Args:
        activity: Noise-free, shape (X, Y, Z) [SUV].
        mu: Attenuation coefficients at 511 keV, likewise [1/mm].
        voxel: Voxel edges [mm].
        style: Of the scan.
        sectors: Ranges of directions whose noise is kept apart: bodies are wider than deep, and
            streaks run along the lines with the most counts.
        information: Of the body in this style where it is known already, as for a box cut out of
            it; `mu` is then not used, and the sectors are those of the information.
        low: Centre of the box's first voxel, from that of the body's first voxel [mm].
    """

    def __init__(
        self,
        activity: np.ndarray,
        mu: np.ndarray,
        voxel: Sequence[float],
        style: ScanStyle,
        *,
        sectors: int = 4,
        information: Information | None = None,
        low: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> None:
        if np.ndim(activity) != 3 or np.shape(mu) != np.shape(activity):
            raise UsageError(
                f"activity of shape {np.shape(activity)} with a mu map of {np.shape(mu)}",
                "expected two images (X, Y, Z) of one grid",
            )
        self.style, self.voxel = style, tuple(float(v) for v in voxel)
        self.shape = tuple(np.shape(activity))
        activity = np.asarray(activity, np.float32)
        self.information = information or measure_information(
            activity, mu, voxel, style, sectors=sectors
        )
        known = self.information
        coarse = (np.maximum(known.survival, _SURVIVAL), *known.weight)
        self._survival, *self._weight = (
            known.at(values, self.shape, self.voxel, low) for values in coarse
        )
        along = known.at(known.sensitivity[None, None], (1, 1, self.shape[2]), self.voxel, low)
        self._sensitivity = along
        rate = sum(self._weight) / (len(self._weight) * self._survival)
        self.mean = mean_image(activity, rate, self.voxel, style)

    @cached_property
    def _parts(self) -> tuple[NoiseBank, list[np.ndarray], list[np.ndarray]]:
        """Return the bank, and for each sector the SD at full dose and the places in the bank."""
        least = _LEAST * float(self.mean.max(initial=0.0))
        rates = [np.maximum(self.mean, least) * w / self._survival for w in self._weight]
        inside = self.mean > least
        low, high = 1e-3, 1e-3
        if inside.any():
            low = min(float(np.quantile(q[inside], 0.01)) for q in rates)
            high = max(float(np.quantile(q[inside], 0.999)) for q in rates)
        bank = NoiseBank(self.shape, self.voxel, self.style, (low, high), len(rates))
        places = [bank.place(q) for q in rates]
        scale = self.style.gain / np.sqrt(self.style.counts / 1000.0 * self._sensitivity)
        sds = [
            (scale * np.sqrt(w * bank.variances(s, places[s])) / self._survival).astype(np.float32)
            for s, w in enumerate(self._weight)
        ]
        return bank, sds, places

    @cached_property
    def linear_sd(self) -> np.ndarray:
        """Relative SD of linear theory at full dose, before the filter, shape (X, Y, Z)."""
        return np.sqrt(sum(sd * sd for sd in self._parts[1]))

    def unfiltered_sd(self, dose_fraction: float = 1.0) -> np.ndarray:
        """Return the SD of the image before the filter, shape (X, Y, Z) [SUV]."""
        return self.mean * total_sd(self.linear_sd / np.sqrt(_checked(dose_fraction)))

    def mean_image(self) -> np.ndarray:
        """Return the image without noise, shape (X, Y, Z) [SUV]."""
        return self._blurred(self.mean, self.style.filter)

    def noise(self, *, seed: int = 0, draw: int = 0) -> np.ndarray:
        """Return Gaussian noise with the spectrum of each place, SD 1, shape (X, Y, Z) float32."""
        bank, sds, places = self._parts
        sd = self.linear_sd
        field = bank.draw(sds, places, generator(seed, item=draw, draw=_DRAW))
        return np.divide(field, sd, out=np.zeros_like(field), where=sd > 0)

    def apply(self, noise: np.ndarray, dose_fraction: float = 1.0) -> np.ndarray:
        """Return the image that some noise of `noise` leads to at a dose (see `image`)."""
        sd = self.linear_sd / np.float32(np.sqrt(_checked(dose_fraction)))
        return self._blurred(self.mean * factors(noise, sd), self.style.filter)

    def image(self, dose_fraction: float = 1.0, *, seed: int = 0, draw: int = 0) -> np.ndarray:
        """Return an image, shape (X, Y, Z) float32 [SUV], at least 0.

        Args:
            dose_fraction: Share of the counts at full dose.
            seed: Of the noise.
            draw: Number of the draw; the same seed and draw give the same noise, whatever the dose.
        """
        return self.apply(self.noise(seed=seed, draw=draw), dose_fraction)

    def pair(
        self, dose_fraction: float, *, seed: int = 0, draw: int = 0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return images at a low dose, at full dose and of the complement.

        full = f low + (1 - f) complement, with independent noise in low and complement: a
        denoiser trained on (low, complement) learns the mean, one trained on (low, full) keeps
        the share f of the noise that it sees.
        """
        low, full = self.nested((dose_fraction, 1.0), seed=seed, draw=draw)
        return low, full, (full - dose_fraction * low) / (1.0 - dose_fraction)

    def nested(
        self, dose_fractions: Sequence[float], *, seed: int = 0, draw: int = 0
    ) -> list[np.ndarray]:
        """Return images at rising doses, each of which holds the counts of those before.

        Args:
            dose_fractions: Rising, in (0, 1].
            seed: Of the noise.
            draw: Number of the draw; each dose uses one of its own.

        Raises:
            UsageError: If doses do not rise, or are out of range.
        """
        doses = [_checked(d) for d in dose_fractions]
        if any(b <= a for a, b in pairwise(doses)):
            raise UsageError(f"dose fractions {doses}", "expected each larger than the one before")
        images: list[np.ndarray] = []
        before, total = 0.0, np.zeros(self.shape, np.float32)
        for n, dose in enumerate(doses):
            own = _STEPS * (draw + 1) + n
            total = total + np.float32(dose - before) * self.image(
                dose - before, seed=seed, draw=own
            )
            images.append(total / np.float32(dose))
            before = dose
        return images

    def _blurred(self, image: np.ndarray, fwhm: float) -> np.ndarray:
        return GaussianBlur(self.shape, self.voxel, fwhm).forward(image)


def _checked(dose: float) -> float:
    if not 0.0 < dose <= 1.0:
        raise UsageError(f"dose fraction {dose:g}", "expected a number in (0, 1]")
    return float(dose)
