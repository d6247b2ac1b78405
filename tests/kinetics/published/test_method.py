"""The published method through a fitter: what it returns, what it refuses, whose draws they are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from betaplus.core import FrameTiming, InputCurve, InputError, UsageError
from betaplus.core.settings import make_settings
from betaplus.generative.bundle_writing import ModelCard, TrainingRecord, write_bundle
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS, Distribution
from betaplus.kinetics.published.curves import FRAMES, knots_response, noise_sd
from betaplus.kinetics.published.method import ConsistencyPublished, derived
from betaplus.kinetics.published.network import PublishedNetwork
from betaplus.kinetics.published.simulator import from_standard
from betaplus.simulation.input_functions import feng, sample_times

TIME = sample_times(3000.0)
BLOOD = feng(TIME / 60 - 0.3, (2.8e5, 7e3, 7e3), (4.1, 0.12, 0.01))
CURVE = InputCurve(TIME, BLOOD, BLOOD, "Bq/mL")
TASK = Task(
    curve=CURVE,
    frames=FRAMES,
    half_life=6584.04,
    model="2TCM",
    prior=PRIORS["published"],
    delay=0.0,
    seed=5,
)
THETA = np.array([[0.3, 0.8, 0.1, 0.02, 0.1], [0.1, 0.2, 0.1, -0.02, 0.05]])


def write(folder, network):
    return write_bundle(
        folder,
        task="kinetics",
        name="published",
        version=1,
        tensors=network.state_dict(),
        architecture={},
        validity={},
        settings={},
        card=ModelCard(what="Random.", training_data="None.", metrics=[], limits="All."),
        training=TrainingRecord(
            command="", seed=0, code_version="0", data="", minutes=0.0, steps=0, metrics={}
        ),
        dtype="float32",
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    torch.manual_seed(1)
    return str(write(tmp_path_factory.mktemp("bundles"), PublishedNetwork()))


@pytest.fixture
def prepare(bundle):
    def made(settings=(), **changes):
        chosen = make_settings(ConsistencyPublished.Settings, {"bundle": bundle, **dict(settings)})
        return ConsistencyPublished(chosen).prepare(dataclasses.replace(TASK, **changes))

    return made


def noisy(n, level=4.0):
    clean, _ = knots_response(THETA, TIME, BLOOD)
    clean = np.repeat(clean, n, axis=0)
    rng = np.random.default_rng(0)
    return clean + noise_sd(clean, level) * rng.standard_normal(clean.shape)


def test_what_comes_back(prepare):
    fitter = prepare({"draws": 300}, samples=200, predict=True, quantiles=(0.05, 0.5, 0.95))
    assert fitter.parameters == ("K1", "k2", "k3", "k4", "VB", "Ki", "VT", "BPND")
    curves = noisy(2)
    found = fitter.fit(curves, np.arange(4))
    shapes = {"mean": (4, 8), "std": (4, 8), "quantiles": (4, 8, 3), "samples": (4, 8, 200)}
    shapes |= {name: (4, 35) for name in ("fit", "fit_std", "sigma")}
    shapes |= {name: (4,) for name in ("ess", "chi2", "noise", "status")}
    assert {name: value.shape for name, value in found.items()} == shapes
    assert all(v.dtype == (np.uint8 if k == "status" else np.float32) for k, v in found.items())
    assert all(np.isfinite(value).all() for value in found.values())
    assert (found["ess"] == 300).all()
    draws = found["samples"].astype(np.float64)
    K1, k2, k3, _, _, Ki = draws.transpose(1, 0, 2)[:6]
    np.testing.assert_allclose(Ki, K1 * k3 / (k2 + k3), rtol=1e-4)
    # The curve is that of the mean, and what is said of its residuals is of them.
    fit, _ = knots_response(found["mean"][:, :5].astype(np.float64), TIME, BLOOD)
    np.testing.assert_allclose(found["fit"], fit, rtol=1e-4)
    cost = (((curves - found["fit"]) / found["sigma"]) ** 2).sum(1)
    np.testing.assert_allclose(found["chi2"], cost / 30, rtol=1e-3)
    assert prepare().fit(curves[:0], np.arange(0))["mean"].shape == (0, 8)


def test_draws_of_a_network_without_a_field(bundle, tmp_path):
    """All weights 0: f = x / ((t - t_min)^2 + 1), and moments are those of the prior, shrunk."""
    network = PublishedNetwork()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    settings = ConsistencyPublished.Settings(draws=4000, bundle=str(write(tmp_path, network)))
    found = ConsistencyPublished(settings).prepare(TASK).fit(noisy(1)[:1], np.arange(1))
    variance = 0.0
    for level in (1.0, 2 / 3, 1 / 3):
        variance = (variance + level**2) / ((level - 0.002) ** 2 + 1) ** 2
    centre = from_standard(np.zeros(5))
    unit = from_standard(np.ones(5)) - centre
    np.testing.assert_allclose(found["std"][0, :5], unit * variance**0.5, rtol=0.05)
    error = 5 * unit * (variance / 4000) ** 0.5
    assert (np.abs(found["mean"][0, :5] - centre) < error).all()


def test_results_do_not_depend_on_the_batch(prepare):
    curves, items = noisy(3), np.array([4, 9, 2, 7, 0, 11])
    for embedding in ("per-draw", "shared"):
        fitter = prepare({"draws": 120, "embedding": embedding}, samples=50, predict=True)
        whole = fitter.fit(curves, items)
        order = np.array([5, 2, 0, 1, 4, 3])
        for part in (order[:1], order[1:4], order[4:]):
            alone = fitter.fit(curves[part], items[part])
            for name, value in alone.items():
                assert np.array_equal(value, whole[name][part]), name
    other = prepare({"draws": 120, "embedding": "shared"}, samples=50).fit(curves, items + 1)
    assert not np.isclose(other["mean"], whole["mean"], rtol=1e-6).all(1).any()


def test_samples_beyond_the_draws(prepare):
    found = prepare({"draws": 10}, samples=1500).fit(noisy(1)[:1], np.arange(1))
    assert found["samples"].shape == (1, 8, 1500) and found["ess"][0] == 1500
    np.testing.assert_allclose(found["mean"][0, :5], found["samples"][0, :5].mean(1), rtol=1e-4)


def test_misfit_is_told(bundle, prepare, monkeypatch):
    """Draws about the truth fit; the same draws do not fit a curve that is another's."""
    fitter = prepare(predict=True)
    rng = np.random.default_rng(0)
    draws = THETA[0] * (1 + 0.01 * rng.standard_normal((500, 5)))
    monkeypatch.setattr(fitter, "_draws", lambda curve, item: draws)
    curves = noisy(20)
    found = fitter.fit(curves, np.arange(40))
    assert (found["status"][:20] == 1).mean() >= 0.95
    assert (found["status"][20:] == 4).all()
    assert found["noise"][:20].mean() == pytest.approx(4.0 * (35 / 30) ** 0.5, rel=0.15)


def test_derived_by_definition():
    rows = derived(np.array([[0.3, 0.8, 0.2, 0.05, 0.1], [0.3, 0.8, 0.2, -0.05, 0.1]]))
    np.testing.assert_allclose(rows[0, 5:], [0.3 * 0.2 / 1.0, 0.3 / 0.8 * 5.0, 4.0])
    np.testing.assert_allclose(rows[1, 5:], [0.3 * 0.2 / 1.0, 0.3 / 0.8 * -3.0, -4.0])
    assert np.isfinite(derived(np.array([[0.3, 0.0, 0.0, 0.0, 0.1]]))).all()


def test_prior_may_be_signed(prepare):
    prepare(prior=PRIORS["published-signed"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "1TCM"}, "expected model 2TCM"),
        ({"prior": PRIORS["default"]}, "expected published or published-signed"),
        (
            {"prior": PRIORS["published"].replaced(VB=Distribution.at(0.05))},
            "expected published or published-signed",
        ),
        ({"delay": 5.0}, "expected delay 0"),
        ({"delay": None}, "delay to be fitted; expected delay 0"),
        ({"frames": FRAMES.select(np.arange(34))}, "34 frames to 2700 s; expected 12 x 5"),
        ({"frames": FrameTiming(FRAMES.start + 1.0, FRAMES.duration)}, "35 frames to 3001 s"),
        ({"half_life": 1221.66}, "expected that of F-18"),
        ({"noise": 4.0}, "a noise option"),
        ({"noise": np.ones(35)}, "a noise option"),
        ({"weights": np.ones(35)}, "weights"),
        ({"dispersion": 3.0}, "dispersion"),
    ],
)
def test_refusals(prepare, changes, said):
    with pytest.raises(UsageError, match=said):
        prepare(**changes)


def test_refused_settings_and_weights(prepare, tmp_path, bundle):
    with pytest.raises(UsageError, match="draws=1"):
        prepare({"draws": 1})
    with pytest.raises(UsageError, match="per-draw or shared"):
        prepare({"embedding": "once"})
    with pytest.raises(UsageError, match="is not a folder"):
        prepare({"bundle": str(tmp_path / "none")})
    other = write(tmp_path, torch.nn.Linear(2, 2))
    with pytest.raises(InputError, match=r"tensor .* is"):
        prepare({"bundle": str(other)})


def test_frame_ends_are_what_it_sees(prepare):
    """A change of the input between two frame ends leaves the draws as they were."""
    time = np.append(TIME[:-1], [2850.0, 3000.0])
    plasma = np.interp(time, TIME, BLOOD)
    raised = plasma.copy()
    raised[-2] *= 3.0
    curves = noisy(1)
    first, second = (
        prepare({"draws": 100}, curve=InputCurve(time, p, p, "Bq/mL")).fit(curves, np.arange(2))
        for p in (plasma, raised)
    )
    np.testing.assert_array_equal(first["mean"], second["mean"])
    assert not np.isclose(first["chi2"], second["chi2"]).any()
