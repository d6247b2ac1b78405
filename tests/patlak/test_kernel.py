"""The kernel method against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.patlak import toy

from betaplus.core.crew import ThreadCrew
from betaplus.core.errors import UsageError
from betaplus.patlak.kernel import Kernel
from betaplus.patlak.kernel_rows import KernelMatrix
from betaplus.patlak.linear import Wls


@pytest.fixture(scope="module")
def noisy() -> toy.Toy:
    return toy.make(32, 0.18)


def _matrix(k: int, *, threads: int = 1) -> tuple[KernelMatrix, np.ndarray]:
    """A small K, and the same dense from its definition, over the voxels of the mask."""
    rng = np.random.default_rng(1)
    shape, strength = (11, 5, 4), 1.3
    g = rng.normal(size=(2, *shape)).astype(np.float32)
    v = rng.uniform(0.5, 2.0, shape).astype(np.float32)
    mask = rng.random(shape) < 0.8
    at = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"), -1).reshape(-1, 3)
    shifts = np.concatenate([np.zeros((1, 3), int), at[np.abs(at).sum(1) > 0]])
    places = np.argwhere(mask)
    one, var = g[:, mask], v[mask]
    far = ((one[:, :, None] - one[:, None]) ** 2).sum(0) / 2 / (var[:, None] + var)
    near = np.abs(places[:, None] - places).max(-1) <= 1
    far[~near] = np.inf
    np.fill_diagonal(far, 0.0)
    weights = np.exp(-far / strength**2)
    weights[far > np.sort(far, 1)[:, k - 1 : k]] = 0.0
    weights /= weights.sum(1, keepdims=True)
    matrix = KernelMatrix(features=g, variance=v, mask=mask, shifts=shifts, neighbours=k,
                          strength=strength, crew=ThreadCrew(threads))  # fmt: skip
    return matrix, weights


@pytest.mark.parametrize("k", [1, 6, 27])
def test_products_are_those_with_a_dense_matrix(k: int) -> None:
    matrix, dense = _matrix(k, threads=2)
    x = torch.randn((2, *matrix.mask.shape), generator=torch.Generator().manual_seed(0))
    x = x * torch.from_numpy(matrix.mask)
    inside = x.numpy()[:, matrix.mask]
    forward, adjoint = matrix.forward(x).numpy(), matrix.adjoint(x).numpy()
    np.testing.assert_allclose(forward[:, matrix.mask], inside @ dense.T, atol=1e-5)
    np.testing.assert_allclose(adjoint[:, matrix.mask], inside @ dense, atol=1e-5)
    assert not forward[:, ~matrix.mask].any() and not adjoint[:, ~matrix.mask].any()


def test_one_neighbour_is_least_squares(noisy: toy.Toy) -> None:
    u = Kernel(Kernel.Settings(neighbours=1)).fit(noisy.problem).u
    np.testing.assert_allclose(u.numpy(), Wls().fit(noisy.problem).u.numpy(), atol=2e-3)


def test_more_iterations_come_nearer_to_least_squares(noisy: toy.Toy) -> None:
    plain = Wls().fit(noisy.problem).u
    away = [
        float((Kernel(Kernel.Settings(iterations=n)).fit(noisy.problem).u - plain).norm())
        for n in (1, 3, 9)
    ]
    assert away[0] > away[1] > away[2]


def test_noise_falls_and_lesions_stay(noisy: toy.Toy) -> None:
    maps = Kernel().fit(noisy.problem)
    assert toy.ki_error(noisy, maps.u) < 0.65 * toy.ki_error(noisy, Wls().fit(noisy.problem).u)
    assert toy.lesion_recovery(noisy, maps.u) > 0.75
    assert maps.found["neighbours"] <= 200.0


def test_results_scale_with_the_frames() -> None:
    one, ten = (Kernel().fit(toy.make(24, gain=k).problem).u for k in (1.0, 10.0))
    np.testing.assert_allclose(ten.numpy() / 10.0, one.numpy(), atol=2e-3)


def test_threads_change_nothing(noisy: toy.Toy) -> None:
    one, two = (Kernel().fit(noisy.problem, threads=n).u for n in (1, 2))
    assert torch.equal(one, two)


def test_settings_are_checked() -> None:
    with pytest.raises(UsageError, match="neighbours is 0"):
        Kernel.Settings(neighbours=0)
    with pytest.raises(UsageError, match=r"iterations is 2\.5"):
        Kernel.Settings(iterations=2.5)  # type: ignore[arg-type]
