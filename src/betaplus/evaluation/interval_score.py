r"""How good intervals are: how often they hold the truth, and how wide they are for it.

The interval score (Gneiting and Raftery, JASA 102, 359, 2007, section 6.2) of an interval [l, u] of
level 1 - a,

.. math:: (u - l) + \frac{2}{a} (l - x)_+ + \frac{2}{a} (x - u)_+ ,

is proper: its expectation is least for the true quantiles. It has the unit of the quantity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from betaplus.core.errors import InputError, UsageError

__all__ = ["HeldShare", "held_share", "interval_score", "next_draw_share", "wilson_interval"]


@dataclass(frozen=True, kw_only=True)
class HeldShare:
    """Coverage of intervals.

    Attributes:
        share: Of intervals that hold the truth.
        low: Lower end of the Wilson interval of that share.
        high: Its upper end.
        count: Intervals.
    """

    share: float
    low: float
    high: float
    count: int


def interval_score(
    low: np.ndarray, high: np.ndarray, truth: np.ndarray, level: float
) -> np.ndarray:
    """Return the interval score of each interval, of the shape of the truths; less is better.

    Args:
        low: Lower ends.
        high: Upper ends, likewise.
        truth: Likewise.
        level: Nominal probability of the intervals.

    Raises:
        InputError: If shapes differ, or an upper end is below the lower one.
        UsageError: If the level is not between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise UsageError(f"a level of {level:g}", "expected a number between 0 and 1")
    a, b, x = _intervals(low, high, truth)
    return (b - a) + 2.0 / (1.0 - level) * (np.maximum(a - x, 0.0) + np.maximum(x - b, 0.0))


def held_share(
    low: np.ndarray, high: np.ndarray, truth: np.ndarray, confidence: float = 0.95
) -> HeldShare:
    """Return how many of the truths intervals hold; ends belong to them.

    The confidence interval is for independent intervals: one region of each subject.

    Args:
        low: Lower ends, shape (n,).
        high: Upper ends, likewise.
        truth: Likewise.
        confidence: Of the Wilson interval.

    Raises:
        InputError: If shapes differ, or there is none.
    """
    a, b, x = _intervals(low, high, truth)
    held = int(np.count_nonzero((a <= x) & (x <= b)))
    least, most = wilson_interval(held, x.size, confidence)
    return HeldShare(share=held / x.size, low=least, high=most, count=x.size)


def next_draw_share(
    truth: np.ndarray, mean: np.ndarray, sd: np.ndarray, draws: int, level: float
) -> float:
    """Return the share of truths that lie where one more draw would.

    Of n draws with mean m and SD s that is m -+ t s sqrt(1 + 1 / n), with t of n - 1 degrees of
    freedom: where the truth is like another draw, and draws are normal, the share is the level.

    Args:
        truth: Any shape.
        mean: Of the draws, likewise.
        sd: Of the draws, with n - 1, likewise.
        draws: How many there are.
        level: Nominal probability.

    Raises:
        InputError: If shapes differ.
        UsageError: If the level is not between 0 and 1, or there are fewer than two draws.
    """
    from scipy.stats import t

    if not 0.0 < level < 1.0:
        raise UsageError(f"a level of {level:g}", "expected a number between 0 and 1")
    if draws < 2:
        raise UsageError(f"{draws} draws", "expected two or more")
    half = t.ppf(0.5 + 0.5 * level, draws - 1) * np.sqrt(1.0 + 1.0 / draws) * np.asarray(sd)
    low, high, x = _intervals(np.asarray(mean) - half, np.asarray(mean) + half, np.asarray(truth))
    return float(np.mean((low <= x) & (x <= high)))


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return a confidence interval of a probability (Wilson, JASA 22, 209, 1927).

    Raises:
        InputError: If there is no trial, or there are more successes than trials.
    """
    if not (trials > 0 and 0 <= successes <= trials):
        raise InputError(f"{successes} of {trials} trials", "expected at least one trial")
    z = NormalDist().inv_cdf((1.0 + confidence) / 2.0)
    p, n = successes / trials, float(trials)
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _intervals(
    low: np.ndarray, high: np.ndarray, truth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b, x = (np.asarray(v, np.float64) for v in (low, high, truth))
    if not a.shape == b.shape == x.shape:
        raise InputError(
            f"lower ends {a.shape}, upper ends {b.shape}, truths {x.shape}", "expected one shape"
        )
    if (b < a).any():
        raise InputError("an upper end is below the lower one", "expected intervals")
    return a, b, x
