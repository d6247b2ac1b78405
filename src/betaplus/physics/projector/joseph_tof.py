"""Joseph's method for whole views at once: kernels with time of flight.

As `joseph`, with the bins that each sample of a line falls into. A bin's index grows from the first
detector of a line to the second. Samples, or bins, are taken several at a time, since moving sums
to and from memory costs more than adding to them.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from betaplus.physics.projector.joseph import (
    blend,
    course,
    deposit,
    inside,
    sample,
    scatter,
    squared_length,
)

__all__ = ["back_tof", "forward_tof"]

_FAST = {"contract", "nsz", "nnan"}


@numba.njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def bin_of(place: float, length: float, width: float, nodes: int) -> tuple[int, int]:
    """Return the bin around a place, -.5 to .5 of a length [mm], and the row of its weights."""
    at = place * length / width
    nearest = math.floor(at + 0.5)
    return nearest, int((at - nearest + 0.5) * (nodes - 1) + 0.5)


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def add_eight(out: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> None:
    """Add eight rows times their weights."""
    a, b, c, d = weights[0], weights[1], weights[2], weights[3]
    e, f, g, h = weights[4], weights[5], weights[6], weights[7]
    n = out.size
    r0, r1, r2, r3 = rows[0, :n], rows[1, :n], rows[2, :n], rows[3, :n]
    r4, r5, r6, r7 = rows[4, :n], rows[5, :n], rows[6, :n], rows[7, :n]
    for i in range(n):
        out[i] += ((a * r0[i] + b * r1[i]) + (c * r2[i] + d * r3[i])) + (
            (e * r4[i] + f * r5[i]) + (g * r6[i] + h * r7[i])
        )


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def mix_five(out: np.ndarray, rows: np.ndarray, weights: np.ndarray, add: bool) -> None:
    """Replace an array by five rows times their weights, or add these."""
    a, b, c, d, e = weights[0], weights[1], weights[2], weights[3], weights[4]
    n = out.size
    r0, r1, r2, r3, r4 = rows[0, :n], rows[1, :n], rows[2, :n], rows[3, :n], rows[4, :n]
    if add:
        for i in range(n):
            out[i] += (a * r0[i] + b * r1[i]) + (c * r2[i] + d * r3[i]) + e * r4[i]
    else:
        for i in range(n):
            out[i] = (a * r0[i] + b * r1[i]) + (c * r2[i] + d * r3[i]) + e * r4[i]


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def bin_range(
    places: np.ndarray, line: float, width: float, middle: int, reach: int, bins: int
) -> tuple[int, int]:
    """Return the bins (first, behind last) that samples at some places fall into."""
    low, high = bins, 0
    for place in places:
        nearest, _ = bin_of(place, line, width, 2)
        low = min(low, nearest + middle - reach)
        high = max(high, nearest + middle + reach + 1)
    return max(0, low), min(bins, high)


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def forward_tof(
    image: np.ndarray,
    ends: np.ndarray,
    views: np.ndarray,
    lines: np.ndarray,
    first: np.ndarray,
    planes: np.ndarray,
    low: np.ndarray,
    stride: np.ndarray,
    rise: np.ndarray,
    whole: np.ndarray,
    rise_mm: np.ndarray,
    voxel: np.ndarray,
    table: np.ndarray,
    width: float,
    out: np.ndarray,
) -> None:
    """Integrate along the lines of some views, by bin of time of flight.

    Arguments are those of `joseph.forward`, and:

    Args:
        image: Shape (X, Y, Z), float32.
        ends: Ends of lines.
        views: Which views.
        lines: Which bins are wanted.
        first: First plane by segment.
        planes: Planes.
        low: Height of the first [slices].
        stride: Slices between planes.
        rise: Slices that lines climb.
        whole: Whole slices between planes, or 0.
        rise_mm: Rise [mm].
        voxel: Edges of a voxel [mm].
        table: Weights of `TofKernel`.
        width: Of a bin [mm].
        out: Shape (len(views), radial, plane, TOF), float32.
    """
    nx, ny, nz = image.shape
    bins, nodes, around = out.shape[3], table.shape[0], table.shape[1]
    middle, reach = bins // 2, around // 2
    columns = np.zeros((max(nx, ny), nz + 3), dtype=np.float32)
    places = np.zeros(max(nx, ny))
    sums = np.zeros((bins, planes.max()), dtype=np.float32)
    samples = np.zeros((8, planes.max()), dtype=np.float32)
    nearest = np.zeros(8, dtype=np.int64)
    node = np.zeros(8, dtype=np.int64)
    weights = np.zeros(8, dtype=np.float32)
    for n in range(views.size):
        view = views[n]
        for r in range(ends.shape[1]):
            row = out[n, r]
            along_x, begin, end, slope, start, origin, run = course(ends[view, r], nx, ny)
            count = 0
            for i in range(begin, end):
                other = origin + slope * (i - start)
                if not lines[view, r] or other <= -1.0 or other >= (ny if along_x else nx):
                    continue
                j = math.floor(other)
                weight = np.float32(other - j)
                if along_x:
                    blend(image, i, j, 0, 1, weight, columns[count])
                else:
                    blend(image, j, i, 1, 0, weight, columns[count])
                places[count] = (i - start) / run - 0.5
                count += 1
            if count == 0:
                row[:] = np.float32(0.0)
                continue
            across = squared_length(ends[view, r], voxel)
            for s in range(first.size):
                size = planes[s]
                line = math.sqrt(across + rise_mm[s] ** 2)
                scale = np.float32(line / abs(run))
                from_bin, to_bin = bin_range(places[:count], line, width, middle, reach, bins)
                for b in range(from_bin, to_bin):
                    sums[b, :size] = np.float32(0.0)
                for begin in range(0, count, 8):
                    now = min(8, count - begin)
                    for m in range(now):
                        place = places[begin + m]
                        nearest[m], node[m] = bin_of(place, line, width, nodes)
                        height = low[s] + place * rise[s]
                        sample(
                            columns[begin + m], nz, height, stride[s], whole[s], size, samples[m]
                        )
                    a, d = bin_range(places[begin : begin + now], line, width, middle, reach, bins)
                    for b in range(a, d):
                        for m in range(8):
                            at = b - middle - nearest[m] + reach
                            there = m < now and 0 <= at < around
                            weights[m] = scale * table[node[m], at] if there else np.float32(0.0)
                        add_eight(sums[b, :size], samples, weights)
                for p in range(size):
                    result = row[first[s] + p]
                    result[:from_bin] = np.float32(0.0)
                    result[to_bin:] = np.float32(0.0)
                    for b in range(from_bin, to_bin):
                        result[b] = sums[b, p]


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def back_tof(
    sinogram: np.ndarray,
    ends: np.ndarray,
    views: np.ndarray,
    lines: np.ndarray,
    first: np.ndarray,
    planes: np.ndarray,
    low: np.ndarray,
    stride: np.ndarray,
    rise: np.ndarray,
    whole: np.ndarray,
    rise_mm: np.ndarray,
    voxel: np.ndarray,
    table: np.ndarray,
    width: float,
    x_from: int,
    x_to: int,
    out: np.ndarray,
) -> None:
    """Do the adjoint of `forward_tof` for a slab of x.

    Args:
        sinogram: Shape (len(views), radial, plane, TOF), float32.
        ends: As in `forward_tof`; so the next.
        views: Which views.
        lines: Which bins count.
        first: First plane by segment.
        planes: Planes.
        low: Height of the first [slices].
        stride: Slices between planes.
        rise: Slices that lines climb.
        whole: Whole slices between planes, or 0.
        rise_mm: Rise [mm].
        voxel: Edges of a voxel [mm].
        table: Weights of `TofKernel`.
        width: Of a bin [mm].
        x_from: First x of the slab.
        x_to: Behind its last.
        out: Image to add to, shape (X, Y, Z), float32.
    """
    nx, ny, nz = out.shape
    bins, nodes, around = sinogram.shape[3], table.shape[0], table.shape[1]
    middle, reach = bins // 2, around // 2
    columns = np.zeros((max(nx, ny), nz + 3), dtype=np.float32)
    places, others = np.zeros(max(nx, ny)), np.zeros(max(nx, ny))
    rows = np.zeros(max(nx, ny), dtype=np.int64)
    # behind the bins some that stay 0, since bins are read five at a time
    turned = np.zeros((bins + 5, planes.max()), dtype=np.float32)
    values = np.zeros(planes.max() + 2, dtype=np.float32)
    weights = np.zeros(5, dtype=np.float32)
    one = np.float32(1.0)
    for n in range(views.size):
        view = views[n]
        for r in range(ends.shape[1]):
            if not lines[view, r]:
                continue
            along_x, begin, end, slope, start, origin, run = course(ends[view, r], nx, ny)
            if along_x:
                begin, end = max(begin, x_from), min(end, x_to)
            else:
                begin, end = inside(begin, end, origin - slope * start, slope, x_from - 1, x_to)
            count = 0
            for i in range(begin, end):
                other = origin + slope * (i - start)
                if other <= -1.0 or other >= (ny if along_x else nx):
                    continue
                places[count], others[count], rows[count] = (i - start) / run - 0.5, other, i
                columns[count] = np.float32(0.0)
                count += 1
            if count == 0:
                continue
            across = squared_length(ends[view, r], voxel)
            for s in range(first.size):
                size = planes[s]
                line = math.sqrt(across + rise_mm[s] ** 2)
                scale = np.float32(line / abs(run))
                from_bin, to_bin = bin_range(places[:count], line, width, middle, reach, bins)
                for p in range(size):
                    part = sinogram[n, r, first[s] + p]
                    for b in range(from_bin, to_bin):
                        turned[b, p] = part[b]
                part = values[: size + 2]
                scaled = values[1 : size + 1]
                for m in range(count):
                    nearest, node = bin_of(places[m], line, width, nodes)
                    a, d = max(0, nearest + middle - reach), min(bins, nearest + middle + reach + 1)
                    if d <= a:
                        continue
                    for b in range(a, d, 5):
                        for q in range(5):
                            at = b + q - middle - nearest + reach
                            weights[q] = scale * table[node, at] if b + q < d else np.float32(0.0)
                        mix_five(scaled, turned[b:], weights, b > a)
                    part[size + 1] = np.float32(0.0)
                    height = low[s] + places[m] * rise[s]
                    scatter(part, nz, height, stride[s], whole[s], size, columns[m])
            for m in range(count):
                i, j = rows[m], math.floor(others[m])
                weight = np.float32(others[m] - j)
                if along_x:
                    deposit(columns[m], one - weight, i, j, x_from, x_to, out)
                    deposit(columns[m], weight, i, j + 1, x_from, x_to, out)
                else:
                    deposit(columns[m], one - weight, j, i, x_from, x_to, out)
                    deposit(columns[m], weight, j + 1, i, x_from, x_to, out)
