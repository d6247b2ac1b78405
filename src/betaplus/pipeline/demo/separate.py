"""Two tracers of one brain scan, told apart."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from betaplus.core.progress import Progress

__all__ = ["METHOD", "FromDual", "from_dual"]

METHOD = "linear"
"""How the demo separates: a method that needs no weights."""

_TRACERS = ("FMZ", "FDG")
_DELAY = 1200.0  # s


@dataclass(frozen=True, eq=False, kw_only=True)
class FromDual:
    """Both tracers of one scan.

    Attributes:
        tracers: Their names, that injected first before the other.
        delay: Second injection after the first [s].
        method: How they were told apart.
        slices: ``mixture``, then each tracer as found and as it is: means of an axial slice over
            the frames that hold both, shape (X, Y) [Bq/mL].
        nrmse: Of each tracer in the head, all frames [%].
        chi2: Of what the pair leaves of the mixture.
        seconds: Of the separation.
    """

    tracers: tuple[str, str]
    delay: float
    method: str
    slices: dict[str, np.ndarray]
    nrmse: dict[str, float]
    chi2: float
    seconds: float


def from_dual(seed: int, progress: Progress) -> FromDual:
    """Simulate a brain scan of two tracers and separate them.

    Args:
        seed: Chooses the head, the kinetics and the noise.
        progress: What to report to.
    """
    from betaplus.core.image import PetImage
    from betaplus.separation import separate
    from betaplus.separation.study_checks import check_mixing
    from betaplus.simulation.dual import draw_dual

    progress.note("a scan of two tracers")
    scan = draw_dual(tracers=_TRACERS, delay=_DELAY, seed=seed, progress=progress)
    image = PetImage(data=scan.image, affine=scan.phantom.affine, unit="Bq/mL", frames=scan.frames)
    first, second = scan.parts
    began = time.perf_counter()
    fit = separate(
        image, _TRACERS, _DELAY, blood=(first.blood, second.blood), method=METHOD, seed=seed,
        progress=progress,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    head = scan.phantom.labels > 0
    check = check_mixing(fit.study, fit.found, fit.method, fit.made, seed=seed)
    late = scan.frames.duration * (scan.frames.start >= _DELAY)
    late = (late / late.sum()).astype(np.float32)
    cut = int(np.argmax(head.sum((0, 1))))
    slices = {"mixture": scan.image[:, :, cut] @ late}
    nrmse = {}
    for name, part, found in zip(_TRACERS, scan.parts, fit.images, strict=True):
        slices[name] = found.data[:, :, cut] @ late
        slices[f"{name}, truth"] = part.clean[:, :, cut] @ late
        error = np.mean((found.data - part.clean)[head] ** 2, dtype=np.float64)
        nrmse[name] = 100.0 * float(
            np.sqrt(error / np.mean(part.clean[head] ** 2, dtype=np.float64))
        )
    return FromDual(
        tracers=_TRACERS,
        delay=_DELAY,
        method=METHOD,
        slices=slices,
        nrmse=nrmse,
        chi2=float(check.overall[0]),
        seconds=seconds,
    )
