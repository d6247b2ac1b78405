"""A small network trained on Gaussian images: its score is the closed form.

Data are stationary Gaussian fields on a torus, variance 1, of known power spectrum S. Then
E[clean | x] is Wiener's filter S / (S + sigma^2) and the score is -x / (S + sigma^2), both a
product in Fourier space; the network is told neither.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from betaplus.generative.denoiser import denoise, leading

EDGE = 8
LEVELS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0)
STEPS, BATCH, WIDTH = 1200, 64, 16


def spectrum() -> Tensor:
    """Power at each frequency, mean 1: a Gaussian bump over a floor."""
    k = torch.fft.fftfreq(EDGE)
    square = k[:, None] ** 2 + k[None] ** 2
    power = torch.exp(-square / (2 * 0.12**2)) + 0.03
    return power / power.mean()


POWER = spectrum()


def filtered(x: Tensor, gain: Tensor) -> Tensor:
    return torch.fft.ifft2(torch.fft.fft2(x) * gain).real


def fields(n: int, generator: torch.Generator) -> Tensor:
    return filtered(torch.randn(n, 1, EDGE, EDGE, generator=generator), POWER.sqrt())


class Network(nn.Module):
    """Convolutions on the torus; the noise level scales and shifts their channels."""

    def __init__(self) -> None:
        super().__init__()

        def convolution(a: int, b: int) -> nn.Conv2d:
            return nn.Conv2d(a, b, 3, padding=1, padding_mode="circular")

        self.first, self.last = convolution(1, WIDTH), convolution(WIDTH, 1)
        self.middle = nn.ModuleList(convolution(WIDTH, WIDTH) for _ in range(2))
        self.level = nn.Sequential(nn.Linear(1, 32), nn.SiLU(), nn.Linear(32, 4 * WIDTH))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        told = self.level(noise.reshape(-1, 1))[..., None, None].chunk(4, 1)
        h = self.first(x)
        for i, convolution in enumerate(self.middle):
            scaled = h * (1 + told[2 * i]) + told[2 * i + 1]
            h = h + convolution(nn.functional.silu(scaled))
        return self.last(h)


def trained() -> Network:
    """Return a network trained by EDM's loss (Karras et al., NeurIPS 2022, equation 8)."""
    torch.manual_seed(0)
    network, generator = Network(), torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(network.parameters())
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        clean = fields(BATCH, generator)
        sigma = (-1.2 + 1.4 * torch.randn(BATCH, generator=generator)).exp()
        noise = torch.randn(clean.shape, generator=generator)
        found = denoise(network, clean + leading(sigma, clean) * noise, sigma)
        weight = leading((1 + sigma**2) / sigma**2, clean)
        loss = (weight * (found - clean).square()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def errors(network: nn.Module | None) -> dict[float, tuple[float, float]]:
    """Relative error of the score and of the denoiser at each level, root mean squares.

    Without a network: of what the denoiser is before training, right for N(0, I).
    """
    found = {}
    for level in LEVELS:
        sigma = torch.tensor(level)
        generator = torch.Generator().manual_seed(2)
        clean = fields(400, generator)
        x = clean + level * torch.randn(clean.shape, generator=generator)
        with torch.no_grad():
            given = denoise(network or (lambda u, c: torch.zeros_like(u)), x, sigma)
        exact = filtered(x, POWER / (POWER + level**2))
        score, exact_score = (given - x) / level**2, filtered(x, -1 / (POWER + level**2))
        found[level] = (
            ((score - exact_score).norm() / exact_score.norm()).item(),
            ((given - exact).norm() / exact.norm()).item(),
        )
    return found


@pytest.fixture(scope="module")
def found() -> dict[float, tuple[float, float]]:
    return errors(trained())


def test_the_score_is_the_closed_form(found):
    """To 1-10 %, the more the less noise there is: the score is the noise found over sigma."""
    print({level: f"{score:.4f}" for level, (score, _) in found.items()})
    for level, (score, _) in found.items():
        assert score < 0.02 + 0.012 / level


def test_so_is_the_denoiser(found):
    print({level: f"{estimate:.4f}" for level, (_, estimate) in found.items()})
    assert max(estimate for level, (_, estimate) in found.items() if level <= 2.0) < 0.07


def test_before_training_neither_is(found):
    before = errors(None)
    print({level: f"{score:.4f} {estimate:.4f}" for level, (score, estimate) in before.items()})
    for level in (0.1, 0.5, 1.0, 2.0):
        assert before[level][0] > 5 * found[level][0]
        assert before[level][1] > 5 * found[level][1]
