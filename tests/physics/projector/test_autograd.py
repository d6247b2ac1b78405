"""Gradients through the projector against finite differences and the adjoint itself."""

from __future__ import annotations

import numpy as np
import torch
from tests.physics.projector.cases import GRIDS, SMALL

from betaplus.physics.projector.autograd import apply_operator
from betaplus.physics.projector.projector import Projector

PROJECTOR = Projector(SMALL, GRIDS["natural"], views=[1, 8, 20])


def image(seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.random(PROJECTOR.in_shape, dtype=np.float32))


def test_the_gradient_of_a_likelihood() -> None:
    x = image(0).requires_grad_(True)
    counts = torch.from_numpy(
        np.random.default_rng(1).poisson(20.0, PROJECTOR.out_shape).astype(np.float32)
    )

    def value(x: torch.Tensor) -> torch.Tensor:
        mean = apply_operator(PROJECTOR, x) + 1.0
        return (counts * mean.log() - mean).double().sum()

    value(x).backward()
    direction = image(2) - 0.5
    step = 1e-3
    with torch.no_grad():
        slope = (value(x + step * direction) - value(x - step * direction)) / (2 * step)
    assert torch.isclose((x.grad * direction).double().sum(), slope, rtol=2e-3)


def test_the_gradient_is_the_adjoint() -> None:
    x = image(3).requires_grad_(True)
    y = torch.rand(PROJECTOR.out_shape)
    (apply_operator(PROJECTOR, x) * y).sum().backward()
    assert np.array_equal(x.grad.numpy(), PROJECTOR.adjoint(y.numpy()))
    z = torch.rand(PROJECTOR.out_shape, requires_grad=True)
    (apply_operator(PROJECTOR, z, adjoint=True) * x.detach()).sum().backward()
    assert np.array_equal(z.grad.numpy(), PROJECTOR.forward(x.detach().numpy()))


def test_it_can_be_differentiated_twice() -> None:
    x = image(4).requires_grad_(True)
    y = apply_operator(PROJECTOR, x)
    (gradient,) = torch.autograd.grad(0.5 * (y * y).sum(), x, create_graph=True)
    direction = image(5)
    (second,) = torch.autograd.grad((gradient * direction).sum(), x)
    expected = PROJECTOR.adjoint(PROJECTOR.forward(direction.numpy()))
    assert np.allclose(second.numpy(), expected, rtol=1e-4)
