"""What sits inside the couplings: 0 at first, any size of image, told the context."""

from __future__ import annotations

import pytest
import torch
from tests.generative.invertible.stirred import stirred
from torch.nn import functional

from betaplus.core.errors import UsageError
from betaplus.generative.invertible.subnetwork import DenseBlock, DenseSize, make_subnetwork
from betaplus.generative.unet import UNetSize

DENSE = DenseSize(convolutions=3, growth=4)


def _unet(dimensions: int) -> UNetSize:
    return UNetSize(dimensions=dimensions, widths=(4, 8), blocks=1, embedding=8)


@pytest.mark.parametrize("shape", [(1, 1), (7, 10), (5, 3, 6)])
@pytest.mark.parametrize("kind", ["dense", "unet"])
def test_any_size_of_image_gives_its_own_and_0_at_first(shape, kind):
    size = DENSE if kind == "dense" else _unet(len(shape))
    network = make_subnetwork(size, len(shape), 3, 2, context=4)
    x, context = torch.randn(2, 3, *shape), torch.randn(2, 4)
    assert torch.equal(network(x, context), torch.zeros(2, 2, *shape))
    out = stirred(network, 0.3)(x, context)
    assert out.shape == (2, 2, *shape)
    assert not torch.allclose(out, network(x, context + 1))


def test_a_dense_block_is_its_convolutions_one_by_one():
    torch.manual_seed(0)
    block = stirred(DenseBlock(DENSE, 2, 3, 2), 0.3)
    x = torch.randn(1, 3, 6, 5)
    w = [(layer.weight, layer.bias) for layer in block.layers]
    a = functional.leaky_relu(functional.conv2d(x, *w[0], padding=1), 0.2)
    b = functional.leaky_relu(functional.conv2d(torch.cat([x, a], 1), *w[1], padding=1), 0.2)
    expected = functional.conv2d(torch.cat([x, a, b], 1), *w[2], padding=1)
    torch.testing.assert_close(block(x), expected)


def test_dimensions_that_disagree_are_refused():
    with pytest.raises(UsageError, match="3 dimensions within a network in 2"):
        make_subnetwork(_unet(3), 2, 1, 1, 0)
