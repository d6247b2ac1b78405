"""Noise levels do not depend on how much air a mask holds."""

import dataclasses

import numpy as np
import pytest
import torch

from betaplus.core.crew import ThreadCrew
from betaplus.patlak.beginning import begin, needed
from betaplus.patlak.noise_map import tissue
from betaplus.patlak.problem import PatlakProblem


def ball(*, air: bool) -> PatlakProblem:
    """A ball of 2 SUV with noise, in air with next to none."""
    rng = np.random.default_rng(0)
    shape = (64, 64, 64)
    place = np.indices(shape) - 31.5
    inside = (place**2).sum(0) < 24.0**2
    spread = np.where(inside, 0.2, 1e-3)
    left = rng.standard_normal((6, *shape)) * spread
    h = np.stack([np.where(inside, 1.0, 0.0)] * 2) + rng.standard_normal((2, *shape)) * spread
    noise = rng.standard_normal(shape) * spread
    return PatlakProblem(
        h=torch.tensor(h, dtype=torch.float32),
        normal=torch.eye(2, dtype=torch.float64)[:, :, None].repeat(1, 1, 64),
        misfit=torch.tensor((left**2).sum(0), dtype=torch.float32),
        noise=torch.tensor(noise, dtype=torch.float32),
        freedom=torch.full((64,), 6),
        scale=torch.ones(2, dtype=torch.float64),
        voxel=(4.0, 4.0, 4.0),
        mask=torch.ones(shape, dtype=torch.bool) if air else torch.tensor(inside),
    )


def test_tissue_is_the_ball() -> None:
    problem = ball(air=True)
    true = ball(air=False).mask.numpy()
    found = tissue(problem)
    assert (found & true).sum() == true.sum()
    assert found.sum() < 1.5 * true.sum() < 0.4 * found.size


def test_noise_is_that_of_tissue() -> None:
    whole, inner = (
        begin(ball(air=air), lambda x, sigma: x, ThreadCrew(1), correlated=True)
        for air in (True, False)
    )
    assert inner.noise == pytest.approx(0.2, rel=0.1)
    assert whole.noise == pytest.approx(inner.noise, rel=0.35)
    assert inner.found["noise_voxels"] == pytest.approx(1.0, abs=0.2)


def test_no_uptake_takes_the_mask() -> None:
    problem = ball(air=False)
    empty = dataclasses.replace(problem, h=torch.zeros_like(problem.h))
    assert (tissue(empty) == problem.mask.numpy()).all()


def test_a_prior_is_needed() -> None:
    with pytest.raises(Exception, match="hqs has no prior"):
        needed("hqs", None)
