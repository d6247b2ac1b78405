"""Curves from a prior: their distribution, their noise, and files that load."""

from __future__ import annotations

import numpy as np
import pytest

import betaplus
from betaplus.core.errors import InputError, UsageError
from betaplus.core.seeds import generator
from betaplus.io.tsv import read_table
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse
from betaplus.simulation import PROFILES, PUBLISHED_BOX, draw_tacs, simulate_tacs
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.noise import noise_sd


@pytest.fixture(scope="module")
def response():
    profile = PROFILES["FDG"]
    blood = draw_blood(profile.blood, profile.activity_per_gram, 3000.0, generator(0))
    return InputResponse(blood.curve(3000.0), profile.frames, profile.tracer.half_life)


@pytest.fixture(scope="module")
def drawn(response):
    return draw_tacs(response, PUBLISHED_BOX, 3000, 5)


def test_parameters_fill_the_box_evenly(drawn):
    from scipy.stats import kstest

    parameters, _, _ = drawn
    for name, (_, low, high) in PUBLISHED_BOX.items():
        if low == high:
            assert (parameters[name] == low).all()
            continue
        assert kstest(parameters[name], "uniform", args=(low, high - low)).pvalue > 1e-3
    table = np.corrcoef([parameters[p] for p in ("K1", "k2", "k3", "k4", "VB", "noise")])
    assert np.abs(table - np.eye(6)).max() < 0.08


def test_log_uniform_is_uniform_in_the_logarithm(response):
    prior = {**PUBLISHED_BOX, "K1": ("loguniform", 0.01, 5.0)}
    K1 = draw_tacs(response, prior, 2000, 1)[0]["K1"]
    assert K1.min() >= 0.01 and K1.max() <= 5.0
    middle = np.sqrt(0.01 * 5.0)
    share = np.mean(middle > K1)
    assert share == pytest.approx(0.5, abs=0.05)


def test_noise_is_standard_normal_in_units_of_the_model(drawn, response):
    parameters, clean, noisy = drawn
    gain = noise_gain(response.frames, response.half_life)
    sd = noise_sd(clean, parameters["noise"][:, None], gain, noise_floor(response))
    z = (noisy - clean) / sd
    assert z.std(axis=0) == pytest.approx(1, abs=5 / np.sqrt(2 * len(z)))
    assert z.mean(axis=0) == pytest.approx(0, abs=5 / np.sqrt(len(z)))
    assert np.abs(np.corrcoef(z.T) - np.eye(z.shape[1])).max() < 0.1


def test_a_curve_belongs_to_its_index(drawn, response):
    parameters, clean, noisy = draw_tacs(response, PUBLISHED_BOX, 40, 5)
    assert np.array_equal(parameters["K1"], drawn[0]["K1"][:40])
    assert np.array_equal(noisy - clean, (drawn[2] - drawn[1])[:40])
    other = draw_tacs(response, PUBLISHED_BOX, 40, 6)
    assert not np.isin(other[0]["K1"], parameters["K1"]).any()


def test_dose_changes_only_the_noise(response):
    full = draw_tacs(response, PUBLISHED_BOX, 20, 1)
    quarter = draw_tacs(response, PUBLISHED_BOX, 20, 1, dose_fraction=0.25)
    assert np.array_equal(full[1], quarter[1])
    assert quarter[0]["noise"] == pytest.approx(2 * full[0]["noise"])
    assert quarter[2] - quarter[1] == pytest.approx(2 * (full[2] - full[1]))


def test_simpler_models_leave_parameters_out(response):
    prior = {k: v for k, v in PUBLISHED_BOX.items() if k in ("K1", "k2", "VB", "noise")}
    parameters, clean, _ = draw_tacs(response, prior, 5, 0)
    assert set(parameters) == set(prior)
    fixed = {**prior, "k3": ("uniform", 0.0, 0.0), "k4": ("uniform", 0.0, 0.0)}
    assert clean == pytest.approx(draw_tacs(response, fixed, 5, 0)[1], rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"K1": None}, "no K1"),
        ({"Ki": ("uniform", 0, 1)}, "unknown 'Ki'"),
        ({"k3": None}, "k4 without k3"),
        ({"K1": ("uniform", 2.0, 1.0)}, "prior of K1"),
        ({"K1": ("normal", 0.0, 1.0)}, "normal"),
        ({"K1": ("loguniform", 0.0, 1.0)}, "expected low above 0"),
    ],
)
def test_priors_that_are_none(response, change, message):
    prior = {k: v for k, v in {**PUBLISHED_BOX, **change}.items() if v is not None}
    with pytest.raises(InputError, match=message):
        draw_tacs(response, prior, 2, 0)


@pytest.mark.parametrize("tracer", PROFILES)
def test_files_load(tmp_path, tracer):
    paths = simulate_tacs(tmp_path / "out", n=7, tracer=tracer, seed=2)
    table = betaplus.load_tacs(paths["tacs"])
    blood = betaplus.load_blood(paths["blood"])
    profile = PROFILES[tracer]
    assert table.frames == profile.frames and table.tracer.radionuclide in ("F18", "C11", "Cu62")
    assert table.unit == "Bq/mL" and table.decay_corrected_to == 0.0 and not table.remarks
    end = float(profile.frames.end[-1])
    response = InputResponse(blood.curve(end), profile.frames, profile.tracer.half_life)
    parameters, _, noisy = draw_tacs(response, PUBLISHED_BOX, 7, 2)
    assert np.array_equal(table.values, noisy)
    truth = read_table(paths["truth/kinpar"])
    assert tuple(truth["region"]) == table.names
    assert np.array_equal(np.array(truth["k3"], dtype=float), parameters["k3"])
    first = {name: float(column[0]) for name, column in truth.items() if name != "region"}
    assert first["Ki"] == pytest.approx(first["K1"] * first["k3"] / (first["k2"] + first["k3"]))
    VT = first["K1"] / first["k2"] * (1 + first["k3"] / first["k4"])
    assert first["VT"] == pytest.approx(VT)


def test_mistakes_write_nothing(tmp_path):
    for mistake in ({"n": 0}, {"tracer": "XYZ"}, {"dose_fraction": -1.0}):
        with pytest.raises(UsageError):
            simulate_tacs(tmp_path / "new", **mistake)
    assert not (tmp_path / "new").exists()
