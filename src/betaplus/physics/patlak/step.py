r"""What the data make of maps that something else suggests: the data step of splitting methods.

With z a suggestion of precision R = diag(r1, r2) and s^2 the variance of a frame of weight 1,

.. math:: u = \arg\min \tfrac{1}{2 s^2} (u'Mu - 2 h'u) + \tfrac12 (u - z)'R(u - z)
            = (M/s^2 + R)^{-1} (h/s^2 + R z) .

Two unknowns a voxel: closed form, and with u >= 0 the better of the two faces wherever the minimum
has a negative part (the objective is strictly convex, so that one of them holds the answer).
Elementwise, in float64 inside: M is nearly singular where frames are late, and a voxel has the same
bits in any block.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["data_step"]

_VOXELS = 1 << 21  # at a time: bounds the float64 copies


def data_step(
    h: Tensor,
    normal: Tensor,
    precision: Tensor | float,
    z: Tensor,
    r: Tensor | Sequence[float],
    nonnegative: bool = False,
) -> Tensor:
    """Return (M/s^2 + R)^-1 (h/s^2 + R z), or the minimum among maps that are not below 0.

    Args:
        h: B'Wy, shape (2, X, Y, Z).
        normal: M = B'WB of every slice, shape (2, 2, Z).
        precision: 1/s^2, shape (X, Y, Z) or a number; 0 where there are no data.
        z: What is suggested, shape (2, X, Y, Z) or (K, 2, X, Y, Z).
        r: Precisions r1 and r2 of z, shape (2,); above 0, or 0 where `precision` is above 0.
        nonnegative: Whether u must not be below 0.

    Returns:
        Shape and dtype of `z`.
    """
    m11, m12, m22 = (normal[i, j].double() for i, j in ((0, 0), (0, 1), (1, 1)))
    determinant = m11 * m22 - m12 * m12
    r1, r2 = (float(value) for value in r)
    out = torch.empty_like(z)
    rows = max(1, _VOXELS // max(1, h[0, 0].numel()))
    for low in range(0, h.shape[1], rows):
        part = slice(low, low + rows)
        p = precision[part].double() if isinstance(precision, Tensor) and precision.ndim else None
        weight = float(precision) if p is None else p
        a11, a12, a22 = weight * m11 + r1, weight * m12, weight * m22 + r2
        # det(pM + R) without differences of products
        det = weight * (weight * determinant + m11 * r2 + m22 * r1) + r1 * r2
        h1, h2 = (weight * h[i, part].double() for i in (0, 1))
        for old, new in zip(_copies(z), _copies(out), strict=True):
            g1, g2 = h1 + r1 * old[0, part].double(), h2 + r2 * old[1, part].double()
            u1, u2 = (a22 * g1 - a12 * g2) / det, (a11 * g2 - a12 * g1) / det
            if nonnegative:
                u1, u2 = _faces(u1, u2, g1, g2, a11, a22)
            new[0, part], new[1, part] = u1.to(z.dtype), u2.to(z.dtype)
    return out


def _copies(z: Tensor) -> list[Tensor]:
    return list(z) if z.ndim == 5 else [z]


def _faces(
    u1: Tensor, u2: Tensor, g1: Tensor, g2: Tensor, a11: Tensor, a22: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the non-negative minimum; on a face it lowers the objective by g^2 / (2 a)."""
    along1, along2 = g1.clamp(min=0.0) / a11, g2.clamp(min=0.0) / a22
    first = along1 * g1 > along2 * g2
    outside = (u1 < 0) | (u2 < 0)
    on1 = torch.where(first, along1, 0.0)
    on2 = torch.where(first, 0.0, along2)
    return torch.where(outside, on1, u1), torch.where(outside, on2, u2)
