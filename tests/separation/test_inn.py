"""`inn`: an untrained network is the estimate from tissues, and tiles make no difference."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from tests.generative.invertible.stirred import stirred
from tests.separation.small_study import small_problem

from betaplus.core.errors import UsageError
from betaplus.separation.bundle import TrainedSeparation
from betaplus.separation.features import condition_count, context_count
from betaplus.separation.inn import Inn
from betaplus.separation.known import FIT
from betaplus.separation.network import SeparationNetwork, SeparationSize
from betaplus.separation.tissues import Tissues

SAME = Tissues(Tissues.Settings(steps=FIT.steps, sample=FIT.sample))


def trained(
    stir: float | None = None, first: int = 6, widths: tuple[int, ...] = (4, 4)
) -> TrainedSeparation:
    torch.manual_seed(0)
    size = SeparationSize(
        dimensions=3, first=first, second=6, condition=condition_count(first + 6),
        context=context_count(first + 6), widths=widths, stem=1,
    )  # fmt: skip
    network = SeparationNetwork(size)
    network = network if stir is None else stirred(network, stir)
    return TrainedSeparation(network=network.eval().requires_grad_(False))


@pytest.mark.parametrize("delay", [0.0, 1200.0])
def test_an_untrained_network_is_the_estimate_from_tissues(delay):
    problem, _ = small_problem(delay)
    found = Inn(Inn.Settings(), trained()).fit(problem)
    same = SAME.fit(problem)
    torch.testing.assert_close(found.x, same.x, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(found.std, same.std, atol=1e-4, rtol=1e-3)
    assert found.x.dtype == torch.float32 and (found.x[:, ~problem.mask] == 0).all()
    seen = torch.as_tensor(problem.seen)
    assert all((found.x[i][..., ~seen[i]] == 0).all() for i in range(2))


@pytest.mark.parametrize("settings", [{}, {"kinetics": False}, {"kinetics": True}])
def test_it_starts_from_what_its_weights_were_trained_with(monkeypatch, settings):
    seen = []

    def told(problem, fit):
        seen.append(fit)
        raise KeyboardInterrupt

    monkeypatch.setattr("betaplus.separation.inn.known_of", told)
    bundle = SimpleNamespace(config=SimpleNamespace(settings=settings))
    method = Inn(None, dataclasses.replace(trained(), bundle=bundle))
    with pytest.raises(KeyboardInterrupt):
        method.fit(small_problem()[0])
    assert seen == [dataclasses.replace(FIT, kinetics=settings.get("kinetics", False))]


def test_directions_may_be_turned_any_way():
    problem, _ = small_problem()
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1)))[0]
    spaces = tuple(
        dataclasses.replace(space, basis=space.basis @ turn.double().numpy())
        for space in problem.spaces
    )
    method = Inn(None, trained(0.05))
    other = method.fit(dataclasses.replace(problem, spaces=spaces))
    torch.testing.assert_close(other.x, method.fit(problem).x, atol=1e-3, rtol=1e-3)


def test_tiles_and_threads_do_not_change_the_result():
    problem, _ = small_problem(1200.0, 36)
    problem = dataclasses.replace(problem, mask=torch.ones_like(problem.mask))
    network = trained(0.06, widths=(4,))  # it sees 8 voxels far, no further than a halo
    whole = Inn(Inn.Settings(tile=36), network).fit(problem)
    assert whole.found["tiles"] == 1
    settings = Inn.Settings(tile=31, overlap=26)
    tiled = Inn(settings, network).fit(problem)
    assert tiled.found["tiles"] == 8
    away = (whole.x - SAME.fit(problem).x).abs().max()
    assert away > 0.05
    torch.testing.assert_close(tiled.x, whole.x, atol=float(1e-5 * away), rtol=1e-5)
    again = Inn(settings, network).fit(problem, threads=3)
    assert torch.equal(again.x, tiled.x)


def test_the_projection_adds_up_to_the_mixture():
    problem, _ = small_problem()
    network = trained(0.05)
    d = torch.as_tensor(problem.decay).float()

    def left(found):
        mixed = (d[:, None, None, None] * found.x).sum(0)
        return (problem.mixture - mixed)[problem.mask].abs().max()

    plain = Inn(Inn.Settings(), network).fit(problem)
    moved = Inn(Inn.Settings(projection=True), network).fit(problem)
    assert left(plain) > 0.05 and left(moved) < 1e-4
    assert torch.isfinite(moved.x).all()
    assert moved.std is None and plain.std is not None


def test_a_network_of_more_directions_is_refused():
    problem, _ = small_problem()
    with pytest.raises(UsageError, match="6 directions"):
        Inn(None, trained(first=7)).fit(problem)
    with pytest.raises(UsageError, match="no spaces"):
        Inn(None, trained()).fit(dataclasses.replace(problem, spaces=None))
    with pytest.raises(UsageError, match="tiles of 0"):
        Inn.Settings(tile=0)
