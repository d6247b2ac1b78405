"""Counts: Poisson draws of means, thinning and splitting of what was counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.physics.threads import available_cores, each
from betaplus.simulation.raw.counts import RawCounts

__all__ = ["draw", "split", "thin"]

_PROMPTS, _DELAYEDS = 22, 23


def draw(
    counts: RawCounts,
    seed: int,
    *,
    realisation: int = 0,
    frame: int = 0,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return prompts and delayeds of one realisation.

    The delayed window sees the randoms alone, in a draw of its own and without time of flight.
    Each view of each realisation has a generator of its own.

    Args:
        counts: Mean counts.
        seed: Seed of the scan.
        realisation: Which one.
        frame: Which frame of the scan.
        threads: Threads; the cores available if None. Results do not depend on it.

    Returns:
        Prompts of the scanner's shape and delayeds of shape (view, radial, plane), uint32.
    """
    prompts = np.empty(counts.scanner.shape, dtype=np.uint32)
    delayeds = np.empty(counts.scanner.shape[:3], dtype=np.uint32)

    def one(view: int) -> None:
        item = (realisation << 40) + (frame << 20) + view
        prompts[view] = generator(seed, item, _PROMPTS).poisson(counts.mean(view))
        delayeds[view] = generator(seed, item, _DELAYEDS).poisson(counts.randoms[view])

    views = [(view,) for view in range(counts.scanner.views)]
    each(one, views, available_cores() if threads is None else threads)
    return prompts, delayeds


def thin(prompts: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Return counts of which each event is kept with a probability: binomial, hence exact.

    Poisson counts stay Poisson, with a mean of the fraction; it is what a scan of that share of the
    time would have counted.

    Args:
        prompts: Whole numbers, any shape.
        fraction: Share that is kept.
        rng: Source of the draw.

    Returns:
        Same shape, uint32.

    Raises:
        UsageError: If the fraction is not within 0 to 1 or the counts are not whole.
    """
    if not 0.0 <= fraction <= 1.0:
        raise UsageError(f"a fraction of {fraction:g} of the counts", "expected 0 to 1")
    return rng.binomial(_whole(prompts), fraction).astype(np.uint32)


def split(
    prompts: np.ndarray, parts: int | Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """Return counts divided at random among several scans: multinomial, so that they add up.

    Parts of Poisson counts are independent of each other.

    Args:
        prompts: Whole numbers, any shape.
        parts: How many equal parts, or the share of each.
        rng: Source of the draw.

    Returns:
        Shape (parts, ...), uint32.

    Raises:
        UsageError: If the shares are negative or do not add up to 1, or the counts are not whole.
    """
    equal = isinstance(parts, int)
    shares = np.full(max(parts, 0), 1.0 / max(parts, 1)) if equal else np.asarray(parts, float)
    if shares.ndim != 1 or not shares.size or (shares < 0).any() or abs(shares.sum() - 1.0) > 1e-9:
        raise UsageError(f"parts {parts}", "expected a number from 1, or shares that add up to 1")
    rest = _whole(prompts)
    out = np.empty((shares.size, *rest.shape), dtype=np.uint32)
    left = 1.0
    for i, share in enumerate(shares[:-1]):
        out[i] = rng.binomial(rest, min(1.0, share / left) if left > 0.0 else 0.0)
        rest = rest - out[i]
        left -= share
    out[-1] = rest
    return out


def _whole(prompts: np.ndarray) -> np.ndarray:
    values = np.asarray(prompts)
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        raise UsageError("counts that are not whole numbers", "expected those of a scan, not means")
    if values.size and values.min() < 0:
        raise UsageError("negative counts", "expected numbers from 0")
    return values.astype(np.int64)
