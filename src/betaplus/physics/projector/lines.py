"""Joseph's method for single lines of response, wherever they go: kernels for list mode.

Each line is sampled along the axis that it follows most closely, by interpolation between the four
voxels around it. Images are padded with a voxel of zeros, so that nothing is asked inside the loop.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

__all__ = ["back_lines", "forward_lines"]

_FAST = {"contract", "nsz", "nnan"}


@numba.njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def clip(begin: int, end: int, offset: float, slope: float, n: int) -> tuple[int, int]:
    """Return the part of a range of i for which 0 < offset + slope * i < n."""
    if slope == 0.0:
        return (begin, end) if 0.0 < offset < n else (0, 0)
    a, b = -offset / slope, (n - offset) / slope
    if a > b:
        a, b = b, a
    if a >= end or b <= begin:
        return 0, 0
    begin = max(begin, math.floor(a) + 1)
    return begin, max(begin, min(end, math.ceil(b)))


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def path(line: np.ndarray, shape: tuple[int, int, int], voxel: np.ndarray) -> tuple[Any, ...]:
    """Return how a line runs through a padded image.

    Args:
        line: x1, y1, z1, x2, y2, z2 [voxels of the image without padding].
        shape: Of the padded image.
        voxel: Edges of a voxel [mm].

    Returns:
        Main axis and the other two, range of samples along the first, offsets and slopes of the
        other two, length per sample [mm], the line's start and extent along the first, and its
        length [mm].
    """
    d0, d1, d2 = line[3] - line[0], line[4] - line[1], line[5] - line[2]
    axis, one, two = 0, 1, 2
    if abs(d1) > abs(d0) and abs(d1) >= abs(d2):
        axis, one, two = 1, 0, 2
    elif abs(d2) > abs(d0) and abs(d2) > abs(d1):
        axis, one, two = 2, 0, 1
    run = line[3 + axis] - line[axis]
    start = line[axis] + 1.0
    stop = start + run
    low, high = (start, stop) if start < stop else (stop, start)
    begin, end = max(1, math.ceil(low)), min(shape[axis] - 2, math.floor(high)) + 1
    slope_one = (line[3 + one] - line[one]) / run if run != 0.0 else 0.0
    slope_two = (line[3 + two] - line[two]) / run if run != 0.0 else 0.0
    from_one = line[one] + 1.0 - slope_one * start
    from_two = line[two] + 1.0 - slope_two * start
    begin, end = clip(begin, end, from_one, slope_one, shape[one] - 1)
    begin, end = clip(begin, end, from_two, slope_two, shape[two] - 1)
    length = math.sqrt((d0 * voxel[0]) ** 2 + (d1 * voxel[1]) ** 2 + (d2 * voxel[2]) ** 2)
    if run == 0.0:
        begin, end, run = 0, 0, 1.0
    return (
        axis, one, two, begin, end, from_one, slope_one, from_two, slope_two, length / abs(run),
        start, run, length,
    )  # fmt: skip


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def forward_lines(
    image: np.ndarray,
    lines: np.ndarray,
    voxel: np.ndarray,
    tof: np.ndarray,
    table: np.ndarray,
    width: float,
    out: np.ndarray,
) -> None:
    """Integrate along lines.

    Args:
        image: Padded by a voxel of zeros, shape (X + 2, Y + 2, Z + 2), float32.
        lines: Ends, shape (n, 6) [voxels of the image without padding].
        voxel: Edges of a voxel [mm].
        tof: Bin of time of flight of each line, 0 in the middle; not read where `table` is empty.
        table: Weights of `TofKernel`, or empty.
        width: Of a bin [mm].
        out: Integrals, shape (n,), float32.
    """
    values = image.ravel()
    strides = (image.shape[1] * image.shape[2], image.shape[2], 1)
    timed, nodes, around = table.size > 0, table.shape[0], table.shape[1]
    unit = np.float32(1.0)
    for n in range(lines.shape[0]):
        (axis, one, two, begin, end, b0, db, c0, dc, step, start, run, length) = path(
            lines[n], image.shape, voxel
        )
        main, second, third = strides[axis], strides[one], strides[two]
        total = np.float32(0.0)
        for i in range(begin, end):
            b, c = b0 + db * i, c0 + dc * i
            jb, jc = np.uint64(b), np.uint64(c)
            fb, fc = np.float32(b - jb), np.float32(c - jc)
            at = np.uint64(i * main) + jb * np.uint64(second) + jc * np.uint64(third)
            up, on = at + np.uint64(second), np.uint64(third)
            value = (unit - fb) * ((unit - fc) * values[at] + fc * values[at + on]) + fb * (
                (unit - fc) * values[up] + fc * values[up + on]
            )
            if timed:
                place = ((i - start) / run - 0.5) * length / width
                nearest = math.floor(place + 0.5)
                offset = tof[n] - nearest + around // 2
                if not 0 <= offset < around:
                    continue
                node = int((place - nearest + 0.5) * (nodes - 1) + 0.5)
                value *= table[node, offset]
            total += value
        out[n] = total * np.float32(step)


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def back_lines(
    weights: np.ndarray,
    lines: np.ndarray,
    voxel: np.ndarray,
    tof: np.ndarray,
    table: np.ndarray,
    width: float,
    image: np.ndarray,
) -> None:
    """Do the adjoint of `forward_lines`: add weights (n,) to a padded image."""
    values = image.ravel()
    strides = (image.shape[1] * image.shape[2], image.shape[2], 1)
    timed, nodes, around = table.size > 0, table.shape[0], table.shape[1]
    unit = np.float32(1.0)
    for n in range(lines.shape[0]):
        (axis, one, two, begin, end, b0, db, c0, dc, step, start, run, length) = path(
            lines[n], image.shape, voxel
        )
        main, second, third = strides[axis], strides[one], strides[two]
        weight = weights[n] * np.float32(step)
        for i in range(begin, end):
            value = weight
            if timed:
                place = ((i - start) / run - 0.5) * length / width
                nearest = math.floor(place + 0.5)
                offset = tof[n] - nearest + around // 2
                if not 0 <= offset < around:
                    continue
                node = int((place - nearest + 0.5) * (nodes - 1) + 0.5)
                value *= table[node, offset]
            b, c = b0 + db * i, c0 + dc * i
            jb, jc = np.uint64(b), np.uint64(c)
            fb, fc = np.float32(b - jb), np.float32(c - jc)
            at = np.uint64(i * main) + jb * np.uint64(second) + jc * np.uint64(third)
            up, on = at + np.uint64(second), np.uint64(third)
            values[at] += value * (unit - fb) * (unit - fc)
            values[at + on] += value * (unit - fb) * fc
            values[up] += value * fb * (unit - fc)
            values[up + on] += value * fb * fc
