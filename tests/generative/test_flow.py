"""The conditional flow is a density, and its draws have that density."""

from __future__ import annotations

import math

import pytest
import torch

from betaplus.generative.flow import ConditionalFlow, FlowSize

SIZE = FlowSize(
    dimension=2, token=3, features=4, condition=8, context=6, width=16, transforms=2, bins=5,
    encoder=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def flow() -> ConditionalFlow:
    """A flow away from its start."""
    torch.manual_seed(3)
    network = ConditionalFlow(SIZE)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.25 * torch.randn_like(weight))
    return network.double().eval()


@pytest.fixture(scope="module")
def context(flow) -> torch.Tensor:
    torch.manual_seed(4)
    with torch.no_grad():
        return flow.condition(
            torch.randn(3, 5, 3).double(),
            torch.tensor([5, 5, 2]),
            torch.randn(3, 4).double(),
            torch.ones(3, 2).double(),
        )


@torch.no_grad()
def test_the_density_integrates_to_one(flow, context):
    # Not a normal density either: the mass within one unit of the origin differs.
    edge = torch.linspace(-12, 12, 201).double()
    step = (edge[1] - edge[0]).item()
    x = torch.cartesian_prod(edge, edge)
    density = flow.log_density(x[None].expand(3, -1, -1), context).exp()
    torch.testing.assert_close(density.sum(1) * step**2, torch.ones(3).double(), atol=5e-3, rtol=0)
    within = (density * (x.square().sum(-1) < 1)).sum(1) * step**2
    assert (within - (1 - math.exp(-0.5))).abs().max() > 0.05
    assert (density[0] - density[1]).abs().max() > 0.01  # the condition is heard


@torch.no_grad()
def test_draws_come_with_their_density(flow, context):
    normal = torch.randn(3, 2000, 2, dtype=torch.float64)
    x, log_density = flow.draw(normal, context)
    torch.testing.assert_close(log_density, flow.log_density(x, context), atol=1e-4, rtol=0)


@torch.no_grad()
def test_draws_follow_the_density(flow, context):
    # E[f] by draws against E[f] on the grid, f bounded.
    generator = torch.Generator().manual_seed(7)
    x, _ = flow.draw(torch.randn(3, 20_000, 2, generator=generator, dtype=torch.float64), context)
    edge = torch.linspace(-12, 12, 201).double()
    points = torch.cartesian_prod(edge, edge)[None].expand(3, -1, -1)
    density = flow.log_density(points, context).exp() * (edge[1] - edge[0]) ** 2
    for f in (torch.tanh, torch.cos):
        expected = (f(points) * density[..., None]).sum(1) / density.sum(1)[:, None]
        torch.testing.assert_close(f(x).mean(1), expected, atol=0.03, rtol=0)


@torch.no_grad()
def test_the_log_determinant_is_autograds(flow, context):
    normal = torch.randn(1, 4, 2, dtype=torch.float64)
    with torch.enable_grad():
        jacobian = torch.autograd.functional.jacobian(
            lambda z: flow.draw(z, context[:1])[0].sum(1)[0], normal
        )[:, 0]
    _, log_density = flow.draw(normal, context[:1])
    base = -0.5 * normal.square().sum(-1) - math.log(2 * math.pi)
    log_det = torch.linalg.slogdet(jacobian.permute(1, 0, 2))[1]
    torch.testing.assert_close(log_density[0], base[0] - log_det)


@torch.no_grad()
def test_single_precision_agrees(flow, context):
    normal = torch.randn(3, 500, 2)
    single = ConditionalFlow(SIZE).eval()
    single.load_state_dict({k: v.float() for k, v in flow.state_dict().items()})
    x, log_density = single.draw(normal, context.float())
    error = (log_density - single.log_density(x, context.float())).abs()
    assert error.max() < 1e-3 and error.median() < 1e-5
