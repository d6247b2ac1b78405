"""The conditional separation network: its start, its way back, its size."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from tests.generative.invertible.stirred import round_trip, stirred

from betaplus.core.errors import UsageError
from betaplus.separation.network import SeparationNetwork, SeparationSize

SMALL = {"couplings": 3, "widths": (8, 16), "embedding": 16}


def _network(**settings) -> SeparationNetwork:
    torch.manual_seed(0)
    return SeparationNetwork(SeparationSize(**(SMALL | settings)))


def _items(size: SeparationSize, shape, dtype=torch.float32):
    torch.manual_seed(1)
    z = torch.randn(2, size.first + size.second, *shape, dtype=dtype)
    condition = torch.randn(2, size.condition, *shape, dtype=dtype)
    return z, condition, torch.randn(2, size.context, dtype=dtype)


@torch.no_grad()
def test_untrained_it_is_the_linear_estimate():
    network = _network(first=3, second=5, condition=4, context=2)
    z, *told = _items(network.size, (10, 9))
    assert torch.equal(network.separate(z, *told), z)
    assert torch.equal(network(z, *told)[1], torch.zeros(2))


@pytest.mark.parametrize(("shape", "looks"), [((33, 18), 0), ((7, 6, 9), 0), ((7, 6, 9), 3)])
@torch.no_grad()
def test_the_way_back_is_exact_for_any_size(shape, looks):
    told = {"condition": 5, "looks": looks, "context": 2}
    network = _network(dimensions=len(shape), first=3, second=4, **told)
    stirred(network, 0.1)
    for dtype, bound in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        z, *told = _items(network.size, shape, dtype)
        c = network.separate(z, *told)
        assert round_trip(z, c) > 0.1
        assert round_trip(z, network.mix_back(c, *told)) < bound


@torch.no_grad()
def test_one_without_condition_and_context_is_told_nothing():
    network = stirred(_network(dimensions=3), 0.1)
    z, *_ = _items(network.size, (4, 6, 5))
    told = torch.randn(2, 7, 4, 6, 5), torch.randn(2, 3)
    assert torch.equal(network.separate(z, *told), network.separate(z))
    assert torch.equal(network.mix_back(z, *told), network.mix_back(z))


@torch.no_grad()
def test_looks_are_of_each_voxel_and_depend_on_all_images():
    network = stirred(_network(dimensions=3, condition=5, looks=3, widths=(8,)), 0.1)
    z, condition, _ = _items(network.size, (4, 4, 4))
    seen = network.look(condition)
    assert seen.shape == (2, 3, 4, 4, 4)
    for image in range(5):
        other = condition.clone()
        other[:, image, 1, 2, 3] += 1.0
        changed = (network.look(other) != seen).any(1)
        assert changed[:, 1, 2, 3].all() and changed.sum() == 2
        assert not torch.equal(network.separate(z, other), network.separate(z, condition))


def test_the_usual_size_has_about_a_million_weights():
    size = SeparationSize(first=4, second=4, condition=30, context=8)
    count = sum(p.numel() for p in SeparationNetwork(size).parameters())
    assert 0.7e6 < count < 1.3e6


def test_its_size_is_what_json_can_keep():
    size = SeparationSize(dimensions=3, first=3, condition=7, widths=(8, 12))
    kept = json.loads(json.dumps(dataclasses.asdict(size)))
    assert SeparationSize(**kept) == size


def test_sizes_that_make_no_network_are_refused():
    with pytest.raises(UsageError, match="0 and 4 coefficients"):
        SeparationSize(first=0)
    with pytest.raises(UsageError, match="in 1 dimensions"):
        SeparationSize(dimensions=1)
    with pytest.raises(UsageError, match="3 looks at 0 condition images"):
        SeparationSize(looks=3)
