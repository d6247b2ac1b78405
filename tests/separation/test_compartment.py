"""The parallel model: exact where it holds, in both amplitudes and curves, and what it refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from tests.separation.toy import grey, make_problem

from betaplus.core.errors import UsageError
from betaplus.separation.compartment import Compartment, shapes_for
from betaplus.separation.parallel_fit import fit_parallel


def error(x, truth):
    return float(((x - truth) ** 2).sum().sqrt() / (truth**2).sum().sqrt())


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("delay", [600.0, 1800.0])
def test_mixtures_without_noise_are_separated_exactly(delay, shared):
    """Off the grid by the refinement: both tracers' curves to a part in a thousand or better."""
    problem, truth = make_problem(grey(12), delay=delay)
    settings = Compartment.Settings(refine=True, shared_volume=shared)
    found = Compartment(settings).fit(problem)
    assert error(found.x[0], truth[0]) < 1e-3
    assert error(found.x[1], truth[1]) < 1e-3
    on_grid = Compartment().fit(problem)
    assert error(on_grid.x[0], truth[0]) < 0.05 and error(on_grid.x[1], truth[1]) < 0.05


def test_fit_is_the_best_of_every_pair_on_the_grid():
    """The search and its non-negative solve against scipy's over all pairs of a small grid."""
    problem, _ = make_problem(grey(6, seed=3), noise=0.05, seed=1)
    full = (shapes_for(problem, 0), shapes_for(problem, 1, "2TCM3k"))
    small = []
    for shapes, counts in zip(full, ((9,), (6, 5)), strict=True):
        grid = dataclasses.replace(shapes.grid, counts=counts, coarse=(1,) * len(counts))
        problem_shapes = dataclasses.replace(shapes, grid=grid)
        values, chosen = shapes.grid.values(), []
        for column in grid.values().T:
            chosen.append(
                int(np.argmin(np.abs(np.log((values.T + 1e-9) / (column + 1e-9))).sum(1)))
            )
        small.append(dataclasses.replace(problem_shapes, tissue=shapes.tissue[chosen]))
    y = problem.mixture.reshape(6, -1).numpy()
    fit = fit_parallel(y, tuple(small), problem.decay, problem.weights, shared_volume=False)
    root = np.sqrt(problem.weights)
    for v in range(6):
        best = np.inf
        for a in small[0].tissue:
            for b in small[1].tissue:
                columns = [a, small[0].blood], [b, small[1].blood]
                matrix = np.stack(
                    [c * d for pair, d in zip(columns, problem.decay, strict=True) for c in pair], 1
                )
                best = min(best, nnls(matrix * root[:, None], y[v] * root)[1] ** 2)
        assert fit.cost[v] == pytest.approx(best, rel=1e-6)


def test_threads_do_not_change_a_bit():
    problem, _ = make_problem(grey(2100, seed=1), noise=0.1)
    one = Compartment().fit(problem, threads=1).x
    assert torch.equal(one, Compartment().fit(problem, threads=3).x)


def test_chi_square_is_one_where_the_model_holds():
    """A little above: rates at a bound or of no effect are counted as parameters, too."""
    problem, _ = make_problem(grey(400, seed=5), noise=0.02)
    assert Compartment().fit(problem).found["chi_square"] == pytest.approx(1.06, abs=0.12)


def test_prior_calms_rates_that_the_data_leave_open():
    problem, truth = make_problem(grey(300, seed=6), delay=0.0, noise=0.05)
    plain = Compartment().fit(problem).x
    calm = Compartment(Compartment.Settings(prior=1.0)).fit(problem).x
    assert error(calm[0], truth[0]) < error(plain[0], truth[0])


def test_what_cannot_be_fitted():
    problem, _ = make_problem(grey(2))
    with pytest.raises(UsageError, match="no blood of FDG"):
        Compartment().fit(dataclasses.replace(problem, blood=(problem.blood[0], None)))
    with pytest.raises(UsageError, match="model '3TCM' is unknown"):
        Compartment(Compartment.Settings(first="3TCM")).fit(problem)
    with pytest.raises(UsageError, match="prior"):
        Compartment.Settings(prior=-1.0)
