"""Losses: what an untrained network's are, and that training lowers them to the right place."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from betaplus.generative.conditional import ConditionalField, FieldSize
from betaplus.generative.denoiser import consistency_function, denoise
from betaplus.generative.flow import ConditionalFlow, FlowSize
from betaplus.kinetics.amortised.losses import (
    consistency_training_loss,
    denoising_loss,
    distillation_loss,
    flow_loss,
)

SIZE = FieldSize(dimension=3, token=2, features=4, width=24, blocks=1, condition=8, encoder=6)
SPREAD = 0.4  # of data in the second place


def make_batch(curves=64, draws=16, seed=0, spread=1.0):
    generator = torch.Generator().manual_seed(seed)
    free = torch.ones(curves, 3)
    free[::2, 2] = 0.0
    x = torch.randn(curves, draws, 3, generator=generator) * free[:, None]
    x[..., 1] *= spread
    return (
        torch.randn(curves, 5, 2, generator=generator),
        torch.full((curves,), 5),
        torch.randn(curves, 4, generator=generator),
        free,
        x,
    )


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def test_an_untrained_denoiser_has_a_loss_of_one():
    value = denoising_loss(ConditionalField(SIZE), make_batch(256), generator())
    assert value.item() == pytest.approx(1.0, abs=0.06)


def test_an_untrained_student_of_an_untrained_teacher_has_none():
    # Both mean N(0, I): the flow's ends are x / sqrt(1 + sigma^2), which the student says.
    value = distillation_loss(
        ConditionalField(SIZE), ConditionalField(SIZE), make_batch(), generator()
    )
    assert value.item() < 1e-4


def test_an_untrained_flow_knows_absent_places_as_standard_normal():
    size = FlowSize(dimension=3, token=2, features=4, condition=8, context=4, width=8, encoder=6)
    network = ConditionalFlow(size)
    batch = list(make_batch(256))
    value = flow_loss(network, tuple(batch), generator())
    spoilt = batch[4].clone()
    spoilt[::2, :, 2] = 1e3  # what stands in an absent place is not looked at
    batch[4] = spoilt
    torch.testing.assert_close(flow_loss(network, tuple(batch), generator()), value)
    value.backward()
    assert all(p.grad is not None for p in network.parameters())


def trained(network, loss, steps, rate=5e-3):
    optimizer = torch.optim.Adam(network.parameters(), rate)
    for step in range(steps):
        optimizer.zero_grad()
        loss(network, make_batch(seed=step, spread=SPREAD), generator(step)).backward()
        optimizer.step()
    return network.eval()


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    return trained(ConditionalField(SIZE), denoising_loss, 250)


def test_a_denoiser_learns_the_width_of_the_data(teacher):
    *told, free, _ = make_batch(seed=999)
    x = torch.linspace(-1.5, 1.5, 7)[None, :, None].expand(64, -1, 3) * free[:, None]
    sigma = torch.full((1, 7), 0.7)
    with torch.no_grad():
        told = teacher.condition(*told, free)
        found = denoise(lambda u, c: teacher(u, c, told) * free[:, None], x, sigma)
    narrow, unit = SPREAD**2 / (SPREAD**2 + 0.49), 1 / 1.49
    error = (found - x * torch.tensor([unit, narrow, unit])) * free[:, None]
    assert error.abs().mean() < 0.08


def test_a_student_learns_the_ends_of_its_teachers_flow(teacher):
    student = ConditionalField(SIZE)
    student.load_state_dict(teacher.state_dict())
    before = distillation_loss(student, teacher, make_batch(seed=998), generator())
    trained(student, lambda n, b, g: distillation_loss(n, teacher, b, g), 120, 3e-3)
    after = distillation_loss(student, teacher, make_batch(seed=998), generator())
    assert after.item() < 0.5 * before.item()
    *told, free, _ = make_batch(seed=997)
    with torch.no_grad():
        told = student.condition(*told, free)
        noise = 80 * torch.randn(64, 50, 3, generator=generator()) * free[:, None]
        ends = consistency_function(
            lambda u, c: student(u, c, told) * free[:, None],
            noise,
            torch.full((1, 50), 80.0),
            0.002,
        )
    assert ends[..., 1].std().item() == pytest.approx(SPREAD, abs=0.1)
    assert ends[..., 0].std().item() == pytest.approx(1.0, abs=0.1)
    assert not ends[::2, :, 2].any()


def test_training_without_a_teacher_lowers_its_loss():
    torch.manual_seed(0)
    network = ConditionalField(dataclasses.replace(SIZE, blocks=2))

    def loss(n, batch, g):
        return consistency_training_loss(n, batch, g, 0.2)

    batch = make_batch(seed=996, spread=SPREAD)
    before = loss(network, batch, generator()).item()
    trained(network, loss, 120, 2e-3)
    assert loss(network, batch, generator()).item() < 0.97 * before
