"""Fit one curve, so that every kernel is compiled and cached: `python -m ...exact.first_use`."""

from __future__ import annotations

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.kinetics.abc.method import Abc
from betaplus.kinetics.amortised.lean import LeanPass
from betaplus.kinetics.exact.method import Exact
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS

__all__ = ["fit_one_curve"]


def fit_one_curve() -> None:
    """Fit a made-up curve; the types are those of every other fit."""
    time = np.array([0.0, 10.0, 600.0])
    blood = np.array([0.0, 10.0, 1.0])
    task = Task(
        curve=InputCurve(time, blood, blood, "Bq/mL"),
        frames=FrameTiming.from_durations([60.0] * 10),
        half_life=6584.04,
        model="1TCM",
        prior=PRIORS["published"],
        delay=0.0,
    )
    curves, items = np.linspace(1.0, 2.0, 10)[None], np.zeros(1, dtype=np.int64)
    Exact().prepare(task).fit(curves, items)
    lean = LeanPass(task)
    padded = lean.padded(curves)
    pilot = lean.pilots(padded, np.zeros((1, 6)))
    x = np.zeros((1, 64, lean.free.size))
    lean.evaluate(padded, pilot, x)
    lean.reweight(padded, pilot, x, 64, 0)
    lean.predict(pilot, x, np.full((1, 64), 1.0 / 64), np.ones(1))
    abc = Abc.Settings(sampler="rejection", table=1024, simulations=400, accepted=100)
    Abc(abc).prepare(task).fit(curves, items)


if __name__ == "__main__":
    fit_one_curve()
