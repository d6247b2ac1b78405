r"""A channelised Hotelling observer: how well lesions can be told from their background.

Images g, cut out around where a lesion may be, are seen through channels, v = T g. With the mean
difference d of v with and without the lesion and the mean S of the two covariances, the observer's
statistic is t = d' S^-1 v; the area under the ROC curve is the probability that t is larger with a
lesion than without (Barrett, Yao, Rolland and Myers, Proc Natl Acad Sci 90, 9758, 1993).

The channels are dense differences of Gaussians in spatial frequency, isotropic,
C_j(f) = exp(-(f / Q s_j)^2 / 2) - exp(-(f / s_j)^2 / 2), s_j = 0.005 * 1.4^(j-1) cycles a voxel,
Q = 1.67, j = 1...10 (Abbey and Barrett, J Opt Soc Am A 18, 473, 2001).

An observer that is tested on what it was trained on is too good, and one that was trained on little
is too bad. `observer_auc` trains on a random half of the images and tests on the other, in many
splits whose mean it returns: unbiased for an observer trained on that many (as in Gallas, Acad
Radiol 13, 353, 2006).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.seeds import generator

__all__ = ["ObserverAuc", "detectability", "dog_channels", "observer_auc", "roc_area"]

CHANNELS = 10
"""Channels of the dense set."""

_FIRST, _STEP, _Q = 0.005, 1.4, 1.67
_DRAW = 71


@dataclass(frozen=True, kw_only=True)
class ObserverAuc:
    """How well an observer tells images with a lesion from those without.

    Attributes:
        auc: Mean area under the ROC curve of all splits; 0.5 is guessing.
        sd: Of one split; splits share images, so that this is no standard error of the mean.
        snr: 2^(1/2) times the normal quantile of `auc`: the distance of two normal distributions
            with that area.
        images: With and without a lesion.
    """

    auc: float
    sd: float
    snr: float
    images: tuple[int, int]


def dog_channels(
    shape: Sequence[int], voxel: Sequence[float] | None = None, channels: int = CHANNELS
) -> np.ndarray:
    """Return dense difference-of-Gaussian channels, shape (J, *shape) float64, each of norm 1.

    Args:
        shape: Of the images, of any number of axes; the lesion is in voxel n // 2 of each.
        voxel: Voxel edges [mm], where they differ; frequencies are then per shortest edge.
        channels: J.

    Raises:
        UsageError: If there is less than one channel.
    """
    if channels < 1:
        raise UsageError(f"{channels} channels", "expected 1 or more")
    edges = np.ones(len(shape)) if voxel is None else np.asarray(voxel, dtype=np.float64)
    edges = edges / edges.min()
    grids = np.meshgrid(*(np.fft.fftfreq(n, e) for n, e in zip(shape, edges, strict=True)),
                        indexing="ij")  # fmt: skip
    square = sum(g * g for g in grids)
    out = np.empty((channels, *shape))
    for j in range(channels):
        s = _FIRST * _STEP**j
        profile = np.exp(-square / (2 * (_Q * s) ** 2)) - np.exp(-square / (2 * s**2))
        found = np.fft.fftshift(np.fft.ifftn(profile).real)
        norm = float(np.linalg.norm(found))
        out[j] = found / norm if norm else found
    return out


def observer_auc(
    present: np.ndarray,
    absent: np.ndarray,
    channels: np.ndarray,
    *,
    internal: float = 0.0,
    splits: int = 50,
    seed: int = 0,
) -> ObserverAuc:
    """Return the area under the ROC curve of a channelised Hotelling observer.

    Args:
        present: Images with a lesion, shape (N, *shape), each the same place.
        absent: Images without, shape (M, *shape), of other noise.
        channels: Of `dog_channels`, shape (J, *shape).
        internal: Variance of the observer's own noise over that of each channel's output.
        splits: Random halves that it is trained on.
        seed: Of the splits and of the internal noise.

    Raises:
        InputError: If shapes differ, a voxel is no finite number, or images are too few to train
            on: half of all must be more than the channels.
        UsageError: If there is no split, or internal noise is below 0.
    """
    if splits < 1 or not (math.isfinite(internal) and internal >= 0):
        raise UsageError(
            f"{splits} splits, internal noise {internal:g}", "expected 1 and 0 or more"
        )
    with_lesion, without = _seen(present, channels), _seen(absent, channels)
    n, m, j = len(with_lesion), len(without), len(channels)
    if min(n, m) < 4 or n // 2 + m // 2 - 2 <= j:
        raise InputError(
            f"{n} images with a lesion and {m} without, for {j} channels",
            f"expected {j + 4} or more of each",
        )
    areas = []
    for split in range(splits):
        rng = generator(seed, item=split, draw=_DRAW)
        first, second = rng.permutation(n), rng.permutation(m)
        train = with_lesion[first[: n // 2]], without[second[: m // 2]]
        test = with_lesion[first[n // 2 :]], without[second[m // 2 :]]
        covariance = _covariance(*train)
        extra = internal * np.diag(covariance)
        template = _solve(covariance + np.diag(extra), train[0].mean(0) - train[1].mean(0))
        spread = math.sqrt(float(extra @ template**2))
        scores = [v @ template + spread * rng.standard_normal(len(v)) for v in test]
        areas.append(roc_area(*scores))
    auc = float(np.mean(areas))
    return ObserverAuc(auc=auc, sd=float(np.std(areas)), snr=_snr(auc), images=(n, m))


def detectability(
    signal: np.ndarray, covariance: np.ndarray, channels: np.ndarray, *, internal: float = 0.0
) -> float:
    """Return d' of a known signal in Gaussian noise of a known covariance; AUC is Phi(d' / 2^.5).

    Args:
        signal: Mean difference of the images, shape `shape`.
        covariance: Of the channels' outputs, T K T', shape (J, J).
        channels: Shape (J, *shape).
        internal: As in `observer_auc`.
    """
    d = _seen(signal[None], channels)[0]
    total = covariance + internal * np.diag(np.diag(covariance))
    return math.sqrt(max(float(d @ _solve(total, d)), 0.0))


def roc_area(present: np.ndarray, absent: np.ndarray) -> float:
    """Return the share of pairs whose first is larger, ties counting half (Mann and Whitney)."""
    low = np.sort(np.asarray(absent))
    below = np.searchsorted(low, present, "left") + np.searchsorted(low, present, "right")
    return float(below.sum() / (2.0 * len(present) * low.size))


def _seen(images: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Outputs of the channels, shape (N, J)."""
    if np.ndim(images) < 2 or np.shape(images)[1:] != channels.shape[1:]:
        raise InputError(
            f"images of shape {np.shape(images)[1:]}, channels of {channels.shape[1:]}",
            "expected the same",
        )
    values = np.asarray(images, dtype=np.float64).reshape(len(images), -1)
    if not np.isfinite(values).all():
        raise InputError("a voxel of an image is not finite", "expected numbers")
    return np.asarray(values @ channels.reshape(len(channels), -1).T)


def _covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 0.5 * (np.cov(a, rowvar=False, ddof=1) + np.cov(b, rowvar=False, ddof=1)).reshape(
        a.shape[1], a.shape[1]
    )


def _solve(covariance: np.ndarray, d: np.ndarray) -> np.ndarray:
    """S^-1 d without the directions that hold no variance, such as those of channels that agree."""
    return np.asarray(np.linalg.pinv(covariance, rcond=1e-10, hermitian=True) @ d)


def _snr(auc: float) -> float:
    from statistics import NormalDist

    if not 0.0 < auc < 1.0:
        return math.copysign(math.inf, auc - 0.5)
    return math.sqrt(2.0) * NormalDist().inv_cdf(auc)
