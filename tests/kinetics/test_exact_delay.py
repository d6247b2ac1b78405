"""Curves with next to no noise and a delay of their own, as means of regions are: resolved."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer
from betaplus.io.blood import load_blood
from betaplus.io.open import load
from betaplus.kinetics.exact.method import THOROUGH
from betaplus.kinetics.fit import fit
from betaplus.kinetics.method import find_method
from betaplus.kinetics.prior import PRIORS
from betaplus.pipeline.benchmark.kinetics.cases import Scan
from betaplus.simulation.curves import draw_tacs
from betaplus.simulation.dynamic import simulate_dynamic
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.tracers import find_profile

_BRAIN = {
    "K1": ("uniform", 0.05, 0.2),
    "k2": ("uniform", 0.05, 0.15),
    "k3": ("uniform", 0.03, 0.1),
    "k4": ("uniform", 0.001, 0.01),
    "VB": ("uniform", 0.01, 0.05),
    "delay": ("uniform", 0.0, 8.0),
    "noise": ("uniform", 1.0, 1.5),
}


@pytest.mark.parametrize("late", [0.02, 0.004, 0.001])
def test_a_curve_of_a_region_is_resolved_and_its_interval_holds_the_truth(late):
    # The mode used to be sought once: with a delay far off, blood explains nothing, the frames
    # before arrival get next to no variance, and the search ended there with one point of weight.
    profile = find_profile("FDG")
    frames = FrameTiming.from_durations(profile.durations)
    blood = draw_blood(profile.blood, profile.activity_per_gram, 3000.0, np.random.default_rng(5))
    scan = Scan(blood.curve(3000.0), frames, Tracer.of("F18").half_life, "test")
    dose, n = scan.dose(late), 60
    response = scan.response(dose)
    truth, _, noisy = draw_tacs(response, _BRAIN, n, 3)
    task = dataclasses.replace(scan.task(dose, delay=True), prior=PRIORS["default"])
    fitter = find_method("exact")(THOROUGH).prepare(task)
    found = fitter.fit(noisy, np.arange(n))
    at = fitter.parameters.index("delay")
    low, _, high = found["quantiles"][:, at].T
    held = np.mean((low <= truth["delay"]) & (truth["delay"] <= high))
    assert found["ess"].min() > 100
    assert 0.75 <= held <= 0.99


def test_every_region_of_the_first_head_is_resolved(tmp_path):
    # Its fluid has a mode of fast kinetics that a search comes to from the best of the coarse set.
    files = simulate_dynamic(tmp_path)
    posterior = fit(load(files["tacs"]), load_blood(files["blood"]), model="2TCM", seed=0)
    assert posterior.diagnostics["ess"].min() > 100
    assert not any("effective points" in remark for remark in posterior.remarks)
