"""What the conditional network must not see: padding, the order of tokens, absent places."""

from __future__ import annotations

import pytest
import torch

from betaplus.generative.conditional import ConditionalField, FieldSize
from betaplus.generative.denoiser import denoise

SIZE = FieldSize(dimension=3, token=4, features=5, width=16, blocks=2, condition=12, encoder=8)


@pytest.fixture
def field() -> ConditionalField:
    """A network whose weights are all away from their start."""
    torch.manual_seed(0)
    network = ConditionalField(SIZE)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return network


@pytest.fixture
def told():
    torch.manual_seed(1)
    return (
        torch.randn(2, 6, 4),
        torch.tensor([6, 4]),
        torch.randn(2, 5),
        torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]]),
    )


X, NOISE = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(2)), torch.rand(2, 7)


def test_an_untrained_field_is_zero(told):
    network = ConditionalField(SIZE)
    condition = network.condition(*told)
    assert condition.shape == (2, 2 * 16 * 2)
    assert torch.equal(network(X, NOISE, condition), torch.zeros(2, 7, 3))


def test_a_changed_field_depends_on_all_it_is_given(field, told):
    base = field(X, NOISE, field.condition(*told))
    tokens, count, features, there = told
    for other in (
        (tokens + 0.1, count, features, there),
        (tokens, count, features + 0.1, there),
        (tokens, count, features, 1 - there),
        (tokens, count - 1, features, there),
    ):
        assert not torch.allclose(field(X, NOISE, field.condition(*other)), base, atol=1e-4)
    assert not torch.allclose(field(X, NOISE + 0.5, field.condition(*told)), base, atol=1e-4)


def test_padding_changes_nothing(field, told):
    tokens, count, features, there = told
    base = field.condition(*told)
    padded = torch.cat([tokens, 1e3 * torch.randn(2, 3, 4)], 1)
    torch.testing.assert_close(field.condition(padded, count, features, there), base)
    spoilt = tokens.clone()
    spoilt[1, 4:] = 1e3
    torch.testing.assert_close(field.condition(spoilt, count, features, there), base)
    alone = field.condition(tokens[1:, :4], count[1:], features[1:], there[1:])
    torch.testing.assert_close(alone, base[1:])


def test_the_order_of_tokens_changes_nothing(field, told):
    tokens, count, features, there = told
    turned = tokens[:, [3, 1, 0, 2, 4, 5]]
    torch.testing.assert_close(
        field.condition(turned, count, features, there), field.condition(*told)
    )


def test_draws_do_not_see_each_other(field, told):
    condition = field.condition(*told)
    whole = field(X, NOISE, condition)
    torch.testing.assert_close(field(X[:, 2:3], NOISE[:, 2:3], condition), whole[:, 2:3])
    torch.testing.assert_close(field(X[1:], NOISE[1:], condition[1:]), whole[1:])


def test_one_noise_level_serves_all_draws(field, told):
    condition, level = field.condition(*told), torch.full((1, 7), 0.3)
    torch.testing.assert_close(field(X, level, condition), field(X, level.expand(2, -1), condition))


def test_absent_places_stay_absent_and_are_not_looked_at(field, told):
    # What the methods do: the field is masked, and vectors are 0 where a place does not exist.
    there = told[3][:, None]
    condition = field.condition(*told)
    x = X * there
    clean = denoise(lambda u, c: field(u, c, condition) * there, x, NOISE + 0.1)
    assert torch.equal(clean[1, :, 1], torch.zeros(7))
    assert clean[0].abs().min() > 0


def test_every_weight_is_trained(field, told):
    field(X, NOISE, field.condition(*told)).square().sum().backward()
    idle = [name for name, p in field.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []
