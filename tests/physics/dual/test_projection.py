"""The projection against dense Gaussian conditioning, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from betaplus.core.errors import UsageError
from betaplus.physics.dual import project_pair

RNG = np.random.default_rng(0)
N, T = 5, 6
D = torch.tensor(np.vstack([RNG.random(T) + 0.2, np.r_[0.0, 0.0, RNG.random(T - 2) + 0.3]]))
X, M = torch.tensor(RNG.random((2, N, T))), torch.tensor(RNG.random((N, T)) * 2)
V, S = torch.tensor(RNG.random((2, N, T)) + 0.1), torch.tensor(RNG.random((N, T)))


@pytest.mark.parametrize("noisy", [True, False])
def test_projection_is_gaussian_conditioning(noisy):
    noise = S if noisy else 0.0
    found, left = project_pair(X, M, D, V, noise)
    for n in range(N):
        for f in range(T):
            prior, d = np.diag(V[:, n, f].numpy()), D[:, f].numpy()
            total = d @ prior @ d + (float(S[n, f]) if noisy else 0.0)
            gain = prior @ d / total
            expected = X[:, n, f].numpy() + gain * (float(M[n, f]) - d @ X[:, n, f].numpy())
            assert found[:, n, f].numpy() == pytest.approx(expected, rel=1e-12)
            cov = prior - np.outer(gain, d) @ prior
            assert left[:, n, f].numpy() == pytest.approx(np.diag(cov), abs=1e-12)


def test_without_noise_the_mixture_is_met_and_absent_tracers_stay():
    found, _ = project_pair(X, M, D, V)
    assert (D[:, None] * found).sum(0).numpy() == pytest.approx(M.numpy(), rel=1e-12)
    assert torch.equal(found[1, :, :2], X[1, :, :2])


def test_without_any_variance_nothing_moves():
    found, left = project_pair(X, M, D, torch.zeros(2, 1, 1, dtype=torch.float64))
    assert torch.equal(found, X) and not left.any()


def test_a_negative_variance_is_refused():
    with pytest.raises(UsageError, match="variance below 0"):
        project_pair(X, M, D, -V)
