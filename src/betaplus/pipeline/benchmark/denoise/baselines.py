"""Filters tuned on phantoms of their own, dose by dose, and the best that each could do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.progress import Progress
from betaplus.denoising.gaussian import GaussianSettings, gaussian
from betaplus.denoising.nlm import NlmSettings, nlm
from betaplus.denoising.tune import Tuned, TuningCase, best_strength, tune_nlm
from betaplus.denoising.volume import Volume
from betaplus.pipeline.benchmark.denoise.cases import Scan

__all__ = ["Baselines", "best_gaussian", "tune_baselines"]

_WIDTHS = (1.5, 25.0)  # mm
_SLAB = 64  # planes of a body that NLM is tuned on


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

    def apply(self, volume: Volume) -> dict[str, np.ndarray]:
        """Return the filtered images by method."""
        settings = GaussianSettings(fwhm=self.fwhm)
        return {
            "gaussian": gaussian(volume.data, 0.0, volume.voxel, settings),
            "nlm": nlm(volume.data, volume.sd, volume.voxel, self.nlm),
        }


def tune_baselines(
    scans: Sequence[Scan], dose: float, voxel: float, progress: Progress
) -> Baselines:
    """Return the filters that do best on some scans at a dose.

    Args:
        scans: To tune on.
        dose: Fraction of the counts.
        voxel: Edge of the voxels that noise is measured on [mm].
        progress: Told of what was found.
    """
    cases, slabs = [], []
    for scan in scans:
        noisy = scan.noisy(dose)
        case = TuningCase(
            noisy=noisy, reference=scan.reference, mask=scan.body, voxel=scan.voxel,
            sd=Volume(data=noisy, voxel=scan.voxel, grid_voxel=voxel).sd,
        )  # fmt: skip
        cases.append(case)
        slabs.append(_part(case))
    width = _best_width(cases)
    settings, found = tune_nlm(slabs, low=0.4, high=6.0, tolerance=0.1)
    progress.note(
        f"1/{1 / dose:.0f}: Gaussian of {width.strength:.1f} mm, NLM of strength"
        f" {found.strength:.2f}"
    )
    gains = {"gaussian": width.gain, "nlm": found.gain}
    return Baselines(fwhm=width.strength, nlm=settings, gains=gains)


def best_gaussian(scan: Scan, noisy: np.ndarray) -> float:
    """Return the width that is best for this very image [mm]: what no user could know."""
    case = TuningCase(
        noisy=noisy, reference=scan.reference, mask=scan.body, voxel=scan.voxel, sd=0.0
    )
    return _best_width([case]).strength


def _best_width(cases: Sequence[TuningCase]) -> Tuned:
    filtered: Callable[[TuningCase, float], np.ndarray] = lambda case, fwhm: gaussian(  # noqa: E731
        case.noisy, 0.0, case.voxel, GaussianSettings(fwhm=fwhm)
    )
    return best_strength(filtered, cases, *_WIDTHS, points=6, tolerance=0.05)


def _part(case: TuningCase) -> TuningCase:
    """Return the planes with the liver's height: the middle of the body."""
    planes = case.noisy.shape[2]
    low = max(planes // 2 - _SLAB // 2, 0)
    part = (..., slice(low, low + _SLAB))
    sd = case.sd if isinstance(case.sd, float) else np.asarray(case.sd)[part]
    return TuningCase(
        noisy=np.ascontiguousarray(case.noisy[part]), reference=case.reference[part], sd=sd,
        mask=case.mask[part], voxel=case.voxel,
    )  # fmt: skip
