"""Scores against closed forms; the benchmark on a comparison whose answers are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.kinetics.compare import COMPARED, Comparison
from betaplus.pipeline.benchmark.kinetics.cases import Scan
from betaplus.pipeline.benchmark.kinetics.trust import run as module
from betaplus.pipeline.benchmark.kinetics.trust.misfit import misfit_rates
from betaplus.pipeline.benchmark.kinetics.trust.run import trust, trust_table
from betaplus.pipeline.benchmark.kinetics.trust.scores import ENOUGH, brier, paired, reliability
from betaplus.simulation.input_functions import feng

QUICK = {"coarse": 256, "pilot": 128, "fine": 256, "least_ess": 50, "largest": 1024}


@pytest.fixture(scope="module")
def scan() -> Scan:
    frames = FrameTiming.from_durations([5.0] * 12 + [15.0] * 4 + [60.0] * 6 + [300.0] * 5)
    time = np.r_[0.0:120.0:4.0, 120.0:1980.0:60.0, 1980.0]
    plasma = 100.0 * feng(time / 60, (851.1, 21.88, 20.81), (4.134, 0.1191, 0.01043))
    return Scan(InputCurve(time, plasma, plasma, "Bq/mL"), frames, 6584.04, "made up")


def test_brier_scores():
    p = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])
    np.testing.assert_allclose(brier(p, np.array([0, 0, 2])), [0.0, 2.0, 0.04 + 0.09 + 0.25])
    found = paired(np.zeros(4), np.array([1.0, 1.0, 3.0, 3.0]))
    assert found["mean"] == 2.0
    assert found["standard_error"] == pytest.approx(np.std([1, 1, 3, 3], ddof=1) / 2)


def test_reliability_of_right_and_of_bold_probabilities():
    random = np.random.default_rng(1)
    p = random.dirichlet([1.0, 1.0, 1.0], size=9000)
    truth = (p.cumsum(axis=1) < random.random((9000, 1))).sum(axis=1)
    found = reliability(p, truth, COMPARED)
    assert set(found["groups"]) == {"all", *COMPARED}
    assert sum(b["count"] for b in found["groups"]["all"]) == 27_000
    assert sum(b["count"] for b in found["groups"]["2TCM"]) == 9000
    z = [
        (b["observed"] - b["predicted"]) / b["standard_error"]
        for bins in found["groups"].values()
        for b in bins
    ]
    assert np.abs(z).max() < 4 and np.std(z) == pytest.approx(1, abs=0.35)
    judged = [b for b in found["groups"]["1TCM"] if b["count"] >= ENOUGH]
    worst = max(abs(b["observed"] - b["predicted"]) for b in judged)
    assert abs(found["worst"]["1TCM"]["difference"]) == worst < 0.05
    bold = p**3 / (p**3).sum(axis=1, keepdims=True)
    assert abs(reliability(bold, truth, COMPARED)["worst"]["all"]["difference"]) > 0.1
    assert reliability(p[:50], truth[:50], COMPARED)["worst"]["1TCM"] is None


def fake_compare(data, blood, **options):
    """Certain of the right model of 8 in 10 curves, and of the next one of the others."""
    n = len(data)
    truth = np.repeat(np.arange(3), n // 3)
    said = np.where(np.arange(n) % 5 == 0, (truth + 1) % 3, truth)
    certain = np.eye(3)[said]
    even = np.full((n, 3), 1 / 3)
    status = np.ones((n, 3), np.uint8)
    status[np.arange(n) % 10 == 0] = 4
    assert options["prior"]["noise"].high / options["prior"]["noise"].low == pytest.approx(40)
    return Comparison(
        names=data.names,
        models=COMPARED,
        log_evidence=np.zeros((n, 3)),
        probability=certain,
        sensitivity=even,
        ess=np.full((n, 3), 500.0),
        status=status,
        aic=-2.0 * np.log(0.5 * certain + 0.5 / 3),
        bic=np.zeros((n, 3)),
        akaike=0.5 * certain + 0.5 / 3,
        settings={"wider": {"factor": options["wider"], "k3": [1e-5, 90.0]}},
    )


def test_the_numbers_are_those_of_the_comparison(scan, monkeypatch):
    monkeypatch.setattr(module, "compare", fake_compare)
    monkeypatch.setattr(module, "misfit_rates", lambda *a, **k: misfits)
    rates = {"right": True, "rate": [0.01, 0.02]}
    low = {"right": False, "rate": [0.9, 0.1], "table_rate": [1.0, None]}
    misfits = {
        "curves": 10,
        "late_sd": [0.01, 0.15],
        "residuals": {"grey": rates, "liver, two inputs": {"right": False, "rate": [0.7, 0.1]}},
        "frames": {"frames shifted by one, delay known": low},
        "regions": 10,
        "standard_error": 0.1,
    }
    found = trust(scan, curves=1500)
    assert found["brier"]["evidence"] == pytest.approx(0.2 * 2)
    assert found["brier"]["wider"] == found["brier"]["bic"] == pytest.approx(2 / 3)
    # a share of 1/2 + 1/6 = 2/3 for what was said, 1/6 for each other
    right, wrong = 1 / 9 + 2 / 36, (5 / 6) ** 2 + 4 / 9 + 1 / 36
    assert found["brier"]["aic"] == pytest.approx(0.8 * right + 0.2 * wrong)
    gap = found["brier"]["aic"] - found["brier"]["evidence"]
    assert found["better"]["aic"]["mean"] == pytest.approx(gap)
    assert found["right"]["evidence"] == 0.8
    assert found["sensitivity"]["largest"] == pytest.approx(2 / 3)
    assert found["sensitivity"]["median"] == pytest.approx(1 / 3)
    assert found["false_misfits"]["all"] == pytest.approx(0.1)
    assert found["meets"] == {
        "reliable": False,
        "better than AIC": found["brier"]["evidence"] < found["brier"]["aic"],
        "false misfits": False,
        "power, liver with two inputs": False,
        "power, shifted frames, delay known": True,
    }
    table = trust_table(found)
    for text in ("| AIC weights | 0.", "Misfits under the model", "| liver, two inputs | wrong |"):
        assert text in table
    assert "90.0 (100) | 10.0 (n/a) |" in table


@pytest.mark.slow
def test_a_tiny_run(scan):
    found = trust(scan, curves=6, misfit_curves=2, late_sd=(0.02,), settings=QUICK, workers=1)
    assert json.loads(json.dumps(found)) == found
    assert found["sensitivity"]["factor"] == 2 and set(found["sensitivity"]["ranges"]) == {
        "k3",
        "k4",
    }
    rows = [line for line in trust_table(found).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {4, 6}


@pytest.mark.slow
def test_two_inputs_are_found_and_one_is_not(scan):
    found = misfit_rates(scan, curves=40, late_sd=(0.01,), settings=QUICK, workers=1)
    rates = {name: part["rate"][0] for name, part in found["residuals"].items()}
    assert rates["liver, two inputs"] > 0.9
    assert rates["liver, one input"] < 0.15 and rates["grey matter, delay fitted"] < 0.15
    frames = found["frames"]["frames shifted by one, delay known"]
    assert frames["rate"][0] > 0.8 and frames["table_rate"] == [1.0]
    assert found["frames"]["grey matter, delay known"]["rate"][0] < 0.1


def test_thirds_are_needed(scan):
    with pytest.raises(UsageError, match="multiple of 3"):
        trust(scan, curves=10)
