"""The projector of single lines of response: list mode, or scanners of any shape."""

from __future__ import annotations

import numpy as np

from betaplus.core.grid import ImageGrid
from betaplus.physics.projector.lines import back_lines, forward_lines
from betaplus.physics.projector.tof import TofKernel
from betaplus.physics.threads import available_cores, each, ranges

__all__ = ["LineProjector"]

_PARTS = 16  # images that are added up in the adjoint, whatever the number of threads
_MOST_BYTES = 1 << 30  # that they may take


class LineProjector:
    """Line integrals along given lines, by Joseph's method.

    Args:
        ends: Ends of the lines, x1, y1, z1, x2, y2, z2, shape (n, 6) [mm].
        grid: The image grid.
        bins: Bin of time of flight of each line, shape (n,), 0 in the middle; with `kernel`.
        kernel: Weights of bins; no time of flight if None.
        threads: Threads; the cores available if None. Results do not depend on it.
    """

    def __init__(
        self,
        ends: np.ndarray,
        grid: ImageGrid,
        *,
        bins: np.ndarray | None = None,
        kernel: TofKernel | None = None,
        threads: int | None = None,
    ) -> None:
        if ends.ndim != 2 or ends.shape[1] != 6:
            raise ValueError(f"ends of shape {ends.shape}, expected (n, 6)")
        if (bins is None) != (kernel is None):
            raise ValueError("bins and kernel of time of flight go together")
        self.grid = grid
        voxel, first = np.asarray(grid.voxel_size), np.asarray(grid.first)
        self._voxel = voxel
        self._lines = (np.asarray(ends, dtype=np.float64) - np.tile(first, 2)) / np.tile(voxel, 2)
        self._bins = np.zeros(len(ends), np.int64) if bins is None else bins.astype(np.int64)
        self._table = np.zeros((0, 0), np.float32) if kernel is None else kernel.table
        self._width = 1.0 if kernel is None else kernel.width
        self.threads = available_cores() if threads is None else max(1, threads)

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Shape of an image, (X, Y, Z)."""
        return self.grid.shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Shape of the integrals, (n,)."""
        return (len(self._lines),)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return the integrals (n,) of an image (X, Y, Z), in its unit times mm."""
        if x.shape != self.in_shape:
            raise ValueError(f"image of shape {x.shape}, expected {self.in_shape}")
        image = np.pad(np.asarray(x, dtype=np.float32), 1)
        out = np.empty(self.out_shape, dtype=np.float32)
        calls = [
            (image, self._lines[a:b], self._voxel, self._bins[a:b], self._table, self._width,
             out[a:b])
            for a, b in ranges(len(out), 4 * self.threads)
        ]  # fmt: skip
        each(forward_lines, calls, self.threads)
        return out

    def adjoint(self, y: np.ndarray) -> np.ndarray:
        """Return the back-projection (X, Y, Z) of values (n,) on the lines."""
        if y.shape != self.out_shape:
            raise ValueError(f"values of shape {y.shape}, expected {self.out_shape}")
        values = np.ascontiguousarray(y, dtype=np.float32)
        padded = tuple(n + 2 for n in self.in_shape)
        parts = max(1, min(_PARTS, _MOST_BYTES // (4 * int(np.prod(padded)))))
        images = np.zeros((parts, *padded), dtype=np.float32)
        calls = [
            (values[a:b], self._lines[a:b], self._voxel, self._bins[a:b], self._table, self._width,
             image)
            for (a, b), image in zip(ranges(len(values), parts), images, strict=False)
        ]  # fmt: skip
        each(back_lines, calls, self.threads)
        return images[:, 1:-1, 1:-1, 1:-1].sum(0, dtype=np.float32)
