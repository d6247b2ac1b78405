"""The affine coupling against its equations."""

from __future__ import annotations

import torch
from tests.generative.invertible.stirred import round_trip, stirred
from torch import nn

from betaplus.generative.invertible.coupling import AffineCoupling


class _Line(nn.Module):
    """Some linear map of the channels, squared, to stand for any network."""

    def __init__(self, seen: int, given: int) -> None:
        super().__init__()
        self.map = nn.Conv2d(seen, given, 1)

    def forward(self, x, context):
        return self.map(x).square()


def _coupling(**settings) -> AffineCoupling:
    torch.manual_seed(0)
    return AffineCoupling((2, 3), _Line, **settings).double()


def test_it_is_the_published_equations():
    coupling, x = _coupling(clamp=0.8), torch.randn(2, 5, 3, 4).double()
    y, log_det = coupling(x)
    y1 = x[:, :2] + coupling.r(x[:, 2:], None)
    s = 0.8 * (2 / (1 + torch.exp(-coupling.h(y1, None))) - 1)
    y2 = x[:, 2:] * torch.exp(s) + coupling.t(y1, None)
    torch.testing.assert_close(y, torch.cat([y1, y2], 1))
    torch.testing.assert_close(log_det, s.sum((1, 2, 3)))
    assert s.abs().max() <= 0.8 and log_det.abs().min() > 0


def test_one_network_may_give_scale_and_shift_and_a_clamp_of_0_keeps_volumes():
    x = torch.randn(2, 5, 3, 4).double()
    for settings in ({"joint": True}, {"clamp": 0.0}, {"clamp": 0.0, "joint": True}):
        coupling = stirred(_coupling(**settings), 0.2)
        y, log_det = coupling(x)
        assert coupling.h is None
        assert bool((log_det != 0).all()) == bool(coupling.clamp)
        assert round_trip(x, coupling.inverse(y)) < 1e-12


def test_backwards_the_networks_see_what_they_saw_forwards():
    seen: list[torch.Tensor] = []
    coupling = _coupling().float()
    for network in (coupling.t, coupling.h):
        network.register_forward_hook(lambda _, given, out: seen.append(given[0]))
    y, _ = coupling(torch.randn(1, 5, 8, 8))
    coupling.inverse(y)
    assert len(seen) == 4 and all(torch.equal(seen[0], other) for other in seen[1:])
