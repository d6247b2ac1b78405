"""The LU 1x1 convolution against dense linear algebra."""

from __future__ import annotations

import pytest
import torch
from tests.generative.invertible.stirred import round_trip, stirred

from betaplus.generative.invertible.lu import LUConvolution


@pytest.mark.parametrize("shape", [(3, 5, 4, 7), (2, 5, 3, 4, 5)])
def test_it_is_its_matrix_in_every_voxel_and_solve_undoes_it(shape):
    torch.manual_seed(1)
    mixing = stirred(LUConvolution(5).double(), 0.2)
    x = torch.randn(shape, dtype=torch.float64)
    y, log_det = mixing(x)
    torch.testing.assert_close(y, torch.einsum("ij,bj...->bi...", mixing.matrix(), x))
    voxels = x[0, 0].numel()
    expected = voxels * torch.linalg.slogdet(mixing.matrix())[1]
    torch.testing.assert_close(log_det, expected.expand(shape[0]))
    assert round_trip(x, mixing.inverse(y)) < 1e-12


def test_it_starts_as_a_rotation_or_as_nothing():
    torch.manual_seed(2)
    matrix = LUConvolution(7).double().matrix()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(7).double(), atol=1e-6, rtol=0)
    assert not torch.allclose(matrix, torch.eye(7).double())
    x = torch.randn(1, 7, 3, 3)
    y, log_det = LUConvolution(7, "identity")(x)
    assert torch.equal(y, x) and torch.equal(log_det, torch.zeros(1))


def test_it_stays_in_float32_under_autocast():
    torch.manual_seed(3)
    mixing, x = LUConvolution(6), torch.randn(2, 6, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        y, _ = mixing(x)
        assert y.dtype == torch.float32
        assert round_trip(x, mixing.inverse(y)) < 2e-6


def test_no_gradient_reaches_outside_the_factors():
    mixing = LUConvolution(4)
    y, log_det = mixing(torch.randn(2, 4, 3, 3))
    (y.square().sum() + log_det.sum()).backward()
    assert torch.count_nonzero(mixing.lower.grad.triu()) == 0
    assert torch.count_nonzero(mixing.upper.grad.tril()) == 0
    assert torch.count_nonzero(mixing.log_diagonal.grad) == 4
