"""The projector of a scanner: from images to sinograms and back."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from betaplus.core.grid import ImageGrid
from betaplus.core.scanner import Scanner
from betaplus.physics.projector import joseph, joseph_tof
from betaplus.physics.projector.layout import make_layout
from betaplus.physics.projector.tof import make_tof_kernel
from betaplus.physics.threads import available_cores, each, ranges

__all__ = ["Projector"]

_SLABS = 4  # for each thread, so that all end at about the same time


class Projector:
    """Line integrals along all lines of a scanner, by Joseph's method.

    Lines run between the centres of crystals; those of a plane that collects several pairs of rings
    run with the mean ring difference of its segment, and are not counted several times: the number
    of pairs belongs to the sensitivity. Results do not depend on the number of threads.

    Args:
        scanner: The scanner.
        grid: The image grid; slices of half the ring pitch, or a whole fraction of that, are four
            times faster than others.
        views: Views to use, as a subset has them; all if None.
        lines: Which bins are wanted, shape (views of the scanner, radial); others are 0, such as
            those on gaps; all if None.
        threads: Threads; the cores available if None.
    """

    def __init__(
        self,
        scanner: Scanner,
        grid: ImageGrid,
        *,
        views: Sequence[int] | np.ndarray | None = None,
        lines: np.ndarray | None = None,
        threads: int | None = None,
    ) -> None:
        self.scanner, self.grid = scanner, grid
        self.views = (
            np.arange(scanner.views) if views is None else np.asarray(views, dtype=np.int64)
        )
        everything = np.ones((scanner.views, scanner.radial), dtype=bool)
        self.lines = everything if lines is None else np.ascontiguousarray(lines, dtype=bool)
        self.threads = available_cores() if threads is None else max(1, threads)
        self._layout = layout = make_layout(scanner, grid)
        self._geometry = (
            layout.first, layout.planes, layout.low, layout.stride, layout.rise, layout.whole,
            layout.rise_mm, layout.voxel,
        )  # fmt: skip
        if scanner.tof:
            kernel = make_tof_kernel(scanner)
            self._tof: tuple[object, ...] = (kernel.table, kernel.width)

    def subset(self, views: Sequence[int] | np.ndarray) -> Projector:
        """Return the same projector with fewer views."""
        return Projector(
            self.scanner, self.grid, views=views, lines=self.lines, threads=self.threads
        )

    def with_threads(self, threads: int) -> Projector:
        """Return the same projector with another number of threads."""
        other = copy.copy(self)
        other.threads = max(1, threads)
        return other

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Shape of an image, (X, Y, Z)."""
        return self.grid.shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Shape of a sinogram, (view, radial, plane) or (view, radial, plane, TOF)."""
        return (self.views.size, *self.scanner.shape[1:])

    def forward(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return the line integrals of an image (X, Y, Z), in its unit times mm.

        Args:
            x: The image.
            out: Where to put them, float32 and contiguous; with time of flight, getting fresh
                memory from the system takes as long as the computation.
        """
        image = _checked(x, self.in_shape)
        if out is None:
            out = np.empty(self.out_shape, dtype=np.float32)
        elif out.shape != self.out_shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise ValueError(f"out of shape {out.shape}, expected {self.out_shape}, float32")
        parts = [
            (image, self._layout.ends, self.views[a:b], self.lines, *self._geometry)
            for a, b in (r for r in ranges(self.views.size, _SLABS * self.threads))
        ]
        outs = [out[a:b] for a, b in ranges(self.views.size, _SLABS * self.threads)]
        if self.scanner.tof:
            calls = [(*p, *self._tof, o) for p, o in zip(parts, outs, strict=True)]
            each(joseph_tof.forward_tof, calls, self.threads)
        else:
            each(joseph.forward, [(*p, o) for p, o in zip(parts, outs, strict=True)], self.threads)
        return out

    def adjoint(self, y: np.ndarray) -> np.ndarray:
        """Return the back-projection (X, Y, Z) of a sinogram."""
        sinogram = _checked(y, self.out_shape)
        out = np.zeros(self.in_shape, dtype=np.float32)
        common = (sinogram, self._layout.ends, self.views, self.lines, *self._geometry)
        slabs = ranges(self.in_shape[0], 1 if self.threads == 1 else _SLABS * self.threads)
        if self.scanner.tof:
            calls = [(*common, *self._tof, a, b, out) for a, b in slabs]
            each(joseph_tof.back_tof, calls, self.threads)
        else:
            each(joseph.back, [(*common, a, b, out) for a, b in slabs], self.threads)
        return out


def _checked(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape != shape:
        raise ValueError(f"array of shape {array.shape}, expected {shape}")
    return np.ascontiguousarray(array, dtype=np.float32)
