"""List-mode data for every reconstruction: events one by one instead of a sinogram.

An event's line has the mean ybar = m (A G x) + b with the factors and additive means of that line
alone (Barrett, White and Parra, J Opt Soc Am A 1997, 14:2914-2923; Reader et al., Phys Med Biol
1998, 43:835-846). Lines without events count only in the sensitivity.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.grid import ImageGrid
from betaplus.core.scanner import Scanner
from betaplus.physics.blur import GaussianBlur
from betaplus.physics.em import ratio
from betaplus.physics.projector.line_projector import LineProjector
from betaplus.physics.projector.projector import Projector
from betaplus.physics.projector.tof import make_tof_kernel
from betaplus.physics.threads import available_cores
from betaplus.reconstruction.data import field_of_view
from betaplus.reconstruction.list_events import ListEvents
from betaplus.reconstruction.subsets import herman_meyer

__all__ = ["ListData", "list_sensitivity"]

_CHUNK = 1 << 20  # events at a time
_VALUES = 1 << 26  # of a sinogram that are spread over time of flight at a time


class ListData:
    """Events in subsets: every n-th one, from the first, the second and so on.

    Args:
        events: The events and the model of their lines; none may lie where m is 0.
        grid: The image grid.
        sensitivity: A^T m of all lines of the scanner, shape (X, Y, Z), as `list_sensitivity`
            returns it, without the blur; each subset has an even share of it.
        background: Sum of the additive means of all lines of the scanner, with events or without.
        subsets: Number of subsets.
        psf: Resolution, full width at half maximum [mm]; 0 leaves it out.
        mask: Voxels that may hold activity, shape (X, Y, Z), or None.
        threads: Threads; the cores available if None. Results do not depend on it.

    Raises:
        InputError: If there are no events, or some whose m is 0; or if sensitivity or background
            are what none can be.
        UsageError: If there are more subsets than events.
    """

    def __init__(
        self,
        events: ListEvents,
        grid: ImageGrid,
        *,
        sensitivity: np.ndarray,
        background: float,
        subsets: int = 1,
        psf: float = 0.0,
        mask: np.ndarray | None = None,
        threads: int | None = None,
    ) -> None:
        _check(events, grid, sensitivity, background)
        if not 1 <= subsets <= len(events):
            raise UsageError(f"{subsets} subsets of {len(events)} events", "expected 1 to as many")
        self.events, self.grid, self.background = events, grid, background
        self.order = herman_meyer(subsets)
        self.blur = GaussianBlur(grid.shape, grid.voxel_size, psf)
        self.threads = available_cores() if threads is None else max(1, threads)
        self._kernel = make_tof_kernel(events.scanner) if events.scanner.tof else None
        seen = field_of_view(grid, events.scanner.fov_radius)
        if mask is not None:
            seen = seen & np.asarray(mask, dtype=bool)
        self._seen = seen
        self.sensitivity = self.blur.adjoint(sensitivity) * seen
        self._share = self.sensitivity / np.float32(subsets)

    def alone(self, threads: int) -> ListData:
        """Return the same data for one of several threads, with some threads of its own."""
        _ = self.mask  # computed once, for all
        other = copy.copy(self)
        other.threads = max(1, threads)
        return other

    @cached_property
    def mask(self) -> np.ndarray:
        """Voxels that some line crosses and that may hold activity."""
        return self._seen & (self.sensitivity > 1e-6 * self.sensitivity.max())

    @cached_property
    def level(self) -> float:
        """Value of a uniform image in the mask that explains the counts."""
        counts = len(self.events)
        total = self.sensitivity[self.mask].sum(dtype=np.float64)
        if not total > 0.0:
            raise InputError(
                "the sensitivity is 0 in all of the image", "expected lines that cross it"
            )
        return float(max(counts - self.background, 0.01 * counts, 1.0) / total)

    def subset_sensitivity(self, subset: int) -> np.ndarray:
        """Return that of one subset, the same for all."""
        return self._share

    def back_ratio(self, x: np.ndarray, subset: int) -> np.ndarray:
        """Return G^T A^T m / ybar over the events of a subset at an image x; 0 outside the mask."""
        image, sums = self.blur.forward(x), np.zeros(self.grid.shape)
        for part in self._chunks(slice(subset, None, len(self.order))):
            projector = self._projector(part)
            expected = self._expected(part, projector, image)
            sums += projector.adjoint(ratio(part.multiplicative, expected, out=expected))
        out = self.blur.adjoint(sums.astype(np.float32))
        out *= self._seen
        return out

    def log_likelihood(self, x: np.ndarray) -> float:
        """Return the sum of ln ybar over events, less the sum of ybar over all lines."""
        image, sums = self.blur.forward(x), []
        for part in self._chunks(slice(None)):
            expected = self._expected(part, self._projector(part), image).astype(np.float64)
            if not (expected > 0.0).all():
                return -math.inf
            sums.append(float(np.log(expected).sum()))
        inside = float(np.sum(self.sensitivity * x, dtype=np.float64))
        return math.fsum(sums) - inside - self.background

    def scaled(self, x: np.ndarray) -> tuple[float, float]:
        """Return how the log-likelihood changes as an image is scaled, and how that falls."""
        image, second = self.blur.forward(x), 0.0
        first = -float(np.sum(self.sensitivity * x, dtype=np.float64))
        for part in self._chunks(slice(None)):
            expected = self._expected(part, self._projector(part), image).astype(np.float64)
            seen = expected > 0.0
            share = 1.0 - part.additive[seen] / expected[seen]
            first, second = first + float(share.sum()), second + float(share @ share)
        return first, second

    def _chunks(self, which: slice) -> Iterator[ListEvents]:
        """Cut the events of a slice into parts that fit into memory when drawn as lines.

        Within a part they are sorted by crystals, since lines that lie together in memory project
        three times faster than those in order of time.
        """
        first, stop, step = which.indices(len(self.events))
        for start in range(first, stop, step * _CHUNK):
            part = self.events[start : min(stop, start + step * _CHUNK) : step]
            one, two = part.detectors.T.astype(np.int64)
            yield part[np.argsort(one * self.events.scanner.detectors + two, kind="stable")]

    def _projector(self, part: ListEvents) -> LineProjector:
        bins = part.tof_offset if self._kernel is not None else None
        return LineProjector(
            part.ends, self.grid, bins=bins, kernel=self._kernel, threads=self.threads
        )

    def _expected(
        self, part: ListEvents, projector: LineProjector, image: np.ndarray
    ) -> np.ndarray:
        """Return ybar of some events, float32, shape (n,)."""
        out = projector.forward(image)
        out *= part.multiplicative
        out += part.additive
        return out


def list_sensitivity(
    scanner: Scanner,
    multiplicative: np.ndarray,
    grid: ImageGrid,
    *,
    threads: int | None = None,
) -> np.ndarray:
    """Return A^T m of all lines of a scanner.

    Args:
        scanner: The scanner, in any span; span 1 draws each line where it is.
        multiplicative: Attenuation times efficiency, pairs of rings included, shape (view, radial,
            plane); 0 on gaps.
        grid: The image grid.
        threads: Threads; the cores available if None.

    Returns:
        Shape (X, Y, Z), float32.
    """
    if multiplicative.shape != scanner.shape[:3]:
        raise InputError(
            f"multiplicative of shape {multiplicative.shape}",
            f"expected {scanner.shape[:3]} as {scanner.name} has",
        )
    whole = Projector(scanner, grid, lines=(multiplicative > 0.0).any(-1), threads=threads)
    out = np.zeros(grid.shape)
    step = max(1, _VALUES // math.prod(scanner.shape[1:]))
    for first in range(0, scanner.views, step):
        views = np.arange(first, min(first + step, scanner.views))
        factors = np.asarray(multiplicative[views], dtype=np.float32)
        if scanner.tof:
            factors = np.broadcast_to(factors[..., None], (len(views), *scanner.shape[1:]))
        out += whole.subset(views).adjoint(factors)
    return out.astype(np.float32)


def _check(events: ListEvents, grid: ImageGrid, sensitivity: np.ndarray, background: float) -> None:
    if len(events) == 0:
        raise InputError("a list without events", "expected 1 or more")
    blind = len(events) - int(np.count_nonzero(events.multiplicative))
    if blind:
        raise InputError(
            f"{blind} of {len(events)} events on lines with a multiplicative factor of 0",
            "expected events where the scanner has crystals that work",
            "leave them out with ListEvents.sensitive()",
        )
    if sensitivity.shape != grid.shape:
        raise InputError(f"sensitivity of shape {sensitivity.shape}", f"expected {grid.shape}")
    low, high = float(sensitivity.min()), float(sensitivity.max())  # NaN where anything is
    if not 0.0 <= low <= high < math.inf:
        raise InputError(f"a sensitivity from {low:g} to {high:g}", "expected numbers from 0")
    if not 0.0 <= background < math.inf:
        raise InputError(f"a background of {background:g} counts", "expected a number from 0")
