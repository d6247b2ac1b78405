"""The network of draws: its limits, that the mean stays what it is, its bundle as a mean."""

from pathlib import Path

import torch
from tests.denoising.cases import tiny_bundle

from betaplus.denoising.bundle import load_denoiser
from betaplus.denoising.draw_network import LEVELS, SPREAD, DrawNetwork
from betaplus.denoising.inputs import Shown, context_of, show
from betaplus.denoising.network import CorrectionNetwork
from betaplus.denoising.noise import measure_noise

TOLD = context_of([0.1], [(3.0,) * 3])
SHAPE = (1, 1, 24, 24, 24)


def _random(shape=SHAPE, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _shown():
    image = 3.0 + 0.4 * _random()
    return show(image, measure_noise(image))


def _with_mean(shown, mean):
    return Shown(images=shown.images, basis=shown.basis[:, :0], mean=mean)


def _moved():
    """A network with random weights."""
    torch.manual_seed(0)
    network = DrawNetwork((4, 4), 1).requires_grad_(False)
    for weights in network.parameters():
        weights.add_(0.1 * torch.randn_like(weights))
    return network


def test_before_training_it_is_that_of_a_gaussian_around_the_mean():
    network, shown, z = DrawNetwork((4, 4), 1).requires_grad_(False), _shown(), _random(seed=1)
    mean = network.center.mean(shown, TOLD)
    assert float(mean.std()) > 0.3
    for sigma in (0.02, 0.5, 20.0):
        out = network(z, torch.tensor([sigma]), shown, TOLD)
        expected = mean + SPREAD**2 / (SPREAD**2 + sigma**2) * (z - mean)
        assert torch.allclose(out, expected, atol=1e-5)


def test_where_noise_hides_all_it_stays_near_the_mean_and_where_there_is_none_it_is_z():
    network, shown = _moved(), _shown()
    mean, noise = network.mean(shown, TOLD), _random(seed=1)
    seen = mean + noise * LEVELS[1]
    out = network(seen, torch.tensor([LEVELS[1]]), shown, TOLD)
    field = network.network(
        torch.cat([noise * LEVELS[1] / (LEVELS[1] ** 2 + SPREAD**2) ** 0.5, mean, shown.images], 1),
        torch.tensor([LEVELS[1]]).log() / 4,
        TOLD,
    )
    left = (SPREAD / LEVELS[1]) ** 2 * noise * LEVELS[1]
    assert torch.allclose(out - mean - left, SPREAD * field, atol=2e-3)
    out = network(mean + noise, torch.tensor([1e-4]), shown, TOLD)
    assert torch.allclose(out, mean + noise, atol=5e-3)


def test_a_mean_that_is_given_is_the_one_that_it_would_compute():
    network, shown, z = _moved(), _shown(), _random(seed=1)
    given = _with_mean(shown, network.mean(shown, TOLD))
    sigma = torch.tensor([0.7])
    assert torch.equal(network(z, sigma, shown, TOLD), network(z, sigma, given, TOLD))
    # All that it knows of the mean is from there: it moves along.
    other = _with_mean(shown, given.mean + 1.0)
    assert not torch.allclose(network(z, sigma, other, TOLD), network(z, sigma, given, TOLD))


def test_the_mean_does_not_learn():
    network, shown = DrawNetwork((4, 4), 1), _shown()
    torch.nn.init.constant_(network.network.head.weight, 0.1)
    network(_random(seed=1), torch.tensor([0.5]), shown, TOLD).square().mean().backward()
    assert all(weights.grad is None for weights in network.center.parameters())
    assert not any(weights.requires_grad for weights in network.center.parameters())
    assert all(weights.grad is not None for weights in network.network.parameters())


def test_parts_and_copies_of_what_is_shown_have_its_mean():
    shown = _shown()
    every = Shown(images=shown.images, basis=shown.basis, mean=_random())
    part = every[(slice(2, 6), slice(None), slice(0, 3))]
    assert torch.equal(part.mean, every.mean[:, :, 2:6, :, :3])
    assert every.copies(3).mean.shape == (3, 1, 24, 24, 24)
    assert shown.copies(3).mean is None and shown.to("cpu").mean is None


def test_a_bundle_of_draws_serves_as_the_mean(tmp_path: Path):
    bundle = tiny_bundle(tmp_path, "draws")
    mean, draws = (load_denoiser(name, bundle) for name in ("body", "draws"))
    assert isinstance(mean.network, CorrectionNetwork) and isinstance(draws.network, DrawNetwork)
    assert torch.equal(mean.mean(_shown(), TOLD), draws.mean(_shown(), TOLD))
    assert mean.bundle.config.architecture["network"] == "draws around the mean"
