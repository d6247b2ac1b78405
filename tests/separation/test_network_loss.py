"""The separation network's losses against sums over frames, and what they teach."""

from __future__ import annotations

import pytest
import torch
from tests.generative.invertible.stirred import stirred

from betaplus.core.errors import UsageError
from betaplus.separation.network import SeparationNetwork, SeparationSize
from betaplus.separation.network_loss import (
    LossWeights,
    SeparationBatch,
    frame_metric,
    metric_loss,
    mixture_metric,
    separation_loss,
)

T, K1, K2 = 7, 2, 3


def _draws():
    torch.manual_seed(0)
    bases = torch.randn(T, K1).double(), torch.randn(T, K2).double()
    return bases, torch.randn(2, 5, 4, 6).double(), torch.randn(2, 5, 4, 6).double()


def _frames(basis: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    return torch.einsum("tk,bkxy->btxy", basis, c)


def test_the_metric_of_frames_is_the_weighted_error_of_frames():
    bases, estimate, truth = _draws()
    weights = torch.rand(T).double(), torch.rand(T).double()
    error = (estimate - truth).split((K1, K2), 1)
    expected = sum(
        (w[:, None, None] * _frames(basis, part).square()).mean()
        for w, basis, part in zip(weights, bases, error, strict=True)
    )
    found = metric_loss(estimate, truth, frame_metric(bases, weights))
    torch.testing.assert_close(found, expected)


def test_the_metric_of_the_mixture_lets_errors_cancel():
    bases, estimate, truth = _draws()
    decay, weights = torch.rand(2, T).double(), torch.rand(T).double()
    first, second = (estimate - truth).split((K1, K2), 1)
    mixed = sum(
        d[:, None, None] * _frames(basis, part)
        for d, basis, part in zip(decay, bases, (first, second), strict=True)
    )
    metric = mixture_metric(bases, decay, weights)
    expected = (weights[:, None, None] * mixed.square()).mean()
    torch.testing.assert_close(metric_loss(estimate, truth, metric), expected)
    same = (bases[0], bases[0])
    alike = mixture_metric(same, torch.ones(2, T).double())
    opposite = torch.cat([first, -first], 1)
    assert float(metric_loss(opposite, torch.zeros_like(opposite), alike)) < 1e-20


def test_items_may_have_metrics_of_their_own_and_voxels_may_not_count():
    bases, estimate, truth = _draws()
    both = tuple(torch.stack([basis, 2 * basis]) for basis in bases)
    metric = frame_metric(both)
    parts = [
        metric_loss(estimate[i : i + 1], truth[i : i + 1], frame_metric((both[0][i], both[1][i])))
        for i in range(2)
    ]
    torch.testing.assert_close(metric_loss(estimate, truth, metric), sum(parts) / 2)
    where = torch.zeros(2, 1, 4, 6)
    where[:, :, 1:3] = 1
    inner = metric_loss(estimate[:, :, 1:3], truth[:, :, 1:3], metric)
    torch.testing.assert_close(metric_loss(estimate, truth, metric, where), inner)
    plain = metric_loss(estimate, truth)
    torch.testing.assert_close(plain, (estimate - truth).square().mean())


def test_the_loss_is_the_sum_of_its_parts():
    _, truth, linear = _draws()
    size = SeparationSize(first=K1, second=K2, widths=(4, 8), embedding=8)
    network = stirred(SeparationNetwork(size))
    bases = _draws()[0]
    mixing = mixture_metric(bases, torch.ones(2, T).double())
    batch = SeparationBatch(linear, truth, linear + 0.1, mixing=mixing)
    forward = metric_loss(network.separate(linear), truth)
    inverse = metric_loss(network.mix_back(truth), linear + 0.1)
    mixed = metric_loss(network.separate(linear), truth, mixing)
    weights = LossWeights(forward=2.0, inverse=0.5, mixing=0.3)
    found = separation_loss(network, batch, weights)
    torch.testing.assert_close(found, 2 * forward + 0.5 * inverse + 0.3 * mixed)
    with pytest.raises(ValueError, match="no metric"):
        separation_loss(network, batch._replace(mixing=None), weights)
    with pytest.raises(UsageError, match="below 0"):
        LossWeights(inverse=-1.0)


def test_the_way_back_alone_teaches_the_way_forward():
    # z = A c without noise: the inverse of the network that makes z of c makes c of z.
    torch.manual_seed(5)
    a = torch.eye(2) + torch.tensor([[0.0, 0.5], [0.3, 0.0]])
    c = torch.randn(4, 2, 16, 16)
    z = torch.einsum("ij,bjxy->bixy", a, c)
    size = SeparationSize(first=1, second=1, couplings=1, widths=(8,), embedding=8, stem=1)
    network = SeparationNetwork(size)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    batch, weights = SeparationBatch(z, c, z), LossWeights(forward=0.0, inverse=1.0)
    before = metric_loss(network.separate(z), c).item()
    for _ in range(60):
        optimizer.zero_grad()
        separation_loss(network, batch, weights).backward()
        optimizer.step()
    with torch.no_grad():
        assert float(metric_loss(network.separate(z), c)) < 0.1 * before
