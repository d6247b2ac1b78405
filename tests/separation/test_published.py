"""The published network: what it is, that it is not invertible, and what its cycle loss teaches."""

from __future__ import annotations

import pytest
import torch
from tests.generative.invertible.stirred import round_trip, stirred

from betaplus.core.errors import InputError, UsageError
from betaplus.separation.published import PublishedNetwork, PublishedSize, duplicated
from betaplus.separation.published_training import (
    EPOCHS,
    common_scale,
    published_loss,
    published_rate,
)


def _network(**settings) -> PublishedNetwork:
    torch.manual_seed(0)
    settings = {"frames": 6, "growth": 8, "convolutions": 3} | settings
    return PublishedNetwork(PublishedSize(**settings))


def test_it_has_the_published_number_of_weights():
    weights = sum(p.numel() for p in PublishedNetwork(PublishedSize()).parameters())
    assert weights == pytest.approx(2.4e6, rel=0.02)


@pytest.mark.parametrize("frames", [1, 6, 18])
@torch.no_grad()
def test_the_skips_alone_make_it_not_invertible(frames):
    torch.manual_seed(1)
    pair = duplicated(torch.rand(2, frames, 13, 20))
    plain = stirred(_network(frames=frames, skips=False), 0.1)
    assert round_trip(pair, plain.mix_back(plain.separate(pair))) < 1e-5
    double = plain.double()
    assert round_trip(pair, double.mix_back(double.separate(pair.double()))) < 1e-10
    for published in (_network(frames=frames), stirred(_network(frames=frames))):
        assert round_trip(pair, published.mix_back(published.separate(pair))) > 0.5


def test_without_skips_the_published_way_back_is_0_and_teaches_nothing():
    torch.manual_seed(2)
    mixture, truth = torch.rand(2, 6, 9, 9).double(), torch.rand(2, 12, 9, 9).double()
    network = stirred(_network(skips=False).double(), 0.1)
    published_loss(network, mixture, truth, weight=0.0).backward()
    cycle = published_loss(network, mixture, truth, weight=0.0)
    assert cycle.item() < 1e-20
    assert max(float(p.grad.abs().max()) for p in network.parameters()) < 1e-12
    network.zero_grad()
    from_truth = published_loss(network, mixture, truth, weight=0.0, backward="truth")
    from_truth.backward()
    assert from_truth.item() > 1e-3
    assert all(float(p.grad.abs().max()) > 1e-9 for p in network.parameters())


def test_the_loss_is_its_two_parts():
    torch.manual_seed(3)
    mixture, truth = torch.rand(2, 6, 8, 8), torch.rand(2, 12, 8, 8)
    clean = mixture + 0.1
    network = stirred(_network())
    found = network(mixture)
    forward = (found - truth).square().mean()
    cycle = (network.mix_back(found) - mixture.repeat(1, 2, 1, 1)).square().mean()
    torch.testing.assert_close(
        published_loss(network, mixture, truth, weight=3), 3 * forward + cycle
    )
    back = (network.mix_back(truth) - clean.repeat(1, 2, 1, 1)).square().mean()
    found = published_loss(network, mixture, truth, backward="truth", clean=clean)
    torch.testing.assert_close(found, forward + back)
    with pytest.raises(UsageError, match="'prediction'"):
        published_loss(network, mixture, truth, backward="prediction")


def test_other_frames_than_those_it_was_made_for_are_refused():
    with pytest.raises(InputError, match="sequences of 7 frames; expected 6"):
        _network()(torch.rand(1, 7, 8, 8))
    with pytest.raises(InputError, match="sequences of 7 frames; expected 6"):
        _network().mix_back(torch.rand(1, 14, 8, 8))


def test_a_few_steps_as_published_lower_the_loss():
    torch.manual_seed(4)
    truth = torch.rand(2, 2, 6, 1, 1) * torch.rand(2, 2, 1, 8, 8)
    mixture = truth.sum(1)
    scale = common_scale(mixture)
    mixture, sequences = mixture / scale, truth.flatten(1, 2) / scale
    torch.testing.assert_close(sequences[:, :6] + sequences[:, 6:], mixture)
    network = _network(blocks=2)
    optimizer = torch.optim.Adam(network.parameters(), 10 * published_rate(0))
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = published_loss(network, mixture, sequences)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_the_rate_is_halved_six_times():
    assert [published_rate(epoch) for epoch in (0, 49, 50, 100, 499)] == pytest.approx(
        [1e-4, 1e-4, 5e-5, 2.5e-5, 1e-4 / 32]
    )
    assert published_rate(EPOCHS - 1) == pytest.approx(1e-4 / 64)
