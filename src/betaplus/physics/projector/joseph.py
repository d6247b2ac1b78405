"""Joseph's method for whole views at once: kernels without time of flight.

A line is sampled where it crosses the rows of voxels along x or y, whichever it follows more
closely, by interpolation between the two voxels beside it, and likewise along z (Joseph, IEEE Trans
Med Imaging 1982, 1:192-196). All planes of a bin share the path across the bore: the two columns of
voxels beside it are interpolated once and serve all planes.

Kernels release the GIL. A call of `forward` owns its views, a call of `back` its slab of x, and
neither depends on what others do.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["back", "forward"]

_FAST = {"contract", "nsz", "nnan"}


@numba.njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def steps(start: float, end: float, n: int) -> tuple[int, int]:
    """Return the range of rows (first, behind last) that a line crosses between its ends."""
    low, high = (start, end) if start < end else (end, start)
    first, last = max(0, math.ceil(low)), min(n - 1, math.floor(high))
    return first, last + 1


@numba.njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def course(line: np.ndarray, nx: int, ny: int) -> tuple[bool, int, int, float, float, float, float]:
    """Return how a line x1, y1, x2, y2 [voxels] runs across an image.

    Returns:
        Whether it is sampled along x, the range of rows it crosses, and slope, start, origin and
        run, such that at row i it is at origin + slope * (i - start) on the other axis and has
        done (i - start) / run of its way.
    """
    x1, y1, x2, y2 = line[0], line[1], line[2], line[3]
    dx, dy = x2 - x1, y2 - y1
    if abs(dx) >= abs(dy):
        begin, end = steps(x1, x2, nx)
        return True, begin, end, dy / dx, x1, y1, dx
    begin, end = steps(y1, y2, ny)
    return False, begin, end, dx / dy, y1, x1, dy


@numba.njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def squared_length(line: np.ndarray, voxel: np.ndarray) -> float:
    """Return the squared length of a line across the bore [mm2]."""
    across = ((line[2] - line[0]) * voxel[0]) ** 2 + ((line[3] - line[1]) * voxel[1]) ** 2
    return float(across)


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def blend(
    image: np.ndarray, i: int, j: int, di: int, dj: int, weight: np.floating, column: np.ndarray
) -> None:
    """Interpolate between column (i, j) and its neighbour (i + di, j + dj), zero outside."""
    nx, ny, nz = image.shape
    zero, one = np.float32(0.0), np.float32(1.0)
    here = 0 <= i < nx and 0 <= j < ny
    there = 0 <= i + di < nx and 0 <= j + dj < ny
    middle = column[1 : nz + 1]
    if here and there:
        a, b = image[i, j], image[i + di, j + dj]
        rest = one - weight
        for k in range(nz):
            middle[k] = rest * a[k] + weight * b[k]
    elif here or there:
        a, factor = (image[i, j], one - weight) if here else (image[i + di, j + dj], weight)
        for k in range(nz):
            middle[k] = factor * a[k]
    else:
        middle[:] = zero


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def gather(
    column: np.ndarray, nz: int, low: float, stride: float, whole: int, n: int, out: np.ndarray
) -> None:
    """Add to n planes what a padded column holds at heights low + stride * plane."""
    one = np.float32(1.0)
    if whole > 0:
        floor = math.floor(low)
        f = np.float32(low - floor)
        g = one - f
        begin = max(0, -((floor + 1) // whole))
        end = min(n, (nz - 1 - floor) // whole + 1)
        if end <= begin:
            return
        at = floor + 1 + whole * begin
        result = out[begin:end]
        if whole == 1:
            lower, upper = column[at : at + end - begin], column[at + 1 : at + 1 + end - begin]
            for p in range(result.size):
                result[p] += g * lower[p] + f * upper[p]
        else:
            part = column[at:]
            for p in range(result.size):
                result[p] += g * part[whole * p] + f * part[whole * p + 1]
        return
    begin, end = reached(low, stride, n, nz)
    result = out[begin:end]
    low += stride * begin + 1.0
    for p in range(result.size):
        z = low + stride * p
        k = np.uint64(z)
        f = np.float32(z - k)
        result[p] += (one - f) * column[k] + f * column[k + np.uint64(1)]


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def sample(
    column: np.ndarray, nz: int, low: float, stride: float, whole: int, n: int, out: np.ndarray
) -> None:
    """Do what `gather` does, but replace what `out` holds."""
    if whole == 1:
        one, zero = np.float32(1.0), np.float32(0.0)
        floor = math.floor(low)
        f = np.float32(low - floor)
        g = one - f
        begin = min(n, max(0, -(floor + 1)))
        end = max(begin, min(n, nz - floor))
        out[:begin] = zero
        out[end:n] = zero
        at, result = floor + 1 + begin, out[begin:end]
        lower, upper = column[at : at + end - begin], column[at + 1 : at + 1 + end - begin]
        for p in range(result.size):
            result[p] = g * lower[p] + f * upper[p]
        return
    out[:n] = np.float32(0.0)
    gather(column, nz, low, stride, whole, n, out)


@numba.njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def reached(low: float, stride: float, n: int, nz: int) -> tuple[int, int]:
    """Return the range of planes whose height is above -1 and below nz."""
    begin = max(0, math.floor((-1.0 - low) / stride) + 1)
    end = min(n, math.ceil((nz - low) / stride))
    return begin, max(begin, end)


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def scatter(
    values: np.ndarray, nz: int, low: float, stride: float, whole: int, n: int, column: np.ndarray
) -> None:
    """Do the adjoint of `gather`: values[1 : n + 1], with a zero before and behind, to a column."""
    one = np.float32(1.0)
    if whole == 1:
        floor = math.floor(low)
        f = np.float32(low - floor)
        g = one - f
        begin, end = max(0, -floor), min(n, nz - 1 - floor) + 1
        if end <= begin:
            return
        result = column[floor + begin + 1 : floor + end + 1]
        here, before = values[begin + 1 : end + 1], values[begin:end]
        for q in range(result.size):
            result[q] += g * here[q] + f * before[q]
        return
    begin, end = reached(low, stride, n, nz)
    part = values[begin + 1 : end + 1]
    low += stride * begin + 1.0
    for p in range(part.size):
        z = low + stride * p
        k = np.uint64(z)
        f = np.float32(z - k)
        column[k] += (one - f) * part[p]
        column[k + np.uint64(1)] += f * part[p]


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def forward(
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
    out: np.ndarray,
) -> None:
    """Integrate along the lines of some views.

    Args:
        image: Shape (X, Y, Z), float32.
        ends: Ends of lines, shape (view, radial, 4) [voxels].
        views: Which views.
        lines: Which bins are wanted, shape (view, radial), bool; others are 0.
        first: First plane by segment; so the next, of `Layout`.
        planes: Planes.
        low: Height of the first [slices].
        stride: Slices between planes.
        rise: Slices that lines climb.
        whole: Whole slices between planes, or 0.
        rise_mm: Rise [mm].
        voxel: Edges of a voxel [mm].
        out: Integrals [image unit x mm], shape (len(views), radial, plane), float32.
    """
    nx, ny, nz = image.shape
    column = np.zeros(nz + 3, dtype=np.float32)
    for n in range(views.size):
        view = views[n]
        for r in range(ends.shape[1]):
            row = out[n, r]
            row[:] = np.float32(0.0)
            if not lines[view, r]:
                continue
            along_x, begin, end, slope, start, origin, run = course(ends[view, r], nx, ny)
            for i in range(begin, end):
                other = origin + slope * (i - start)
                if other <= -1.0 or other >= (ny if along_x else nx):
                    continue
                j = math.floor(other)
                weight = np.float32(other - j)
                if along_x:
                    blend(image, i, j, 0, 1, weight, column)
                else:
                    blend(image, j, i, 1, 0, weight, column)
                place = (i - start) / run - 0.5
                for s in range(first.size):
                    height = low[s] + place * rise[s]
                    part = row[first[s] : first[s] + planes[s]]
                    gather(column, nz, height, stride[s], whole[s], planes[s], part)
            across = squared_length(ends[view, r], voxel)
            for s in range(first.size):
                length = np.float32(math.sqrt(across + rise_mm[s] ** 2) / abs(run))
                part = row[first[s] : first[s] + planes[s]]
                for p in range(part.size):
                    part[p] *= length


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def back(
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
    x_from: int,
    x_to: int,
    out: np.ndarray,
) -> None:
    """Do the adjoint of `forward` for a slab of x.

    Args:
        sinogram: Shape (len(views), radial, plane), float32.
        ends: As in `forward`; so the next.
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
        x_from: First x of the slab.
        x_to: Behind its last.
        out: Image to add to, shape (X, Y, Z), float32.
    """
    nx, ny, nz = out.shape
    segments = first.size
    column = np.zeros(nz + 3, dtype=np.float32)
    values = np.zeros(planes.sum() + 2 * segments, dtype=np.float32)
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
            if end <= begin:
                continue
            across = squared_length(ends[view, r], voxel)
            for s in range(segments):
                length = np.float32(math.sqrt(across + rise_mm[s] ** 2) / abs(run))
                part = sinogram[n, r, first[s] : first[s] + planes[s]]
                scaled = values[first[s] + 2 * s + 1 : first[s] + planes[s] + 2 * s + 1]
                for p in range(part.size):
                    scaled[p] = length * part[p]
            for i in range(begin, end):
                other = origin + slope * (i - start)
                if other <= -1.0 or other >= (ny if along_x else nx):
                    continue
                j = math.floor(other)
                weight = np.float32(other - j)
                column[:] = np.float32(0.0)
                place = (i - start) / run - 0.5
                for s in range(segments):
                    height = low[s] + place * rise[s]
                    part = values[first[s] + 2 * s : first[s] + planes[s] + 2 * s + 2]
                    scatter(part, nz, height, stride[s], whole[s], planes[s], column)
                if along_x:
                    deposit(column, one - weight, i, j, x_from, x_to, out)
                    deposit(column, weight, i, j + 1, x_from, x_to, out)
                else:
                    deposit(column, one - weight, j, i, x_from, x_to, out)
                    deposit(column, weight, j + 1, i, x_from, x_to, out)


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def inside(
    begin: int, end: int, offset: float, slope: float, low: float, high: float
) -> tuple[int, int]:
    """Return the part of a range of i for which low < offset + slope * i < high, and a bit more."""
    if abs(slope) < 1e-9:
        return (begin, end) if low < offset < high else (0, 0)
    a, b = (low - offset) / slope, (high - offset) / slope
    if a > b:
        a, b = b, a
    a, b = max(a, begin - 1.0), min(b, end + 1.0)
    return max(begin, math.floor(a)), min(end, math.ceil(b) + 1)


@numba.njit(nogil=True, cache=True, fastmath=_FAST)
def deposit(
    column: np.ndarray, weight: np.floating, i: int, j: int, x_from: int, x_to: int, out: np.ndarray
) -> None:
    """Add a padded column times a weight to the image, where the slab has it."""
    if x_from <= i < x_to and 0 <= j < out.shape[1]:
        part = out[i, j]
        middle = column[1 : part.size + 1]
        for k in range(part.size):
            part[k] += weight * middle[k]
