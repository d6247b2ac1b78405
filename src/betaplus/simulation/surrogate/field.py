"""Gaussian noise whose spectrum changes from place to place."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy import fft

from betaplus.simulation.surrogate.spectrum import (
    amplitude,
    back_projected,
    frequencies,
    wedges,
)
from betaplus.simulation.surrogate.style import ScanStyle

__all__ = ["NoiseBank"]

_STEP = 4.0  # between neighbouring q of the bank
_MARGIN = 12  # voxels beyond the grid, since the transform is periodic


class NoiseBank:
    """White noise through the filters of some q, between which each voxel takes its own.

    Neighbouring filters are alike, so that a mixture of two fields made of the same white noise
    is, but for a known factor, noise of the spectrum between.

    Args:
        shape: Of the images, (X, Y, Z).
        voxel: Voxel edges [mm].
        style: Of the scan.
        q: Range of x w / a that is wanted [1/mm].
        sectors: Ranges of directions that are kept apart.
    """

    def __init__(
        self,
        shape: Sequence[int],
        voxel: Sequence[float],
        style: ScanStyle,
        q: tuple[float, float],
        sectors: int,
    ) -> None:
        self.shape = tuple(shape)
        self.padded = tuple(fft.next_fast_len(n + _MARGIN, real=True) for n in shape)
        low, high = np.log(max(q[0], 1e-12)), np.log(max(q[1], 1e-12))
        self.levels = np.exp(np.linspace(low, high, 2 + int(max(high - low, 0.0) / np.log(_STEP))))
        f = frequencies(self.padded, voxel)
        h = back_projected(f, voxel, style)
        sector = wedges(f, sectors)
        counted = np.full(h.shape[2], 2.0)  # of a real transform, but for its ends
        counted[0] = 1.0
        if self.padded[2] % 2 == 0:
            counted[-1] = 1.0
        volume = float(np.prod(voxel))
        size = float(np.prod(self.padded))
        self.variance = np.zeros((sectors, self.levels.size))
        self._alike = np.ones((sectors, self.levels.size - 1))
        self._filters: list[list[np.ndarray]] = []
        self._where = [np.nonzero(sector[..., 0] == s) for s in range(sectors)]
        for s, where in enumerate(self._where):
            part = h[where]
            filters = [amplitude(part, level, style.updates) for level in self.levels]
            powers = [float(((a * a) @ counted).sum()) for a in filters]
            for n, (a, b) in enumerate(pairwise(filters)):
                both = float(((a * b) @ counted).sum())
                self._alike[s, n] = both / np.sqrt(powers[n] * powers[n + 1])
            self.variance[s] = np.array(powers) / (size * volume)
            self._filters.append(
                [
                    (a * np.sqrt(size / p)).astype(np.float32)
                    for a, p in zip(filters, powers, strict=True)
                ]
            )

    def place(self, q: np.ndarray) -> np.ndarray:
        """Return where values of q lie among the levels, as a broken index, float32."""
        levels = np.log(self.levels)
        if levels.size < 2 or levels[-1] <= levels[0]:
            return np.zeros(q.shape, np.float32)
        at = (np.log(np.maximum(q, 1e-12)) - levels[0]) / (levels[1] - levels[0])
        return np.clip(at, 0.0, levels.size - 1.0).astype(np.float32)

    def variances(self, sector: int, place: np.ndarray) -> np.ndarray:
        """Return V integrated over the frequencies of a sector, at places of `place` [1/mm^2]."""
        logs = np.log(self.variance[sector])
        return np.exp(np.interp(place, np.arange(logs.size), logs)).astype(np.float32)

    def draw(
        self, sd: Sequence[np.ndarray], places: Sequence[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        """Return the sum over sectors of fields of unit variance times SDs.

        Args:
            sd: Of each sector, shape (X, Y, Z).
            places: Of each sector (`place`).
            rng: Source of the white noise.

        Returns:
            Shape (X, Y, Z), float32.
        """
        white = fft.rfftn(rng.standard_normal(self.padded, dtype=np.float32))
        out = np.zeros(self.shape, np.float32)
        cut = tuple(slice(0, n) for n in self.shape)
        for s, where in enumerate(self._where):
            low = np.floor(places[s])
            t = places[s] - low
            low = low.astype(np.int32)
            alike = np.append(self._alike[s], 1.0).astype(np.float32)[low]
            norm = sd[s] / np.sqrt(1.0 - 2.0 * t * (1.0 - t) * (1.0 - alike))
            for n in range(self.levels.size):
                share = np.where(low == n, 1.0 - t, np.where(low + 1 == n, t, np.float32(0.0)))
                if not share.any():
                    continue
                spectrum = np.zeros_like(white)
                spectrum[where] = white[where] * self._filters[s][n]
                field = fft.irfftn(spectrum, s=self.padded, overwrite_x=True)[cut]
                out += norm * share * field
        return out
