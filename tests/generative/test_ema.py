"""Averages of weights against their closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from betaplus.generative.ema import Ema


class Weights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))
        self.mean = nn.Buffer(torch.zeros(2, dtype=torch.float64))
        self.count = nn.Buffer(torch.zeros((), dtype=torch.int64))

    def set(self, value: float) -> None:
        with torch.no_grad():
            self.weight.fill_(value)
            self.mean.fill_(-value)
        self.count += 1


def test_a_step_is_approached_by_half_in_a_half_life() -> None:
    module = Weights()
    ema = Ema(module, half_life=20)
    for _ in range(3000):
        ema.update(module)
    module.set(1.0)
    for _ in range(20):
        ema.update(module)
    averaged = ema.averaged()
    assert averaged["weight"].tolist() == pytest.approx([0.5] * 3, rel=1e-12)
    assert averaged["mean"].tolist() == pytest.approx([-0.5] * 2, rel=1e-12)
    assert averaged["count"].item() == 1


def test_early_averages_forget_the_start() -> None:
    module = Weights()
    ema = Ema(module, half_life=1e6)
    module.set(1.0)
    left = 1.0
    for n in range(50):
        ema.update(module)
        left *= (1 + n) / (10 + n)
    # Of the start is left the product of the decays, 10^-6; a fixed decay would leave .99997.
    assert 1 - ema.averaged()["weight"][0].item() == pytest.approx(left, rel=1e-9)
    assert left < 1e-6


def test_constant_buffers_stay_as_they_are() -> None:
    module = Weights()
    module.set(0.1)
    ema = Ema(module, half_life=7)
    for _ in range(100):
        ema.update(module)
    assert torch.equal(ema.averaged()["mean"], module.mean)


def test_a_restored_average_goes_on_with_the_same_bits() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(30, generator=generator).tolist()
    module, other = Weights(), Weights()
    whole = Ema(module, half_life=5)
    for value in values[:10]:
        module.set(value)
        whole.update(module)
    again = Ema(other, half_life=5)
    again.restore(whole.averaged(), whole.updates)
    for value in values[10:]:
        module.set(value)
        whole.update(module)
        again.update(module)
    assert torch.equal(whole.averaged()["weight"], again.averaged()["weight"])
    assert whole.updates == again.updates == 30


def test_what_is_given_out_is_a_copy() -> None:
    ema = Ema(Weights(), half_life=5)
    ema.averaged()["weight"].fill_(7.0)
    assert ema.averaged()["weight"].tolist() == [0.0] * 3


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match="half-life of 0"):
        Ema(Weights(), half_life=0)
    with pytest.raises(ValueError, match="another module"):
        Ema(Weights(), half_life=5).restore({"weight": torch.zeros(3)}, 1)
