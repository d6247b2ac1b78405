"""The network as a density: the linear Gaussian posterior at first, always a density."""

from __future__ import annotations

import pytest
import torch
from tests.generative.invertible.stirred import stirred

from betaplus.separation.network import SeparationNetwork, SeparationSize
from betaplus.separation.network_latent import LatentPosterior, color, latent_loss, whiten

K = 3


def _posterior(stir: float = 0.0, shape=(4, 5), seed: int = 0) -> LatentPosterior:
    torch.manual_seed(seed)
    size = SeparationSize(
        first=1, second=2, condition=2, context=1, couplings=2, widths=(4, 8), embedding=8
    )
    network = SeparationNetwork(size)
    if stir:
        stirred(network, stir)
    square = torch.randn(1, *shape, K, K).double()
    covariance = square @ square.mT + 0.5 * torch.eye(K).double()
    return LatentPosterior(
        network=network,
        mean=torch.randn(1, K, *shape).double(),
        factor=torch.linalg.cholesky(covariance).movedim((-2, -1), (1, 2)),
        condition=torch.randn(1, 2, *shape).double(),
        context=torch.randn(1, 1).double(),
    )


@torch.no_grad()
def test_untrained_it_is_the_linear_gaussian_posterior():
    posterior = _posterior()
    c = torch.randn(1, K, 4, 5).double()
    factor = posterior.factor.movedim((1, 2), (-2, -1))
    normal = torch.distributions.MultivariateNormal(
        posterior.mean.movedim(1, -1), scale_tril=factor
    )
    expected = normal.log_prob(c.movedim(1, -1)).sum((1, 2))
    torch.testing.assert_close(posterior.log_density(c), expected)
    torch.testing.assert_close(latent_loss(posterior, c), -expected[0] / c.numel())


@torch.no_grad()
def test_whitening_is_a_solve_and_comes_back():
    posterior = _posterior()
    x = torch.randn(2, K, 4, 5).double()
    white, log_det = whiten(x, posterior.factor)
    factor = posterior.factor.movedim((1, 2), (-2, -1))
    solved = torch.linalg.solve(factor, x.movedim(1, -1)[..., None])[..., 0].movedim(-1, 1)
    torch.testing.assert_close(white, solved)
    torch.testing.assert_close(color(white, posterior.factor), x)
    expected = -torch.linalg.slogdet(factor)[1].sum()
    torch.testing.assert_close(log_det, expected.expand(2))
    one = posterior.factor[:, :, :, :1, :1]
    torch.testing.assert_close(whiten(x, one)[1], 20 * whiten(x[:, :, :1, :1], one)[1])


@torch.no_grad()
def test_a_stirred_one_is_still_a_density():
    # By importance sampling from the linear posterior: the mean of p / q is 1.
    posterior, linear = _posterior(0.5, (1, 1)), _posterior(0.0, (1, 1))
    n = 8_000
    torch.manual_seed(2)
    wide = LatentPosterior(
        network=linear.network, mean=linear.mean, factor=1.6 * linear.factor,
        condition=linear.condition.expand(n, -1, -1, -1), context=linear.context.expand(n, -1),
    )  # fmt: skip
    c = wide.draw(torch.randn(n, K, 1, 1).double())
    many = LatentPosterior(
        network=posterior.network, mean=posterior.mean, factor=posterior.factor,
        condition=wide.condition, context=wide.context,
    )  # fmt: skip
    log_p, log_q = many.log_density(c), wide.log_density(c)
    assert float((log_p - linear_density(linear, c)).abs().max()) > 0.05
    assert float((log_p - log_q).exp().mean()) == pytest.approx(1.0, abs=0.05)


def linear_density(linear: LatentPosterior, c: torch.Tensor) -> torch.Tensor:
    """Log density of many draws under the untrained posterior."""
    white, log_det = whiten(c - linear.mean, linear.factor)
    return torch.distributions.Normal(0.0, 1.0).log_prob(white).flatten(1).sum(1) + log_det


@torch.no_grad()
def test_draws_have_the_density_that_they_are_said_to_have():
    # c = D(u): log p(c) is that of u less the log-determinant of D, by autograd.
    posterior = _posterior(0.5, (2, 2))
    normal = torch.randn(1, K, 2, 2).double()
    c = posterior.draw(normal)
    with torch.enable_grad():
        jacobian = torch.autograd.functional.jacobian(
            lambda flat: posterior.draw(flat.reshape(normal.shape)).flatten(), normal.flatten()
        )
    base = torch.distributions.Normal(0.0, 1.0).log_prob(normal).sum()
    expected = base - torch.linalg.slogdet(jacobian)[1]
    torch.testing.assert_close(posterior.log_density(c), expected.reshape(1), rtol=0, atol=1e-5)
