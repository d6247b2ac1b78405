"""Scattered coincidences as heavily smoothed trues.

A photon that was scattered once is found some centimetres beside its line. What a single-scatter
simulation gives for a head is close to the attenuated trues, convolved with a broad Gaussian across
(radial bins), around (views) and along the scanner (planes).
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from betaplus.core.michelogram import Segment
from betaplus.core.scanner import Scanner
from betaplus.physics.threads import available_cores, each

__all__ = ["WIDTH", "scatter_shape"]

WIDTH = 40.0
"""Standard deviation across, along the scanner and in time of flight [mm]."""

_ARM = 100.0  # mm from the centre, at which a turn of the view moves a line by WIDTH
_SAMPLES = 4.0  # per standard deviation, at least
_TRUNCATE = 3.0


def scatter_shape(scanner: Scanner, trues: np.ndarray, threads: int | None = None) -> np.ndarray:
    """Return how scatter spreads over lines before their efficiencies, in arbitrary units.

    Views go on periodically: one behind the last is the first with its radial bins, its ring
    differences and its time of flight turned around.

    Args:
        scanner: The scanner.
        trues: Attenuated line integrals before efficiencies, shape (view, radial, plane[, TOF]), on
            gaps too.
        threads: Threads; the cores available if None. Results do not depend on it.

    Returns:
        Likewise, float32.
    """
    out = np.empty_like(trues)
    segments = {s.number: s for s in scanner.michelogram.segments}
    radial, views = _radial_step(scanner), _view_step(scanner)

    def smooth(one: Segment, two: Segment) -> None:
        ends = [_thinned(trues[:, :, s.slice], radial, views) for s in (one, two)]
        full = np.concatenate([ends[0], _turned(ends[1])])
        full = _smoothed(scanner, one, full, radial, views)
        half = full.shape[0] // 2
        back = [full, _turned(np.concatenate([full[half:], full[:half]]))]
        for segment, values in zip((one, two), back, strict=True):
            out[:, :, segment.slice] = _spread(values, trues.shape[:2], radial, views)

    calls = [(s, segments[-n]) for n, s in segments.items() if n >= 0]
    each(smooth, calls, available_cores() if threads is None else threads)
    return out


def _radial_step(scanner: Scanner) -> int:
    """Return every how many radial bins one is kept: an odd number."""
    most = WIDTH / scanner.bin_width / _SAMPLES
    return max(1, 2 * int((most - 1.0) // 2) + 1)


def _view_step(scanner: Scanner) -> int:
    """Return how many views are put together: a divisor of their number."""
    most = WIDTH / _ARM * scanner.views / np.pi / _SAMPLES
    return max(n for n in range(1, max(2, int(most) + 1)) if scanner.views % n == 0)


def _thinned(part: np.ndarray, radial: int, views: int) -> np.ndarray:
    """Return means over views and radial bins; the middle bin stays the middle."""
    shape, rest = part.shape, part.shape[2:]
    total = part.reshape(-1, views, *shape[1:]).sum(1)
    middle = shape[1] // 2
    reach = -(-middle // radial)  # samples on either side of the middle bin
    before = reach * radial + radial // 2 - middle
    behind = (2 * reach + 1) * radial - before - shape[1]
    total = np.pad(total, ((0, 0), (before, behind), *((0, 0) for _ in rest)))
    total = total.reshape(total.shape[0], -1, radial, *rest).sum(2)
    total *= np.float32(1.0 / (views * radial))
    return total


def _turned(part: np.ndarray) -> np.ndarray:
    """Return lines with their ends exchanged: radial bins and time of flight run backwards."""
    part = part[:, ::-1]
    return part[..., ::-1] if part.ndim == 4 else part


def _smoothed(
    scanner: Scanner, segment: Segment, full: np.ndarray, radial: int, views: int
) -> np.ndarray:
    """Return the convolution of views all around, radial samples, planes and TOF bins."""
    turn = WIDTH / _ARM * scanner.views / np.pi / views
    across = WIDTH / scanner.bin_width / radial
    along = WIDTH / (0.5 * segment.step * scanner.ring_pitch)
    full = gaussian_filter1d(full, turn, axis=0, mode="wrap", truncate=_TRUNCATE)
    full = gaussian_filter1d(full, across, axis=1, mode="constant", truncate=_TRUNCATE)
    full = gaussian_filter1d(full, along, axis=2, mode="nearest", truncate=_TRUNCATE)
    if full.ndim == 4:
        width = WIDTH / scanner.tof_bin
        full = gaussian_filter1d(full, width, axis=3, mode="constant", truncate=_TRUNCATE)
    return full


def _spread(full: np.ndarray, shape: tuple[int, int], radial: int, views: int) -> np.ndarray:
    """Return linear interpolation of the first half turn at all views and radial bins."""
    reach = full.shape[1] // 2
    place = (np.arange(shape[1]) - shape[1] // 2) / radial + reach
    lower = place.astype(np.int64)
    upper = np.minimum(lower + 1, full.shape[1] - 1)
    weight = (place - lower).astype(np.float32).reshape(-1, *(1 for _ in full.shape[2:]))
    rows = full[:, lower] * (1.0 - weight) + full[:, upper] * weight
    place = (np.arange(shape[0]) + 0.5) / views - 0.5
    lower = np.floor(place).astype(np.int64)
    weight = (place - lower).astype(np.float32)
    out = np.empty((*shape, *full.shape[2:]), dtype=np.float32)
    for v in range(shape[0]):
        one, two = rows[lower[v] % len(rows)], rows[(lower[v] + 1) % len(rows)]
        out[v] = one * (1.0 - weight[v]) + two * weight[v]
    return out
