"""The invertible network: exact round trips, and its log-determinant against the Jacobian's."""

from __future__ import annotations

import pytest
import torch
from tests.generative.invertible.stirred import round_trip, stirred

from betaplus.core.errors import UsageError
from betaplus.generative.invertible.network import InvertibleNetwork, InvertibleSize
from betaplus.generative.invertible.subnetwork import DenseSize
from betaplus.generative.unet import UNetSize

DENSE = DenseSize(convolutions=3, growth=8)
SHAPES = [(2, 2), (9, 14), (32, 32), (5, 6, 7)]
HALVES = [(1, 1), (3, 5), (18, 18)]


def _unet(dimensions: int) -> UNetSize:
    return UNetSize(dimensions=dimensions, widths=(8, 16), blocks=1, embedding=16)


def _network(shape, halves, kind="dense", told=True, amount=0.3, **settings) -> InvertibleNetwork:
    torch.manual_seed(0)
    size = InvertibleSize(
        dimensions=len(shape),
        halves=halves,
        blocks=settings.pop("blocks", 8),
        subnetwork=DENSE if kind == "dense" else _unet(len(shape)),
        condition=2 if told else 0,
        context=3 if told else 0,
        **settings,
    )
    return stirred(InvertibleNetwork(size), amount)


def _items(network, shape, dtype, batch=2):
    size = network.size
    torch.manual_seed(1)
    x = torch.randn(batch, size.channels, *shape, dtype=dtype)
    condition = torch.randn(batch, size.condition, *shape, dtype=dtype) if size.condition else None
    context = torch.randn(batch, size.context, dtype=dtype) if size.context else None
    return x, condition, context


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("halves", HALVES)
@pytest.mark.parametrize("kind", ["dense", "unet"])
@torch.no_grad()
def test_the_round_trip_is_exact_for_any_frames_and_size(shape, halves, kind):
    network = _network(shape, halves, kind, amount=0.1, joint=kind == "unet")
    for dtype, bound in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        x, *told = _items(network, shape, dtype)
        y, _ = network(x, *told)
        assert y.dtype == dtype and y.shape == x.shape
        assert round_trip(x, y) > 0.1  # it does something
        assert round_trip(x, network.inverse(y, *told)) < bound
        assert round_trip(y, network(network.inverse(y, *told), *told)[0]) < bound


@torch.no_grad()
def test_weights_in_float64_serve_as_well():
    network = _network((9, 14), (3, 5)).double()
    x, *told = _items(network, (9, 14), torch.float64)
    y, log_det = network(x, *told)
    assert round_trip(x, network.inverse(y, *told)) < 1e-10
    single = network.float()(x.float(), *(part.float() for part in told))
    torch.testing.assert_close(single, (y.float(), log_det.float()), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2)])
@pytest.mark.parametrize("kind", ["dense", "unet"])
def test_the_log_determinant_is_that_of_autograds_jacobian(shape, kind):
    network = _network(shape, (2, 1), kind, blocks=3, mixing="identity", joint=kind == "unet")
    tight = 1e-8 if kind == "dense" else 1e-5  # the U-Net runs in float32
    network = network.double() if kind == "dense" else network
    x, *told = _items(network, shape, torch.float64, batch=1)
    jacobian = torch.autograd.functional.jacobian(
        lambda flat: network(flat.reshape(x.shape), *told)[0].flatten(), x.flatten()
    )
    expected = torch.linalg.slogdet(jacobian)[1]
    found = network(x, *told)[1]
    assert expected.abs().item() > 0.05
    torch.testing.assert_close(found, expected.reshape(1), rtol=tight, atol=tight)


@torch.no_grad()
def test_it_starts_as_its_mixings_and_from_the_identity_as_nothing():
    for mixing in ("identity", "none"):
        size = InvertibleSize(dimensions=2, halves=(2, 3), blocks=4, mixing=mixing)
        x = torch.randn(2, 5, 6, 6)
        y, log_det = InvertibleNetwork(size)(x)
        assert torch.equal(y, x) and torch.equal(log_det, torch.zeros(2))
    network = InvertibleNetwork(InvertibleSize(dimensions=2, halves=(2, 3), blocks=4))
    expected = x
    for block in network.blocks:
        expected = torch.einsum("ij,bjxy->bixy", block.mixing.matrix(), expected)
    torch.testing.assert_close(network(x)[0], expected)


@torch.no_grad()
def test_condition_and_context_are_seen():
    network = _network((8, 8), (2, 2))
    x, condition, context = _items(network, (8, 8), torch.float32)
    y, _ = network(x, condition, context)
    assert not torch.allclose(y, network(x, condition + 1, context)[0])
    assert not torch.allclose(y, network(x, condition, context + 1)[0])
    assert round_trip(x, network.inverse(y, condition + 1, context)) > 1e-3


@torch.no_grad()
def test_under_autocast_only_the_networks_are_in_bfloat16():
    network = _network((16, 16), (3, 3), "unet", mixing="identity", blocks=4)
    single, *told = _items(network, (16, 16), torch.float32)
    exact, _ = network(single, *told)
    for x, bound in ((single, 1e-2), (single.double(), 1e-10)):
        with torch.autocast("cpu", torch.bfloat16):
            y, log_det = network(x, *told)
            back = network.inverse(y, *told)
        assert y.dtype == back.dtype == log_det.dtype == x.dtype
        assert 1e-4 < round_trip(exact, y.float()) < 0.05  # they are
        # In float32 a value of x2 may round the other way inside r; in float64 it hardly ever does.
        assert round_trip(x, back) < bound


def test_gradients_reach_every_weight_both_ways():
    network = _network((6, 6), (2, 3), blocks=2)
    x, *told = _items(network, (6, 6), torch.float32)
    for loss in (lambda: network(x, *told)[0], lambda: network.inverse(x, *told)):
        network.zero_grad()
        loss().square().sum().backward()
        # The frozen places of the factors aside, nothing is left without a gradient.
        assert all(torch.count_nonzero(p.grad) for p in network.parameters())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dimensions": 4}, "in 4 dimensions"),
        ({"halves": (0, 2)}, "halves of"),
        ({"blocks": 0}, "0 blocks"),
        ({"mixing": "swap"}, "mixing is 'swap'"),
        ({"condition": -1}, "no negative number"),
    ],
)
def test_what_cannot_be_built_is_refused(settings, said):
    with pytest.raises(UsageError, match=said):
        InvertibleSize(**({"dimensions": 2, "halves": (2, 2), "blocks": 1} | settings))


@pytest.mark.parametrize(
    ("shape", "condition", "dtype"),
    [
        ((1, 3, 8, 8), None, torch.float32),
        ((1, 4, 8), None, torch.float32),
        ((1, 4, 8, 8), (1, 1, 8, 8), torch.float32),
        ((1, 4, 8, 8), None, torch.bfloat16),
    ],
)
def test_what_does_not_fit_is_refused(shape, condition, dtype):
    network = _network((8, 8), (2, 2), told=False)
    told = None if condition is None else torch.zeros(condition)
    with pytest.raises(ValueError, match="images"):
        network(torch.zeros(shape, dtype=dtype), told)
