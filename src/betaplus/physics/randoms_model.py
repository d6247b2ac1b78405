"""Which crystals are in coincidence, and which bins their pairs fall into.

Rates have the shape (detector, ring). The ring pairs of one ring difference fall into every second
plane of their segment; planes are held with the even ones of a segment before its odd ones, so that
the kernels run along contiguous memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.michelogram import Michelogram
from betaplus.core.scanner import Scanner
from betaplus.physics.randoms_kernels import add_shares, fill_means
from betaplus.physics.threads import available_cores, each, ranges

__all__ = ["CrystalPairs", "Differences", "make_differences"]

_PARTS = 16  # sums over views that are added up, whatever the number of threads


@dataclass(frozen=True, eq=False, kw_only=True)
class Differences:
    """Ring pairs by ring difference.

    Attributes:
        slot: Where each plane is held, shape (planes,).
        table: First ring of the first end, that of the second end, slot of that pair and number of
            pairs, shape (differences, 4).
    """

    slot: np.ndarray
    table: np.ndarray


def make_differences(michelogram: Michelogram) -> Differences:
    """Return the ring pairs of a michelogram by ring difference."""
    slot = np.empty(michelogram.planes, dtype=np.int64)
    rows = []
    for s in michelogram.segments:
        planes = np.arange(s.first, s.first + s.planes)
        held = planes if s.step == 2 else np.concatenate([planes[::2], planes[1::2]])
        slot[held] = planes
        for difference in range(s.lowest, s.highest + 1):
            one, two = max(0, -difference), max(0, difference)
            plane = s.first + (one + two - s.start) // s.step
            rows.append((one, two, slot[plane], michelogram.rings - abs(difference)))
    return Differences(slot=slot, table=np.array(rows, dtype=np.int64))


class CrystalPairs:
    """Rates of shape (detector, ring), and the sinogram that their products make.

    Args:
        scanner: The scanner.
        threads: Threads; the cores available if None. Results do not depend on it.
    """

    def __init__(self, scanner: Scanner, threads: int | None) -> None:
        self.scanner = scanner
        self.threads = available_cores() if threads is None else max(1, threads)
        self._tables = make_differences(scanner.michelogram)
        one, two = scanner.pairs[scanner.live].T
        self._across = np.zeros((scanner.detectors, scanner.detectors))
        np.add.at(self._across, (one, two), 1.0)
        self._across += self._across.T
        self._along = (scanner.michelogram.plane_of_pair >= 0).astype(np.float64)

    def uniform(self, total: float) -> np.ndarray:
        """Return equal rates whose mean has a total."""
        crystals = np.repeat(~self.scanner.is_gap[:, None], self.scanner.rings, 1).astype(float)
        crystals[self._across.sum(1) == 0.0] = 0.0
        return self.scaled(crystals, total)

    def partners(self, rates: np.ndarray) -> np.ndarray:
        """Return the sum of the rates of all crystals that each is in coincidence with."""
        return self._across @ rates @ self._along

    def scaled(self, rates: np.ndarray, total: float) -> np.ndarray:
        """Return rates in proportion whose mean has a total."""
        found = self.total(rates)
        return rates * np.sqrt(total / found) if found > 0.0 else rates

    def mean(self, rates: np.ndarray) -> np.ndarray:
        """Return the mean sinogram, float32."""
        scanner = self.scanner
        out = np.empty(scanner.shape[:3], dtype=np.float32)
        calls = [
            (rates, scanner.pairs[a:b], scanner.live[a:b], self._tables.slot, self._tables.table,
             out[a:b])
            for a, b in ranges(scanner.views, 4 * self.threads)
        ]  # fmt: skip
        each(fill_means, calls, self.threads)
        return out

    def total(self, rates: np.ndarray) -> float:
        """Return the total of the mean."""
        return 0.5 * float(np.sum(rates * self.partners(rates)))

    def fans(self, counts: np.ndarray, rates: np.ndarray) -> np.ndarray:
        """Return the fan sums of counts, shared among ring pairs as the rates say."""
        return self._fans(counts, rates, False)[0]

    def fans_and_fit(self, counts: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the fan sums, and the sum of count x ln mean."""
        sums, fits = self._fans(counts, rates, True)
        return sums, float(fits.sum())

    def _fans(
        self, counts: np.ndarray, rates: np.ndarray, fit: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        scanner, parts = self.scanner, ranges(self.scanner.views, _PARTS)
        sums, fits = np.zeros((len(parts), *rates.shape)), np.zeros(len(parts))
        calls = [
            (counts[a:b], rates, scanner.pairs[a:b], scanner.live[a:b], self._tables.slot,
             self._tables.table, out, fits[n : n + int(fit)])
            for n, ((a, b), out) in enumerate(zip(parts, sums, strict=True))
        ]  # fmt: skip
        each(add_shares, calls, self.threads)
        return rates * sums.sum(0), fits
