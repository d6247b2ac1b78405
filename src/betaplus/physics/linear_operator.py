"""Linear operators with an adjoint, and what can be asked of any of them."""

from __future__ import annotations

from typing import Protocol

import numpy as np

__all__ = ["LinearOperator", "adjointness", "norm"]


class LinearOperator(Protocol):
    """A linear map from arrays of one shape to arrays of another, float32."""

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Shape of what it takes."""

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Shape of what it gives."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Apply it."""

    def adjoint(self, y: np.ndarray) -> np.ndarray:
        """Apply its adjoint."""


def adjointness(operator: LinearOperator, seed: int = 0) -> float:
    """Return how far an operator's adjoint is from being one.

    Args:
        operator: The operator.
        seed: Of the random x and y.

    Returns:
        |<A x, y> - <x, A^T y>| over the larger of |A x| |y| and |x| |A^T y|; for x and y above 0
        the two products are as large as they can be.
    """
    rng = np.random.default_rng(seed)
    x = rng.random(operator.in_shape, dtype=np.float32)
    y = rng.random(operator.out_shape, dtype=np.float32)
    ax, aty = operator.forward(x), operator.adjoint(y)
    left, right = _dot(ax, y), _dot(x, aty)
    size = max(_length(ax) * _length(y), _length(x) * _length(aty))
    return abs(left - right) / size if size > 0.0 else 0.0


def norm(operator: LinearOperator, iterations: int = 20, seed: int = 0) -> float:
    """Return the largest singular value of an operator, by power iteration."""
    x = np.random.default_rng(seed).random(operator.in_shape, dtype=np.float32)
    size = 0.0
    for _ in range(iterations):
        length = _length(x)
        if length == 0.0:
            return 0.0
        x = operator.adjoint(operator.forward((x / length).astype(np.float32)))
        size = _length(x)
    return float(np.sqrt(size))


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return float(sum(np.dot(p.ravel().astype(float), q.ravel()) for p, q in zip(a, b, strict=True)))


def _length(a: np.ndarray) -> float:
    return float(np.sqrt(_dot(a, a)))
