"""The best strength of a filter on images whose truth is known.

Tuned on some phantoms, a filter is a fair baseline on others; tuned on the very image that it is
then judged on (an oracle) it is the best that it can be. What is sought is the least mean logarithm
of NRMSE over cases, which is the largest mean PSNR: on a coarse grid of strengths first, in equal
steps of their logarithm, then by golden-section search between the neighbours of the best.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.denoising.gaussian import GaussianSettings, gaussian
from betaplus.denoising.nlm import NlmSettings, nlm
from betaplus.evaluation.images.errors import nrmse

__all__ = ["Tuned", "TuningCase", "best_strength", "tune_gaussian", "tune_nlm"]

_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class TuningCase:
    """A noisy image and its truth.

    Attributes:
        noisy: Shape (X, Y, Z) [SUV].
        reference: What it should be, likewise.
        sd: Of the noise, likewise, or one number.
        mask: Voxels to judge, likewise.
        voxel: Voxel edges [mm].
    """

    noisy: np.ndarray
    reference: np.ndarray
    sd: np.ndarray | float
    mask: np.ndarray
    voxel: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What was found.

    Attributes:
        strength: The best.
        gain: Mean gain in PSNR over the noisy images, at the best [dB].
        tried: Strengths tried and their gains [dB], by strength.
    """

    strength: float
    gain: float
    tried: tuple[tuple[float, float], ...]


def best_strength(
    denoise: Callable[[TuningCase, float], np.ndarray],
    cases: Sequence[TuningCase],
    low: float,
    high: float,
    *,
    points: int = 6,
    tolerance: float = 0.03,
) -> Tuned:
    """Return the strength with the largest mean gain in PSNR.

    Args:
        denoise: Takes a case and a strength, and returns an image.
        cases: To judge on.
        low: Least strength, above 0.
        high: Largest.
        points: Of the coarse grid, 3 or more.
        tolerance: Relative width at which the search ends.

    Raises:
        UsageError: If there is no case, or limits are not in order.
    """
    if not cases or not 0 < low < high or points < 3 or not tolerance > 0:
        raise UsageError(
            f"{len(cases)} cases, strengths {low:g} to {high:g}, {points} points,"
            f" tolerance {tolerance:g}",
            "expected cases, rising strengths above 0, 3 points or more, a tolerance above 0",
        )
    before = [nrmse(case.noisy, case.reference, case.mask) for case in cases]
    known: dict[float, float] = {}

    def gain(x: float) -> float:
        if x not in known:
            known[x] = float(
                np.mean([
                    20.0 * math.log10(b / nrmse(denoise(c, math.exp(x)), c.reference, c.mask))
                    for c, b in zip(cases, before, strict=True)
                ])
            )  # fmt: skip
        return known[x]

    grid = [float(x) for x in np.linspace(math.log(low), math.log(high), points)]
    top = max(range(points), key=lambda n: gain(grid[n]))
    a, d = grid[max(top - 1, 0)], grid[min(top + 1, points - 1)]
    b, c = d - _GOLDEN * (d - a), a + _GOLDEN * (d - a)
    while d - a > tolerance:
        if gain(b) >= gain(c):
            d, c = c, b
            b = d - _GOLDEN * (d - a)
        else:
            a, b = b, c
            c = a + _GOLDEN * (d - a)
    best = max(known, key=lambda x: known[x])
    return Tuned(
        strength=math.exp(best),
        gain=known[best],
        tried=tuple((math.exp(x), known[x]) for x in sorted(known)),
    )


def tune_gaussian(
    cases: Sequence[TuningCase],
    *,
    low: float = 0.2,
    high: float = 3.0,
    tolerance: float = 0.03,
    grain: float | None = None,
) -> tuple[GaussianSettings, Tuned]:
    """Return the Gaussian filter with the best strength, and how it was found.

    Args:
        cases: To judge on.
        low: Least strength.
        high: Largest.
        tolerance: As in `best_strength`.
        grain: As in `betaplus.denoising.gaussian.matched_fwhm`.

    Raises:
        UsageError: As `best_strength`.
    """

    def denoise(case: TuningCase, strength: float) -> np.ndarray:
        settings = GaussianSettings(strength=strength)
        return gaussian(case.noisy, case.sd, case.voxel, settings, mask=case.mask, grain=grain)

    found = best_strength(denoise, cases, low, high, tolerance=tolerance)
    return GaussianSettings(strength=found.strength), found


def tune_nlm(
    cases: Sequence[TuningCase],
    *,
    low: float = 0.5,
    high: float = 6.0,
    tolerance: float = 0.05,
    settings: Iterable[NlmSettings] = (NlmSettings(),),
    grain: float | None = None,
    threads: int = 1,
) -> tuple[NlmSettings, Tuned]:
    """Return non-local means with the best strength, and how it was found.

    Args:
        cases: To judge on.
        low: Least strength.
        high: Largest.
        tolerance: As in `best_strength`.
        settings: Of which the best is taken, each with its best strength.
        grain: As in `betaplus.denoising.gaussian.matched_fwhm`.
        threads: Threads to use; the result does not depend on it.

    Raises:
        UsageError: As `best_strength`, and if there are no settings.
    """
    best: tuple[NlmSettings, Tuned] | None = None
    for given in settings:

        def denoise(case: TuningCase, strength: float, given: NlmSettings = given) -> np.ndarray:
            return nlm(
                case.noisy,
                case.sd,
                case.voxel,
                replace(given, strength=strength),
                mask=case.mask,
                grain=grain,
                threads=threads,
            )

        found = best_strength(denoise, cases, low, high, tolerance=tolerance)
        if best is None or found.gain > best[1].gain:
            best = replace(given, strength=found.strength), found
    if best is None:
        raise UsageError("no settings to try", "expected one or more")
    return best
