"""What the data say of whole maps, against dense matrices."""

import math

import numpy as np
import pytest
import torch

from betaplus.patlak.data_term import DataTerm
from betaplus.patlak.problem import PatlakProblem
from betaplus.physics.image_noise import NoiseCorrelation

SHAPE = (5, 4, 6)
VOXEL = (4.0, 4.0, 3.0)
CORRELATION = NoiseCorrelation(sigma=(3.0, 2.0, 2.5), voxel=VOXEL)


def _problem(seed: int = 0) -> tuple[PatlakProblem, torch.Tensor]:
    """A scan of random statistics with an M of its own in every slice, and s^2."""
    rng = np.random.default_rng(seed)
    basis = np.stack([np.linspace(0.5, 1.0, 6), np.linspace(1.7, 1.0, 6)], 1)
    weights = rng.uniform(0.5, 1.5, (SHAPE[2], 6))
    normal = np.einsum("fi,zf,fj->ijz", basis, weights, basis)
    problem = PatlakProblem(
        h=torch.from_numpy(rng.normal(1.0, 0.5, (2, *SHAPE)).astype(np.float32)),
        normal=torch.from_numpy(normal),
        misfit=torch.ones(SHAPE),
        noise=torch.ones(SHAPE),
        freedom=torch.full((SHAPE[2],), 4),
        scale=torch.ones(2),
        voxel=VOXEL,
        mask=torch.ones(SHAPE, dtype=torch.bool),
    )
    return problem, torch.from_numpy(rng.uniform(0.1, 0.5, SHAPE).astype(np.float32))


def _dense(problem: PatlakProblem, variance: torch.Tensor, correlated: bool) -> np.ndarray:
    """Return A by its definition, from kernels that were summed frequency by frequency."""
    n = math.prod(SHAPE)
    c = np.eye(n)
    if correlated:
        padded = DataTerm(problem, variance, CORRELATION)._padded
        lines = []
        for m, s, v in zip(padded, CORRELATION.sigma, VOXEL, strict=True):
            line = np.exp(-((2 * np.pi * np.fft.fftfreq(m) * s / v) ** 2))
            lines.append(line / line.mean())
        spectrum = np.einsum("x,y,z->xyz", *lines)
        kernel = np.fft.ifftn(1.0 / np.maximum(spectrum, 1.0)).real
        at = np.stack(np.unravel_index(np.arange(n), SHAPE))
        apart = at[:, :, None] - at[:, None]
        c = kernel[tuple(apart)]
    q = (1.0 / variance.double().sqrt()).numpy().ravel()
    slices = np.unravel_index(np.arange(n), SHAPE)[2]
    root = np.linalg.cholesky(problem.normal.numpy().transpose(2, 0, 1))[slices]
    blocks = np.einsum("vik,vw,wjk->vwij", root, q[:, None] * c * q, root)
    return blocks.transpose(2, 0, 3, 1).reshape(2 * n, 2 * n)


@pytest.mark.parametrize("correlated", [False, True])
def test_the_solution_is_that_of_a_dense_solver(correlated: bool) -> None:
    problem, variance = _problem()
    rng = np.random.default_rng(1)
    z = rng.normal(1.0, 1.0, (2, *SHAPE)).astype(np.float32)
    r = rng.uniform(1.0, 5.0, SHAPE).astype(np.float32)
    term = DataTerm(problem, variance, CORRELATION if correlated else None)
    found = term.solve(
        torch.from_numpy(z), torch.from_numpy(r)[None], tolerance=1e-6, iterations=200
    )
    a = _dense(problem, variance, correlated)
    both = np.concatenate([r.ravel(), r.ravel()])
    fit = problem.least_squares().double().numpy().ravel()
    expected = np.linalg.solve(a + np.diag(both), a @ fit + both * z.ravel())
    np.testing.assert_allclose(found.numpy().ravel(), expected, atol=2e-4)


def test_noise_of_draws_has_the_covariance_of_the_whole_term() -> None:
    problem, variance = _problem()
    term = DataTerm(problem, variance, CORRELATION)
    generator = torch.Generator().manual_seed(0)
    r = torch.full((1, 1, 1, 1), 2.0)
    draws = torch.stack([
        term.draw_noise(*torch.randn((2, 2, *SHAPE), generator=generator), r).flatten()
        for _ in range(4000)
    ]).double().numpy()  # fmt: skip
    expected = _dense(problem, variance, True) + 2.0 * np.eye(draws.shape[1])
    # The root of C works on the padded volume, so that its square is C but for the padding's ends.
    off = np.abs(np.cov(draws.T) - expected).max() / np.abs(expected).max()
    assert off < 0.1


def test_low_frequencies_are_trusted_less_than_of_independent_voxels() -> None:
    problem, variance = _problem()
    flat = torch.ones(2, *SHAPE)
    one, other = (
        float((flat * (DataTerm(problem, variance, c)._apply(flat))).sum())
        for c in (None, CORRELATION)
    )
    assert other < 0.5 * one


def test_without_coupling_a_channel_has_its_own_variance() -> None:
    problem, variance = _problem()
    term = DataTerm(problem, variance, None, coupled=False)
    z = torch.zeros(2, *SHAPE)
    found = term.solve(z, torch.full((1, 1, 1, 1), 3.0)).numpy()
    alone = np.linalg.inv(problem.normal.numpy().transpose(2, 0, 1)).diagonal(axis1=1, axis2=2).T
    own = alone[:, None, None] * variance.numpy()
    fit = problem.least_squares().numpy()
    np.testing.assert_allclose(found, fit / (1.0 + 3.0 * own), rtol=1e-4, atol=1e-5)


def test_nothing_is_known_outside_the_body() -> None:
    problem, variance = _problem()
    variance[:2] = 0.0
    z = torch.full((2, *SHAPE), 7.0)
    found = DataTerm(problem, variance, None).solve(z, torch.ones((1, 1, 1, 1)))
    assert torch.equal(found[:, :2], z[:, :2])
