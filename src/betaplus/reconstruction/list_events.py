"""Events of a list with the model of their lines, compact: two crystals and two factors each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.raw import Sinogram
from betaplus.core.scanner import Scanner

__all__ = ["ListEvents", "events_of_bins"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ListEvents:
    """Events one by one.

    Attributes:
        scanner: Whose crystals these are.
        detectors: First and second crystal in their rings, shape (n, 2), integers.
        rings: Their rings, shape (n, 2), integers.
        multiplicative: Attenuation times efficiency of the line between the two, without the number
            of ring pairs that a sinogram would add up, shape (n,), float32.
        additive: Mean of randoms and scatter on it [counts], in the event's bin of time of flight
            where there is any, shape (n,), float32.
        tof: Bin of time of flight as in a sinogram, shape (n,), integers; None without.
    """

    scanner: Scanner
    detectors: np.ndarray
    rings: np.ndarray
    multiplicative: np.ndarray
    additive: np.ndarray
    tof: np.ndarray | None = None

    def __post_init__(self) -> None:
        n, scanner = len(self.detectors), self.scanner
        if (self.tof is None) == scanner.tof:
            raise InputError(
                f"events with{'out' if self.tof is None else ''} bins of time of flight",
                f"expected {scanner.tof_bins} as {scanner.name} has (1 is none)",
            )
        for name, shape, top in (
            ("detectors", (n, 2), scanner.detectors),
            ("rings", (n, 2), scanner.rings),
            ("tof", (n,), scanner.tof_bins),
        ):
            array = getattr(self, name)
            if array is None:
                continue
            _expect(name, array, shape)
            if n and not 0 <= array.min() <= array.max() < top:
                raise InputError(
                    f"{name} from {array.min()} to {array.max()}", f"expected 0 to {top - 1}"
                )
        for name in ("multiplicative", "additive"):
            array = getattr(self, name)
            _expect(name, array, (n,))
            if n and not (array.min() >= 0.0 and np.isfinite(array.max())):
                raise InputError(f"{name} of events below 0 or no number", "expected 0 or more")

    def __len__(self) -> int:
        return len(self.detectors)

    def __getitem__(self, which: slice | np.ndarray) -> ListEvents:
        """Return some of the events, by a slice, a mask or indices."""
        return ListEvents(
            scanner=self.scanner,
            detectors=self.detectors[which],
            rings=self.rings[which],
            multiplicative=self.multiplicative[which],
            additive=self.additive[which],
            tof=None if self.tof is None else self.tof[which],
        )

    def sensitive(self) -> ListEvents:
        """Return the events on lines with a factor above 0."""
        return self[self.multiplicative > 0.0]

    @property
    def ends(self) -> np.ndarray:
        """Where the crystals are, x1, y1, z1, x2, y2, z2, shape (n, 6), float64 [mm]."""
        out = np.empty((len(self), 6))
        for end in (0, 1):
            out[:, 3 * end : 3 * end + 2] = self.scanner.detector_xy[self.detectors[:, end]]
            out[:, 3 * end + 2] = self.scanner.ring_z[self.rings[:, end]]
        return out

    @property
    def tof_offset(self) -> np.ndarray:
        """Bins of time of flight from the middle to the second end, shape (n,), int64."""
        bins = np.zeros(len(self), np.int64) if self.tof is None else self.tof.astype(np.int64)
        return bins - self.scanner.tof_bins // 2


def events_of_bins(
    model: Sinogram,
    view: np.ndarray,
    radial: np.ndarray,
    rings: np.ndarray,
    tof: np.ndarray | None = None,
) -> ListEvents:
    """Return events with factors and additive means as a sinogram of any span has them.

    A bin's values are shared evenly among its ring pairs.

    Args:
        model: Where factors and additive means are from; its prompts are not read.
        view: View of each event, shape (n,).
        radial: Radial bin, shape (n,).
        rings: Rings of the first and second crystal, shape (n, 2).
        tof: Bin of time of flight, shape (n,), or None.

    Raises:
        InputError: If ring pairs are not among those of the sinogram.
    """
    scanner = model.scanner
    plane = scanner.michelogram.plane_of_pair[rings[:, 0], rings[:, 1]]
    astray = int(np.count_nonzero(plane < 0))
    if astray:
        raise InputError(
            f"{astray} events between rings more than"
            f" {scanner.michelogram.max_ring_difference} apart",
            f"expected none as the sinogram of {scanner.name} has none",
        )
    pairs = scanner.michelogram.multiplicity[plane].astype(np.float32)
    at = (view, radial, plane) if tof is None else (view, radial, plane, tof)
    return ListEvents(
        scanner=scanner,
        detectors=scanner.pairs[view, radial].astype(np.int16),
        rings=rings.astype(np.int16),
        multiplicative=model.multiplicative[view, radial, plane] / pairs,
        additive=model.additive[at] / pairs,
        tof=None if tof is None else tof.astype(np.int16),
    )


def _expect(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise InputError(f"{name} of shape {array.shape}", f"expected {shape}")
