"""The benchmark on a method that is known to be right: the prior itself as every posterior."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.pipeline.benchmark.kinetics import calibration as module
from betaplus.pipeline.benchmark.kinetics.calibration import (
    QUANTITIES,
    calibration,
    calibration_table,
    noise_range,
)
from betaplus.pipeline.benchmark.kinetics.cases import Scan
from betaplus.simulation.curves import draw_tacs
from betaplus.simulation.input_functions import feng

HALF_LIFE = 6586.2
BOX = {
    "K1": ("loguniform", 0.01, 5.0),
    "k2": ("loguniform", 0.02, 10.0),
    "k3": ("loguniform", 0.001, 2.0),
    "k4": ("loguniform", 0.0005, 0.5),
    "VB": ("uniform", 0.0, 1.0),
    "delay": ("uniform", -30.0, 60.0),
}


@pytest.fixture(scope="module")
def scan() -> Scan:
    frames = FrameTiming.from_durations([10.0] * 6 + [30.0] * 4 + [60.0] * 5 + [300.0] * 6)
    time = np.r_[0.0:120.0:4.0, 120.0:2280.0:60.0, 2280.0]
    plasma = 100.0 * feng(time / 60, (851.1, 21.88, 20.81), (4.134, 0.1191, 0.01043))
    return Scan(InputCurve(time, plasma, plasma, "Bq/mL"), frames, HALF_LIFE, "made up")


def prior_draws(n: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    out = {}
    for name, (kind, low, high) in BOX.items():
        u = rng.random(n)
        out[name] = low * (high / low) ** u if kind == "loguniform" else low + (high - low) * u
    out["Ki"] = out["K1"] * out["k3"] / (out["k2"] + out["k3"])
    out["BPND"] = out["k3"] / out["k4"]
    out["VT"] = out["K1"] / out["k2"] * (1 + out["BPND"])
    return out


class PriorMethod:
    """Answers with the prior whatever the data, which is calibrated; `wide` spoils it."""

    parameters = ("VT", "delay", "BPND", "VB", "Ki", "k4", "k3", "k2", "K1", "other")
    with_samples = True

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        wide: float = 1.0

    def __init__(self, settings) -> None:
        self.wide = settings.wide

    def prepare(self, task):
        self.task = task
        pool = prior_draws(100_000, 1) | {"other": np.full(100_000, np.nan)}
        self.pool = np.stack([pool[name] for name in self.parameters])
        levels = 0.5 + self.wide * (np.array(task.quantiles) - 0.5)
        self.quantiles = np.stack([np.quantile(row, levels) for row in self.pool])
        return self

    def noise(self, curves, items):
        return np.sin(12.9898 * items)  # of no meaning: the prior is right for any such third

    def fit(self, curves, items):
        n = len(curves)
        out = {
            "mean": np.tile(self.pool.mean(axis=1), (n, 1)),
            "std": np.tile(self.pool.std(axis=1), (n, 1)),
            "quantiles": np.tile(self.quantiles, (n, 1, 1)),
            "noise": self.noise(curves, items),
            "status": np.where(items % 4 == 0, 3, 1).astype(np.uint8),
        }
        if self.with_samples:
            size = self.task.samples
            out["samples"] = np.empty((n, len(self.parameters), size))
            for row, item in zip(out["samples"], items, strict=True):
                row[:] = self.pool[:, np.random.default_rng(item).integers(0, 100_000, size)]
        return out


class LookingMethod(PriorMethod):
    def noise(self, curves, items):
        return curves.mean(axis=1)


class NarrowMethod(PriorMethod):
    parameters = ("K1", "VB")
    with_samples = False

    def noise(self, curves, items):
        return np.full(len(curves), np.nan)


class OtherMethod(PriorMethod):
    parameters = ("other",)


@pytest.fixture
def methods(monkeypatch):
    kinds = {
        "prior": PriorMethod,
        "looking": LookingMethod,
        "narrow": NarrowMethod,
        "other": OtherMethod,
    }
    monkeypatch.setattr(module, "find_method", kinds.__getitem__)


def test_a_method_that_answers_with_the_prior_is_calibrated(scan, methods):
    found = calibration(scan, curves=3000, method="prior", draws=31)
    assert tuple(found["coverage"]["all"]) == QUANTITIES
    for group, errors in found["standard_error"].items():
        shares = np.array(list(found["coverage"][group].values()))
        assert np.abs((shares - found["intervals"]) / errors).max() < 4, group
    assert found["standard_error"]["all"][0] == pytest.approx(np.sqrt(0.25 / 3000))
    assert found["standard_error"]["low noise"][0] == pytest.approx(np.sqrt(0.25 / 1000))
    for rank in found["ranks"].values():
        assert min(rank["p_value"], rank["ecdf_p_value"]) > 1e-3
    assert found["draws"] == 31 and found["unranked"] == 0
    for kind in ("prior", "posterior"):
        assert found["tarp"][kind]["p_value"] > 1e-3
        assert abs(found["tarp"][kind]["area"]) < 4 * found["tarp"][kind]["area_error"]
    assert found["tarp"]["parameters"] == ["K1", "k2", "k3", "k4", "VB", "delay"]
    assert found["z"]["VB"]["sd"] == pytest.approx(1, abs=0.03)
    assert found["z"]["VB"]["contraction"] == pytest.approx(0, abs=0.05)
    assert found["status"] == {"ok": 2250, "refined": 750}
    assert found["meets"] == (abs(found["worst"]["all"]["deviation"]) <= 0.015)


def test_intervals_that_are_too_narrow_do_not_meet_the_limit(scan, methods):
    found = calibration(scan, curves=3000, method="prior", settings={"wide": 0.9}, draws=31)
    shares = np.array(list(found["coverage"]["all"].values()))
    # Quantiles at .5 + .9 (level - .5) of the prior cover .9 of what they should.
    error = np.array(found["standard_error"]["all"])
    assert np.abs((shares - 0.9 * np.array(found["intervals"])) / error).max() < 5
    assert not found["meets"]
    worst = found["worst"]["all"]
    at = found["coverage"]["all"][worst["parameter"]]
    deviation = np.array(at) - found["intervals"]
    assert np.abs(deviation).max() == abs(worst["deviation"])
    assert abs(worst["deviation"]) == np.abs(shares - found["intervals"]).max()


def test_thirds_of_the_data_catch_a_method_that_ignores_them(scan, methods):
    found = calibration(scan, curves=3000, method="looking", draws=0)
    assert abs(found["worst"]["all"]["deviation"]) < 0.04
    assert abs(found["worst"]["high noise"]["deviation"]) > 0.1


def test_a_method_with_less_is_judged_by_what_it_has(scan, methods):
    found = calibration(scan, curves=2000, method="narrow")
    assert list(found["coverage"]) == ["all"]  # no noise estimate, no thirds
    assert list(found["ranks"]) == ["K1", "VB"]
    assert found["tarp"] is None and found["draws"] == 0
    assert min(rank["p_value"] for rank in found["ranks"].values()) > 1e-3
    assert len(found["ecdf"]["points"]) == 19
    wrong = calibration(scan, curves=2000, method="narrow", settings={"wide": 0.8})
    assert max(rank["p_value"] for rank in wrong["ranks"].values()) < 1e-6
    assert "TARP" not in calibration_table(found)
    assert "from quantiles" in calibration_table(found)


def test_noise_runs_from_one_to_forty_percent(scan):
    # sigma^2 = l^2 (C + c0) DCF / D, with DCF by the decay integral and c0 of the largest mean.
    low, high = noise_range(scan)
    assert high / low == pytest.approx(40)
    box = {**BOX, "noise": ("uniform", high, high)}
    _, clean, noisy = draw_tacs(scan.response(1.0), box, 3000, 5)
    late = clean[:, -4:]
    rate = np.log(2) / HALF_LIFE
    start, length = scan.frames.start[-4:], scan.frames.duration[-4:]
    decay = rate * length * np.exp(rate * start) / -np.expm1(-rate * length)
    floor = 1e-3 * scan.response(1.0).plasma_mean().numpy().max()
    sd = high * np.sqrt((late + floor) * decay / (length / 60))
    assert np.median(sd / late) == pytest.approx(0.4, rel=0.03)
    # and of the noise itself: the median of |N(0, 1)| is .6745
    assert np.median(np.abs(noisy[:, -4:] - late) / sd) == pytest.approx(0.6745, rel=0.03)


def test_truths_are_those_of_the_default_prior(scan, methods, monkeypatch):
    seen = {}

    def spy(names, quantiles, truth, noise):
        seen.update(zip(names, truth.T, strict=True))
        return kept(names, quantiles, truth, noise)

    kept = module.coverage_checks
    monkeypatch.setattr(module, "coverage_checks", spy)
    calibration(scan, curves=2000, method="prior", draws=0)
    expected = prior_draws(100_000, 3)
    for name in QUANTITIES:
        below = [(seen[name] < q).mean() for q in np.quantile(expected[name], [0.1, 0.5, 0.9])]
        np.testing.assert_allclose(below, [0.1, 0.5, 0.9], atol=0.045)


@pytest.mark.parametrize("method", ["exact", "nlls"])
def test_a_tiny_run_of_real_methods(scan, method):
    first = calibration(scan, curves=12, method=method, draws=15)
    assert json.loads(json.dumps(first)) == first
    assert sum(first["status"].values()) == 12
    assert set(first["coverage"]["all"]) == set(QUANTITIES)
    assert first["tarp"] is not None
    table = calibration_table(first)
    for text in ("| K1 |", "| BPND |", "| standard error |", "high noise", "from 15 draws", "TARP"):
        assert text in table
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {6, 9}


def test_the_result_is_that_of_the_seed_whatever_the_blocks(scan, methods, monkeypatch):
    first = calibration(scan, curves=100, method="prior", draws=15)
    monkeypatch.setattr(module, "_BLOCK", 7)
    assert calibration(scan, curves=100, method="prior", draws=15) == first
    other = calibration(scan, curves=100, method="prior", draws=15, seed=1)
    assert other["coverage"] != first["coverage"]


@pytest.mark.slow
def test_the_exact_posterior_is_well_calibrated(scan):
    found = calibration(scan, curves=400, draws=31)
    off = np.array(list(found["coverage"]["all"].values())) - found["intervals"]
    assert np.abs(off / found["standard_error"]["all"]).max() < 4.5


def test_what_cannot_be_run_is_refused(scan, methods):
    with pytest.raises(UsageError, match="multiple of 16"):
        calibration(scan, curves=30, method="prior", draws=100)
    with pytest.raises(UsageError, match="at least 3"):
        calibration(scan, curves=2, method="prior")
    with pytest.raises(UsageError, match="other"):
        calibration(scan, curves=30, method="other")
