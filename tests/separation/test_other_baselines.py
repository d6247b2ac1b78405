"""Extrapolation and factorisation, and the names of methods."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.separation.toy import FDG, FMZ, grey, make_problem

from betaplus.core.errors import UsageError
from betaplus.separation import METHODS
from betaplus.separation.basis import CurveSpace
from betaplus.separation.extrapolation import Extrapolation
from betaplus.separation.method import find_method
from betaplus.separation.nmf import Nmf


def error(x, truth):
    return float(((x - truth) ** 2).sum().sqrt() / (truth**2).sum().sqrt())


def test_extrapolation_finds_both_where_there_is_no_noise():
    """The grid of rates limits the first; its small error is what the second is left with."""
    problem, truth = make_problem(grey(8), delay=1800.0)
    found = Extrapolation().fit(problem)
    assert error(found.x[0], truth[0]) < 0.03 and error(found.x[1], truth[1]) < 0.03
    d = torch.from_numpy(problem.decay).float()
    both = problem.seen[1]
    total = d[0] * found.x[0] + d[1] * found.x[1]
    assert torch.allclose(total[..., both], problem.mixture[..., both], atol=1e-5)


def test_extrapolation_uses_the_frames_of_the_first_tracer_only():
    problem, _ = make_problem(grey(5), delay=1200.0, noise=0.02)
    later = problem.mixture.clone()
    later[..., problem.seen[1]] *= 3.0
    one = Extrapolation().fit(problem).x[0]
    two = Extrapolation().fit(dataclasses.replace(problem, mixture=later)).x[0]
    assert torch.equal(one, two)


def test_extrapolation_needs_frames_of_its_own():
    problem, _ = make_problem(grey(2), delay=0.0)
    with pytest.raises(UsageError, match="0 frames before the second injection"):
        Extrapolation().fit(problem)


def with_spaces(problem, truth):
    """Spaces about the true mean curves."""
    spaces = []
    for i in range(2):
        mean = truth[i].flatten(0, 2).double().mean(0).numpy()
        basis = (
            0.1 * np.linalg.svd(np.outer(mean, mean))[0][:, :2] * (problem.decay[i] > 0)[:, None]
        )
        spaces.append(CurveSpace(mean=mean, basis=basis, explained=np.ones(len(mean))))
    return dataclasses.replace(problem, spaces=(spaces[0], spaces[1]))


def test_nmf_recovers_a_mixture_of_its_own_kind():
    """Voxels that are amounts of one curve of each tracer: amounts are found with curves held."""
    fmz, fdg = ({k: np.repeat(v[:1], 30) for k, v in p.items()} for p in grey(1))
    problem, truth = make_problem((fmz, fdg))
    amounts = torch.from_numpy(np.random.default_rng(0).uniform(0.3, 2.0, (2, 30, 1, 1, 1))).float()
    truth = truth.float()
    problem = with_spaces(problem, truth)
    d = torch.from_numpy(problem.decay).float().reshape(2, 1, 1, 1, -1)
    scaled = dataclasses.replace(problem, mixture=(d * amounts * truth).sum(0))
    found = Nmf(Nmf.Settings(rows=1, iterations=3000, hold=True)).fit(scaled)
    assert error(found.x, amounts * truth) < 0.02
    assert (found.x[1][..., ~problem.seen[1]] == 0).all() and (found.x >= 0).all()


def test_nmf_lowers_its_misfit_and_is_the_same_for_a_seed():
    problem, truth = make_problem(grey(60), noise=0.03)
    problem = with_spaces(problem, truth)
    misfit = [
        Nmf(Nmf.Settings(iterations=n)).fit(problem, seed=1).found["misfit"] for n in (1, 20, 200)
    ]
    assert misfit == sorted(misfit, reverse=True)
    a, b = (Nmf().fit(problem, seed=2).x for _ in range(2))
    assert torch.equal(a, b)
    with pytest.raises(UsageError, match="no spaces"):
        Nmf().fit(dataclasses.replace(problem, spaces=None))


def test_methods_have_names():
    assert find_method("compartment").Settings().fwhm == 0.0
    assert {"inn", "inn-published", "extrapolation", "nmf", "ced", "cnn3d"} <= set(METHODS)
    with pytest.raises(UsageError, match="method 'magic' is unknown"):
        find_method("magic")
    assert FMZ.half_life < FDG.half_life
