"""The published network: its boundary, its size, its sampler, its loss."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from betaplus.core.progress import Silent
from betaplus.generative.bundle import find_bundle, load_bundle, load_into
from betaplus.kinetics.published.network import LEVELS, PASSES, T_MIN, PublishedNetwork, draw
from betaplus.kinetics.published.publishing import held_out, publish
from betaplus.kinetics.published.training import load_trained, train_published


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return PublishedNetwork().eval()


def embedded(network, t, curves):
    return network.embed_noise(t) + network.embed_curves(curves)


def test_size(network):
    assert 2.05e6 < sum(p.numel() for p in network.parameters()) < 2.15e6


def test_levels():
    assert len(LEVELS) == 15 and LEVELS[0] == pytest.approx(0.002) and LEVELS[-1] == 1.0
    np.testing.assert_allclose(np.diff(np.array(LEVELS) ** (1 / 7), 2), 0, atol=1e-12)
    assert PASSES == (1.0, 2 / 3, 1 / 3)


def test_boundary(network):
    """f(x, t_min) = x, whatever the network; elsewhere what is known of the scalings."""
    x, curves = torch.randn(7, 5), torch.randn(7, 70)
    t = torch.full((7,), T_MIN)
    with torch.no_grad():
        torch.testing.assert_close(network(x, t, embedded(network, t, curves)), x)
        t = torch.full((7,), 0.6)
        e = embedded(network, t, curves)
        field = network._field(x, e)
        expected = x / (0.598**2 + 1) + 0.598 / (0.36 + 1) ** 0.5 * field
        torch.testing.assert_close(network(x, t, e), expected)


def test_draws_depend_on_all_they_should(network):
    noise = torch.randn(3, 50, 5)
    curves = torch.rand(70)
    with torch.inference_mode():
        draws = draw(network, curves, noise, shared=True)
        torch.testing.assert_close(
            draw(network, curves, noise, shared=False), draws, rtol=1e-4, atol=1e-5
        )
        for i in range(3):
            moved = noise.clone()
            moved[i] += 0.5
            assert (draw(network, curves, moved, shared=True) - draws).abs().mean() > 1e-3
        for i in (0, 34, 35, 69):
            moved = curves.clone()
            moved[i] += 5.0
            assert (draw(network, moved, noise, shared=True) - draws).abs().max() > 1e-3


def test_draws_of_a_known_consistency_function():
    """Passes at 1, 2/3, 1/3 of f(x, t) = x / (1 + t^2): the variance that follows by hand."""

    class Shrinking(PublishedNetwork):
        def forward(self, x, t, embedding):
            return x / (1 + t[:, None] ** 2)

    noise = torch.randn(3, 100_000, 5, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        draws = draw(Shrinking(), torch.zeros(70), noise, shared=True)
    variance = 0.0
    for level in PASSES:
        added = level**2 - (0.0 if level == 1 else T_MIN**2)
        variance = (variance + added) / (1 + level**2) ** 2
    assert float(draws.var()) == pytest.approx(variance, rel=0.01)


class Interrupted(Silent):
    """Ctrl-C after a few steps."""

    def __init__(self, after):
        self.left = after

    def advance(self, steps=1):
        self.left -= steps
        if self.left < 0:
            raise KeyboardInterrupt


def test_training_goes_on_where_it_was_cut(tmp_path):
    """The target network is part of what is resumed: the weights have the same bits."""
    options = {"n_simulations": 500, "batch": 16, "steps": 6}
    train_published(tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        train_published(tmp_path / "parts", progress=Interrupted(3), **options)
    train_published(tmp_path / "parts", resume=True, **options)
    whole, parts = (load_trained(tmp_path / name) for name in ("whole", "parts"))
    for key, value in whole.state_dict().items():
        assert torch.equal(parts.state_dict()[key], value), key
    folder = publish(tmp_path / "whole", tmp_path / "bundles", "train", curves=2)
    bundle = load_bundle(folder, "kinetics")
    for key, value in whole.state_dict().items():
        np.testing.assert_allclose(bundle.tensors[key], value, rtol=1e-3, atol=1e-6)
    record = json.loads((folder / "training.json").read_text())
    assert record["steps"] == 6
    assert {k: v for k, v in record["metrics"].items() if k != "loss"} == held_out(whole, n=2)


def test_shipped_weights_know_their_simulator():
    network = PublishedNetwork().eval()
    load_into(network, load_bundle(find_bundle("kinetics", "published"), "kinetics"))
    figures = held_out(network, n=24)
    assert figures["correlation_K1"] > 0.9 and figures["correlation_k4"] > 0.9
    coverage = np.mean([v for name, v in figures.items() if name.startswith("coverage_")])
    assert 0.8 < coverage < 0.99
