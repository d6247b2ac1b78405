"""Which views make up a subset, and the order in which subsets are used."""

from __future__ import annotations

import numpy as np

from betaplus.core.errors import UsageError

__all__ = ["herman_meyer", "subset_views"]


def subset_views(views: int, subsets: int) -> list[np.ndarray]:
    """Return the views of each subset, evenly spread.

    Raises:
        UsageError: If there are more subsets than views.
    """
    if not 1 <= subsets <= views:
        raise UsageError(f"{subsets} subsets of {views} views", f"expected 1 to {views}")
    return [np.arange(n, views, subsets) for n in range(subsets)]


def herman_meyer(n: int) -> list[int]:
    """Return the order of n subsets in which each is far from those before.

    The index is written in the mixed base of n's prime factors, digits reversed (Herman and Meyer,
    IEEE Trans Med Imaging 1993, 12:600-609).
    """
    factors, rest, prime = [], n, 2
    while rest > 1:
        while rest % prime == 0:
            factors.append(prime)
            rest //= prime
        prime += 1
    order = []
    for i in range(n):
        value, weight, rest = 0, n, i
        for factor in factors:
            weight //= factor
            value += (rest % factor) * weight
            rest //= factor
        order.append(value)
    return order
