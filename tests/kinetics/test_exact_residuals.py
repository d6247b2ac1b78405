"""The residuals' autocorrelation: the formulas, its null distribution and what it finds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.kinetics import brute_force as grid

from betaplus.kinetics.exact.method import Exact
from betaplus.kinetics.exact.residuals import togetherness
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS
from betaplus.physics.compartments import MODELS, predict


def task(model="2TCM", noise="auto"):
    return Task(
        curve=grid.CURVE,
        frames=grid.FRAMES,
        half_life=grid.HALF_LIFE,
        model=model,
        prior=PRIORS["default"],
        delay=0.0,
        noise=noise,
    )


def curves(n=1, **parameters):
    values = {k: torch.full((n,), v, dtype=torch.float64) for k, v in parameters.items()}
    return predict(grid.response(), {k: values[k] for k in (*MODELS["2TCM"].parameters,)}).numpy()


TISSUE = {"K1": 0.3, "k2": 0.5, "k3": 0.1, "k4": 0.05, "VB": 0.05}


@pytest.fixture(scope="module")
def fitter():
    return Exact().prepare(task())


def score(fitter, curve):
    """The statistic of one curve, and the work space it was found in."""
    found = fitter.fit(curve[None], np.zeros(1, dtype=np.int64))
    assert found["status"][0] != 3  # the number of draws would be another
    target = fitter.problem.target
    y = np.zeros(target.floor.size, np.float32)
    y[: curve.size] = curve / target.table.scale
    return togetherness(target, y, fitter.effort.fine, fitter._space()), y, fitter._space()


def test_the_moments_are_those_of_dense_matrices(fitter):
    curve = grid.noisy(curves(**TISSUE), 2.0, 3)[0]
    value, y, space = score(fitter, curve)
    T, d = len(grid.FRAMES), 3
    root = np.sqrt(space.own_weight[:T].astype(float))
    U, W = (a[:T].astype(float) for a in (space.U, space.W))
    X = np.stack([U, W], 1) * root[:, None]
    ab, (square,), *_ = np.linalg.lstsq(X, y[:T] * root, rcond=None)
    r = root * (y[:T] - ab[0] * U - ab[1] * W)
    J = space.J[: d + 2, :T].astype(float) * root * np.sqrt(T / square)
    high = fitter.problem.target.K1.high
    prior = np.diag([1.0] * d + [4 / high**2, 12.0])
    C = np.eye(T) - J.T @ np.linalg.solve(J @ J.T + prior, J)
    lag = np.abs(np.subtract.outer(np.arange(T), np.arange(T)))
    A = np.select([lag == 1, lag == 2, lag == 3], [0.375, 0.25, 0.125], 0.0)
    share = np.trace(A @ C) / np.trace(C)
    B = A - share * np.eye(T)
    sd = np.sqrt(2 * np.trace(B @ C @ B @ C)) * (r @ r) / np.trace(C)
    assert value == pytest.approx(r @ B @ r / sd, abs=0.02)


@pytest.mark.parametrize("level", [0.5, 20.0])
def test_few_curves_of_the_model_are_called_misfits(fitter, level):
    noisy = grid.noisy(np.repeat(curves(**TISSUE), 300, axis=0), level, 5)
    status = fitter.fit(noisy, np.arange(300))["status"]
    assert 0.002 < (status == 4).mean() < 0.065


def test_a_model_with_too_little_is_found_out():
    noisy = grid.noisy(curves(50, **TISSUE), 1.0, 6)
    wrong = Exact().prepare(task("1TCM")).fit(noisy, np.arange(50))["status"]
    assert (wrong == 4).mean() > 0.95
