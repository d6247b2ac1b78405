r"""Hallucination guard: what a denoiser took from an image must be noise.

The residual d = y - out is divided by the SD of the noise and smoothed by Gaussians of several
widths, matched filters for lesions of about those sizes. How much such a sum of noise varies
depends on its correlation, which the residual itself tells: each smoothed residual is divided by
its robust local SD over some centimetres. What then stands out has structure: the image had more
there than the output (`erased`) or less (`invented`).

Two things must be so for a finding. Its score must be above what the largest of a volume of noise
reaches, at a family-wise error of 5 %: the expected Euler characteristic of a smooth Gaussian field
(Worsley et al., Hum Brain Mapp 4, 58, 1996), divided among widths and signs, bent for the long
upper tail of noise at low doses, with a margin for the rest. And the change must be a share of the
uptake there: every estimate of a mean smooths a little at the edges of organs, which large volumes
make significant but not relevant. Narrower filters than 12 mm see tails that vary from place to
place and need far higher limits; wide changes of low contrast are for `guard_regions`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from betaplus.core.crew import ThreadCrew
from betaplus.core.errors import InputError
from betaplus.denoising.residual import (
    bend,
    largest_score,
    lean,
    resels,
    scores,
    smoothed,
    whitened,
)

__all__ = ["Finding", "Guard", "GuardSettings", "guard", "search_mask"]

_BODY_WIDTH = 10.0  # mm
_BODY = 0.05  # of the level of the brightest twentieth: below it there is nothing to find
_BRIGHT = 0.95
_SAMPLE = 1_000_003

Sign = Literal["erased", "invented"]


@dataclass(frozen=True, kw_only=True)
class GuardSettings:
    """What counts as a finding.

    Attributes:
        widths: Of the matched filters, full widths at half maximum [mm].
        error: Probability that a volume of noise has a finding.
        margin: Factor on the threshold of Gaussian noise.
        change: Least change, over the lower of image and output, both smoothed.
        reach: Standard deviation of the neighbourhood that tells the SD of a residual [mm].
        most: Findings that are listed.
    """

    widths: tuple[float, ...] = (12.0, 18.0)
    error: float = 0.05
    margin: float = 1.25
    change: float = 0.35
    reach: float = 30.0
    most: int = 50


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A place where the output does not say what the image does.

    Attributes:
        sign: `erased` if the image has more than the output, `invented` if less.
        centre: World coordinates [mm].
        voxel: Indices.
        width: Of the filter that it answers to most [mm].
        z: Score, above 0.
        limit: What z had to exceed there.
        change: Of the uptake, smoothed by that filter: image minus output [SUV].
        uptake: Of the output, likewise [SUV].
    """

    sign: Sign
    centre: tuple[float, float, float]
    voxel: tuple[int, int, int]
    width: float
    z: float
    limit: float
    change: float
    uptake: float


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What the guard found.

    Attributes:
        findings: Clearest first: highest score over its limit.
        thresholds: Of the score, for each width: of what was erased, and invented.
        widths: Of the filters [mm].
        volume: That was searched [mL].
        omitted: Findings beyond those listed.
    """

    findings: tuple[Finding, ...]
    thresholds: tuple[tuple[float, float], ...]
    widths: tuple[float, ...]
    volume: float
    omitted: int = 0

    @property
    def alarm(self) -> bool:
        """Whether there is any finding."""
        return bool(self.findings)

    def as_dict(self) -> dict[str, object]:
        """Return what is put into records: plain numbers, lists and text."""
        return {
            "alarm": self.alarm,
            "volume_ml": round(self.volume, 1),
            "widths_mm": list(self.widths),
            "thresholds": [[round(t, 2) for t in both] for both in self.thresholds],
            "omitted": self.omitted,
            "findings": [
                {
                    "sign": f.sign,
                    "centre_mm": [round(c, 1) for c in f.centre],
                    "voxel": list(f.voxel),
                    "width_mm": f.width,
                    "z": round(f.z, 2),
                    "limit": round(f.limit, 2),
                    "change_suv": round(f.change, 4),
                    "uptake_suv": round(f.uptake, 4),
                }
                for f in self.findings
            ],
        }


def guard(
    noisy: Tensor,
    output: Tensor,
    sd: Tensor,
    voxel: Sequence[float],
    affine: np.ndarray | None = None,
    settings: GuardSettings = GuardSettings(),
    threads: int = 1,
) -> Guard:
    """Look for structure in what a denoiser took away.

    Lesions need no finer voxels than the network's grid: volumes of it take seconds.

    Args:
        noisy: The image, shape (1, 1, X, Y, Z) [SUV].
        output: What came out, likewise.
        sd: Of the noise, likewise, up to a factor that changes slowly.
        voxel: Voxel edges [mm].
        affine: Of these volumes, shape (4, 4) [mm]; the first voxel is at 0 if None.
        settings: What counts.
        threads: Widths at a time.

    Raises:
        InputError: If shapes differ or a voxel is no finite number.
    """
    _check(noisy, output, sd)
    world = np.diag([*voxel, 1.0]) if affine is None else np.asarray(affine, np.float64)
    mask = search_mask(output, voxel) & (sd > 0)
    residual = whitened(noisy, output, sd)
    error = settings.error / (2 * len(settings.widths))

    def search(_: None, width: float) -> dict[str, Any]:
        z, _ = scores(residual, mask, voxel, width, settings.reach)
        least = settings.margin * largest_score(resels(z, mask), error)
        limits = bend(least, lean(z, mask)), least
        before, after = (smoothed(x, voxel, width) for x in (noisy, output))
        peaks = _peaks(z, before, after, width, limits, settings.change, world)
        return {"limits": limits, "peaks": peaks}

    widths, found, limits = settings.widths, list[Finding](), list[tuple[float, float]]()
    for one in ThreadCrew(threads).each(search, None, len(widths), lambda i: (widths[i],)):
        limits.append(one["limits"])
        found += one["peaks"]
    kept = _merged(found, voxel)
    return Guard(
        findings=tuple(kept[: settings.most]),
        thresholds=tuple(limits),
        widths=settings.widths,
        volume=float(mask.sum()) * float(np.prod(voxel)) / 1000.0,
        omitted=max(len(kept) - settings.most, 0),
    )


def search_mask(output: Tensor, voxel: Sequence[float]) -> Tensor:
    """Return where there is uptake, shape (1, 1, X, Y, Z) bool."""
    mean = smoothed(output, voxel, _BODY_WIDTH)
    some = mean.flatten()
    some = some[:: some.numel() // _SAMPLE + 1]
    return mean > _BODY * torch.quantile(some, _BRIGHT)


def _peaks(
    z: Tensor,
    before: Tensor,
    after: Tensor,
    width: float,
    limits: tuple[float, float],
    change: float,
    world: np.ndarray,
) -> list[Finding]:
    size = z.abs()
    near = size
    for kernel in ((3, 1, 1), (1, 3, 1), (1, 1, 3)):
        near = functional.max_pool3d(near, kernel, 1, [k // 2 for k in kernel])
    above = (z > limits[0]) | (z < -limits[1])
    lower = torch.minimum(before, after).clamp_min(0.0)
    relevant = (before - after).abs() > change * lower
    found = []
    for place in ((size >= near) & above & relevant)[0, 0].nonzero().tolist():
        at = (0, 0, *place)
        x, y, w = (float(v) for v in (world @ [*place, 1.0])[:3])
        found.append(
            Finding(
                sign="erased" if float(z[at]) > 0 else "invented",
                centre=(x, y, w),
                voxel=(place[0], place[1], place[2]),
                width=width,
                z=float(size[at]),
                limit=limits[0] if float(z[at]) > 0 else limits[1],
                change=float(before[at] - after[at]),
                uptake=float(after[at]),
            )
        )
    return found


def _merged(found: list[Finding], voxel: Sequence[float]) -> list[Finding]:
    """Return the clearest of findings of one sign whose filters overlap, clearest first."""
    kept: list[Finding] = []
    for one in sorted(found, key=lambda f: (-f.z / f.limit, f.voxel, f.width)):
        if not any(
            one.sign == other.sign
            and math.dist(*(np.multiply(f.voxel, voxel) for f in (one, other)))
            < (one.width + other.width) / 2
            for other in kept
        ):
            kept.append(one)
    return kept


def _check(noisy: Tensor, output: Tensor, sd: Tensor) -> None:
    if noisy.ndim != 5 or noisy.shape[:2] != (1, 1) or not noisy.shape == output.shape == sd.shape:
        raise InputError(
            f"image {tuple(noisy.shape)}, output {tuple(output.shape)}, SD {tuple(sd.shape)}",
            "expected one shape (1, 1, X, Y, Z)",
        )
    for name, volume in (("image", noisy), ("output", output), ("SD", sd)):
        if not bool(torch.isfinite(volume).all()):
            raise InputError(f"the {name} holds a voxel that is not finite", "expected numbers")
