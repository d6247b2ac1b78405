"""Filters with their best settings: on bodies of their own, or on the very image.

Tuned on other bodies, at the same dose, in the same scanner and with the same tracer, a filter is
what a careful user has. Tuned on the very image it is the best that it could be (an oracle).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from betaplus.denoising.gaussian import GaussianSettings, gaussian
from betaplus.denoising.nlm import NlmSettings, nlm
from betaplus.denoising.tune import Tuned, TuningCase, best_strength, tune_nlm
from betaplus.denoising.volume import Volume
from betaplus.evaluation.images.errors import nrmse
from betaplus.pipeline.benchmark.denoise.cases import Scan

__all__ = ["Baselines", "best_of_image", "tune_baselines", "tuning_case"]

_WIDTHS = (1.5, 25.0)  # mm
_STRENGTHS = (0.5, 6.0)
_TOLERANCE = 0.2  # of the logarithm of a strength: the gain is flat around the best
_STEPS = (0.6, 0.8, 1.0, 1.25, 1.6)  # times the tuned strength of NLM: tried on the very image


@dataclass(frozen=True, eq=False, kw_only=True)
class Baselines:
    """Filters for a dose.

    Attributes:
        fwhm: Of the Gaussian filter [mm].
        nlm: Settings of non-local means.
        gains: What they gained where they were tuned [dB].
    """

    fwhm: float
    nlm: NlmSettings
    gains: dict[str, float]

    def apply(
        self, volume: Volume, threads: int = 1, mask: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Return the filtered images by method.

        Args:
            volume: The image.
            threads: Threads of non-local means.
            mask: Where non-local means is wanted, as it takes long; all if None.
        """
        return {"gaussian": self.smooth(volume), "nlm": self.means(volume, threads, mask)}

    def smooth(self, volume: Volume) -> np.ndarray:
        """Return the image after the Gaussian filter."""
        return gaussian(volume.data, 0.0, volume.voxel, GaussianSettings(fwhm=self.fwhm))

    def means(self, volume: Volume, threads: int = 1, mask: np.ndarray | None = None) -> np.ndarray:
        """Return the image after non-local means."""
        return nlm(volume.data, volume.sd, volume.voxel, self.nlm, mask=mask, threads=threads)

    def as_dict(self) -> dict[str, float]:
        """Return what JSON knows: width [mm], strength, and their gains [dB]."""
        return {"fwhm": self.fwhm, "strength": self.nlm.strength, **self.gains}

    @classmethod
    def of(cls, known: Mapping[str, float]) -> Baselines:
        """Return the filters that `as_dict` told of."""
        gains = {name: gain for name, gain in known.items() if name not in ("fwhm", "strength")}
        return cls(fwhm=known["fwhm"], nlm=NlmSettings(strength=known["strength"]), gains=gains)


def tuning_case(scan: Scan, volume: Volume) -> TuningCase:
    """Return an image of a scan as something to tune on."""
    return TuningCase(
        noisy=volume.data, reference=scan.reference, mask=scan.body, voxel=scan.voxel, sd=volume.sd
    )


def tune_baselines(
    cases: Sequence[TuningCase],
    threads: int = 1,
    *,
    strengths: tuple[float, float] = _STRENGTHS,
    tolerance: float = _TOLERANCE,
) -> Baselines:
    """Return the filters that do best on some images.

    Args:
        cases: Images of one dose.
        threads: Threads of non-local means.
        strengths: Range of those of non-local means.
        tolerance: Of the logarithm of a strength.
    """
    width = _best_width(cases)
    low, high = strengths
    settings, found = tune_nlm(cases, low=low, high=high, tolerance=tolerance, threads=threads)
    return Baselines(
        fwhm=width.strength, nlm=settings, gains={"gaussian": width.gain, "nlm": found.gain}
    )


def best_of_image(case: TuningCase, tuned: Baselines, threads: int = 1) -> Baselines:
    """Return the filters that are best for the very image: what no user could know.

    Args:
        case: The image.
        tuned: Those tuned on others; strengths of non-local means are tried around theirs.
        threads: Threads of non-local means.
    """
    width, gains = _best_width([case]), {}
    before = nrmse(case.noisy, case.reference, case.mask)
    for step in _STEPS:
        settings = replace(tuned.nlm, strength=step * tuned.nlm.strength)
        image = nlm(case.noisy, case.sd, case.voxel, settings, mask=case.mask, threads=threads)
        gains[step] = 20.0 * math.log10(before / nrmse(image, case.reference, case.mask))
    best = max(gains, key=lambda step: gains[step])
    settings = replace(tuned.nlm, strength=best * tuned.nlm.strength)
    return Baselines(
        fwhm=width.strength, nlm=settings, gains={"gaussian": width.gain, "nlm": gains[best]}
    )


def _best_width(cases: Sequence[TuningCase]) -> Tuned:
    filtered: Callable[[TuningCase, float], np.ndarray] = lambda case, fwhm: gaussian(  # noqa: E731
        case.noisy, 0.0, case.voxel, GaussianSettings(fwhm=fwhm)
    )
    return best_strength(filtered, cases, *_WIDTHS, points=6, tolerance=0.05)
