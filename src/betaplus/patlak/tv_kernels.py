"""Kernels of `tv`: a primal and a dual step, and both functions, over some planes.

Arrays have a voxel of nothing on every side. Kernels release the GIL and own the planes that they
write. Units: K u holds the differences to the next voxel along each axis times `step`.

Args that they share:
    first, last: Planes of x to work on, without the last.
    rows: First voxel of the mask along z, and the one behind the last, shape (X, Y, 2).
    u: Shape (2, X, Y, Z).
    ahead: 2 x the new u before relaxation, less the old, likewise.
    q: Dual variables, shape (2, 3, X, Y, Z).
    mask: 1 in the mask, 0 elsewhere, shape (X, Y, Z).
    s2: s^2, likewise.
    h: Shape (2, X, Y, Z).
    normal: M, shape (2, 2, Z).
    step: Of the axes, shape (3,).
    sigma: Dual step times s^2.
    edge: What a unit of K u costs, shape (X, Y, Z).
    coupled: Whether one root holds both channels.
    rho: Relaxation.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["dual_step", "gap_sums", "primal_step"]

_ONE, _TWO, _ZERO = np.float32(1.0), np.float32(2.0), np.float32(0.0)
_TINY = np.float32(1e-30)


@numba.njit(nogil=True, cache=True, inline="always")
def _least(m00, m01, m11, b0, b1):
    """Return the x >= 0 with the least x'mx - 2b'x: the least of all, or the better face."""
    over = _ONE / (m00 * m11 - m01 * m01)
    x0 = (m11 * b0 - m01 * b1) * over
    x1 = (m00 * b1 - m01 * b0) * over
    up0, up1 = max(b0, _ZERO), max(b1, _ZERO)
    f0, f1 = up0 / m00, up1 / m11
    inner = (x0 >= _ZERO) & (x1 >= _ZERO)
    first = up0 * f0 >= up1 * f1
    a = x0 if inner else (f0 if first else _ZERO)
    b = x1 if inner else (_ZERO if first else f1)
    return a, b


@numba.njit(nogil=True, cache=True)
def primal_step(
    first, last, rows, u, ahead, q, mask, s2, h, normal, step, sigma, rho
):  # fmt: skip
    """Put the step of the data into u and `ahead`."""
    e0, e1, e2 = step[0], step[1], step[2]
    d0, d1, d2 = e0 * e0, e1 * e1, e2 * e2
    for x in range(first, last):
        for y in range(u.shape[2]):
            low, high = rows[x, y, 0], rows[x, y, 1]
            if high <= low:
                continue
            u0, u1, a0, a1 = u[0, x, y], u[1, x, y], ahead[0, x, y], ahead[1, x, y]
            h0, h1, s, sx, sy = h[0, x, y], h[1, x, y], s2[x, y], s2[x - 1, y], s2[x, y - 1]
            p0, p1, p2 = q[0, 0, x, y], q[0, 1, x, y], q[0, 2, x, y]
            r0, r1, r2 = q[1, 0, x, y], q[1, 1, x, y], q[1, 2, x, y]
            px, rx = q[0, 0, x - 1, y], q[1, 0, x - 1, y]
            py, ry = q[0, 1, x, y - 1], q[1, 1, x, y - 1]
            m = mask[x, y]
            for z in range(low, high):
                own = _ONE / s[z]
                curve = (
                    d0 * (own + _ONE / sx[z]) + d1 * (own + _ONE / sy[z])
                    + d2 * (own + _ONE / s[z - 1])
                )  # fmt: skip
                near = _TWO * sigma * curve * s[z]
                v0 = e0 * (p0[z] - px[z]) + e1 * (p1[z] - py[z]) + e2 * (p2[z] - p2[z - 1])
                v1 = e0 * (r0[z] - rx[z]) + e1 * (r1[z] - ry[z]) + e2 * (r2[z] - r2[z - 1])
                old0, old1 = u0[z], u1[z]
                new0, new1 = _least(
                    normal[0, 0, z] + near,
                    normal[0, 1, z],
                    normal[1, 1, z] + near,
                    h0[z] + near * old0 + s[z] * v0,
                    h1[z] + near * old1 + s[z] * v1,
                )
                more0, more1 = m[z] * (new0 - old0), m[z] * (new1 - old1)
                a0[z] = old0 + _TWO * more0
                a1[z] = old1 + _TWO * more1
                u0[z] = old0 + rho * more0
                u1[z] = old1 + rho * more1


@numba.njit(nogil=True, cache=True)
def dual_step(
    first, last, rows, ahead, q, mask, s2, edge, step, sigma, coupled, rho
):  # fmt: skip
    """Put the step of the variation into q."""
    e0, e1, e2 = step[0], step[1], step[2]
    for x in range(first, last):
        for y in range(mask.shape[1]):
            low, high = rows[x, y, 0], rows[x, y, 1]
            if high <= low:
                continue
            a0, a1, s = ahead[0, x, y], ahead[1, x, y], s2[x, y]
            x0, x1 = ahead[0, x + 1, y], ahead[1, x + 1, y]
            y0, y1 = ahead[0, x, y + 1], ahead[1, x, y + 1]
            p0, p1, p2 = q[0, 0, x, y], q[0, 1, x, y], q[0, 2, x, y]
            r0, r1, r2 = q[1, 0, x, y], q[1, 1, x, y], q[1, 2, x, y]
            m, mx, my, dear = mask[x, y], mask[x + 1, y], mask[x, y + 1], edge[x, y]
            for z in range(low, high):
                t = sigma / s[z]
                f0, f1, f2 = m[z] * mx[z] * e0, m[z] * my[z] * e1, m[z] * m[z + 1] * e2
                n0 = p0[z] + t * f0 * (x0[z] - a0[z])
                n1 = p1[z] + t * f1 * (y0[z] - a0[z])
                n2 = p2[z] + t * f2 * (a0[z + 1] - a0[z])
                n3 = r0[z] + t * f0 * (x1[z] - a1[z])
                n4 = r1[z] + t * f1 * (y1[z] - a1[z])
                n5 = r2[z] + t * f2 * (a1[z + 1] - a1[z])
                c0, c1 = n0 * n0 + n1 * n1 + n2 * n2, n3 * n3 + n4 * n4 + n5 * n5
                both = c0 + c1
                c0, c1 = (both, both) if coupled else (c0, c1)
                g0 = min(_ONE, dear[z] / max(math.sqrt(c0), _TINY))
                g1 = min(_ONE, dear[z] / max(math.sqrt(c1), _TINY))
                p0[z] += rho * (g0 * n0 - p0[z])
                p1[z] += rho * (g0 * n1 - p1[z])
                p2[z] += rho * (g0 * n2 - p2[z])
                r0[z] += rho * (g1 * n3 - r0[z])
                r1[z] += rho * (g1 * n4 - r1[z])
                r2[z] += rho * (g1 * n5 - r2[z])


@numba.njit(nogil=True, cache=True)
def gap_sums(
    first, last, rows, u, q, mask, s2, h, normal, edge, step, coupled, sums
):  # fmt: skip
    """Put the primal and the dual function of each plane into sums, shape (X, 2), float64.

    Both less that of the data at the weighted least squares; q lies in its balls, u is not below 0.
    """
    e0, e1, e2 = step[0], step[1], step[2]
    for x in range(first, last):
        primal, dual = 0.0, 0.0
        for y in range(mask.shape[1]):
            for z in range(rows[x, y, 0], rows[x, y, 1]):
                if mask[x, y, z] == _ZERO:
                    continue
                m00, m01, m11 = normal[0, 0, z], normal[0, 1, z], normal[1, 1, z]
                b0, b1, s = np.float64(h[0, x, y, z]), np.float64(h[1, x, y, z]), s2[x, y, z]
                over = 1.0 / (np.float64(m00) * m11 - np.float64(m01) * m01)
                w0, w1 = (m11 * b0 - m01 * b1) * over, (m00 * b1 - m01 * b0) * over
                c0, c1 = u[0, x, y, z] - w0, u[1, x, y, z] - w1
                primal += 0.5 / s * (m00 * c0 * c0 + 2.0 * m01 * c0 * c1 + m11 * c1 * c1)
                length = np.zeros(2)
                for i in range(2):
                    own = u[i, x, y, z]
                    g0 = e0 * mask[x + 1, y, z] * (u[i, x + 1, y, z] - own)
                    g1 = e1 * mask[x, y + 1, z] * (u[i, x, y + 1, z] - own)
                    g2 = e2 * mask[x, y, z + 1] * (u[i, x, y, z + 1] - own)
                    length[i] = g0 * g0 + g1 * g1 + g2 * g2
                dear = edge[x, y, z]
                if coupled:
                    primal += dear * math.sqrt(length[0] + length[1])
                else:
                    primal += dear * (math.sqrt(length[0]) + math.sqrt(length[1]))
                for i in range(2):
                    more = (
                        e0 * (q[i, 0, x, y, z] - q[i, 0, x - 1, y, z])
                        + e1 * (q[i, 1, x, y, z] - q[i, 1, x, y - 1, z])
                        + e2 * (q[i, 2, x, y, z] - q[i, 2, x, y, z - 1])
                    )
                    if i == 0:
                        b0 += s * more
                    else:
                        b1 += s * more
                v0, v1 = _least(m00, m01, m11, b0, b1)
                c0, c1 = v0 - w0, v1 - w1
                value = 0.5 / s * (m00 * c0 * c0 + 2.0 * m01 * c0 * c1 + m11 * c1 * c1)
                t0, t1 = (b0 - m00 * w0 - m01 * w1) / s, (b1 - m01 * w0 - m11 * w1) / s
                dual += value - t0 * v0 - t1 * v1
        sums[x, 0], sums[x, 1] = primal, dual
