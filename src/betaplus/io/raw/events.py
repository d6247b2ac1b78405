"""Coincidences one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.scanner import Scanner

__all__ = ["Events"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Events:
    """Events of a list file.

    Attributes:
        scanner: Whose lines these are.
        ring_pairs: Rings of the first and second detector of each plane of the file, shape
            (planes, 2).
        address: Bin radial + radials * (view + views * plane), shape (n,), int32.
        prompt: Whether it is a prompt; else it is a delayed one, shape (n,).
        time: [ms after the start of the scan], shape (n,), int32.
    """

    scanner: Scanner
    ring_pairs: np.ndarray
    address: np.ndarray
    prompt: np.ndarray
    time: np.ndarray

    @classmethod
    def join(cls, scanner: Scanner, ring_pairs: np.ndarray, parts: list[Events]) -> Events:
        """Return the events of all parts, one after another."""
        return cls(
            scanner=scanner,
            ring_pairs=ring_pairs,
            address=np.concatenate([np.empty(0, np.int32), *(p.address for p in parts)]),
            prompt=np.concatenate([np.empty(0, np.bool_), *(p.prompt for p in parts)]),
            time=np.concatenate([np.empty(0, np.int32), *(p.time for p in parts)]),
        )

    def __len__(self) -> int:
        return self.address.size

    @property
    def radial(self) -> np.ndarray:
        """Radial bin, shape (n,)."""
        return self.address % self.scanner.radial

    @property
    def view(self) -> np.ndarray:
        """View, shape (n,)."""
        return self.address // self.scanner.radial % self.scanner.views

    @property
    def rings(self) -> np.ndarray:
        """Rings of the first and the second detector, shape (n, 2)."""
        return self.ring_pairs[self.address // (self.scanner.radial * self.scanner.views)]

    @property
    def detectors(self) -> np.ndarray:
        """First and second detector in their rings, shape (n, 2)."""
        return self.scanner.pairs[self.view, self.radial]

    @property
    def on_gap(self) -> np.ndarray:
        """Whether a crystal is missing there, shape (n,)."""
        return ~self.scanner.live[self.view, self.radial]

    @property
    def bins(self) -> np.ndarray:
        """Index into a flat sinogram of shape `scanner.shape`, shape (n,), int64."""
        plane_of_pair = self.scanner.michelogram.plane_of_pair
        planes = plane_of_pair[self.ring_pairs[:, 0], self.ring_pairs[:, 1]]
        inside = self.scanner.radial * self.scanner.views
        line = self.view.astype(np.int64) * self.scanner.radial + self.radial
        return line * self.scanner.planes + planes[self.address // inside]
