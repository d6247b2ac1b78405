"""Methods with untrained networks, which weights make exact; and bundles that do not fit."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.kinetics.amortised.cases import curves_of, make_task

from betaplus.core.errors import BetaplusError, InputError, UsageError
from betaplus.core.settings import make_settings
from betaplus.generative.bundle import load_bundle
from betaplus.generative.conditional import ConditionalField, FieldSize
from betaplus.generative.flow import ConditionalFlow, FlowSize
from betaplus.kinetics.amortised import flow as flow_module
from betaplus.kinetics.amortised.condition import FEATURES, TOKEN, Describer, make_probes
from betaplus.kinetics.amortised.consistency import consistency_draws, levels_of_passes
from betaplus.kinetics.amortised.lean import LeanPass
from betaplus.kinetics.amortised.networks import load_field, noise, outside_training
from betaplus.kinetics.amortised.publishing import VALIDITY, write_kinetics_bundle
from betaplus.kinetics.exact.method import Exact
from betaplus.kinetics.method import find_method
from betaplus.kinetics.prior import PRIORS, Distribution

ITEMS = np.arange(3)


def write(folder: Path, name: str, **changes) -> Path:
    """Write the bundle of a small untrained network."""
    sizes = {"dimension": 6, "token": TOKEN, "features": FEATURES, "width": 16, "condition": 8}
    sizes |= {"encoder": 8} | changes
    torch.manual_seed(len(name))  # else what other tests have drawn would decide
    if name == "flow":
        network = ConditionalFlow(FlowSize(transforms=1, context=4, **sizes))
    else:
        network = ConditionalField(FieldSize(blocks=1, **sizes))
    return write_kinetics_bundle(
        folder, name, 1, network, {"corpus": "none"}, 0, "made up", 0.1, 1, {"score": 1.0}
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return {name: write(folder, name) for name in ("denoiser", "consistency", "flow")}


METHODS = {
    "consistency": ("consistency", {}),
    "ddpm": ("denoiser", {"steps": 60}),
    "score": ("denoiser", {"tolerance": 0.3}),
    "flow": ("flow", {"draws": 2000}),
}


def prepared(bundles, method, task, **settings):
    kind = find_method(method)
    name, own = METHODS[method]
    values = {"bundle": str(bundles[name])} | own | settings
    return kind(make_settings(kind.Settings, values)).prepare(task)


@pytest.mark.parametrize("method", METHODS)
def test_untrained_networks_weighted_are_exact(bundles, method):
    task, curves = make_task(), curves_of(3)
    fitter = prepared(bundles, method, task, reweight="true", refine="false", least_share=0.0)
    found = fitter.fit(curves, ITEMS)
    large = Exact(Exact.Settings(fine=8192, least_ess=1500.0, largest=1 << 15)).prepare(task)
    right = large.fit(curves.astype(np.float32), ITEMS)
    limit = 5 * np.sqrt(1 / found["ess"] + 1 / right["ess"])[:, None]
    assert np.all(np.abs(found["mean"] - right["mean"]) / right["std"] < limit)
    assert found["ess"].min() > 50


@pytest.mark.parametrize("method", METHODS)
def test_one_model_with_fewer_parameters(bundles, method):
    task = make_task(model="1TCM", prior=PRIORS["default"], samples=40)
    fitter = prepared(bundles, method, task, refine="false")
    assert fitter.parameters == ("K1", "k2", "VB", "VT")
    found = fitter.fit(curves_of(2), ITEMS[:2])
    assert found["samples"].shape == (2, 4, 40)
    assert np.isfinite(found["mean"]).all()


@pytest.mark.parametrize("method", METHODS)
def test_draws_do_not_depend_on_the_batch(bundles, method):
    task, curves = make_task(samples=32), curves_of(40)
    fitter = prepared(bundles, method, task, draws=32, reweight="false", refine="false")
    items = np.arange(100, 140)
    whole = fitter.fit(curves, items)
    parts = [fitter.fit(curves[s], items[s]) for s in (slice(0, 32), slice(32, 40))]
    for key, values in whole.items():
        joined = np.concatenate([part[key] for part in parts])
        np.testing.assert_array_equal(joined, values, err_msg=key)
    again = prepared(bundles, method, task, draws=32, reweight="false", refine="false")
    np.testing.assert_array_equal(again.fit(curves, items)["samples"], whole["samples"])


def test_an_untrained_consistency_model_draws_the_gaussian_of_the_lean_pass(bundles):
    task = make_task()
    lean = LeanPass(task)
    padded = lean.padded(curves_of(3))
    condition = Describer(task, lean)(padded, lean.pilots(padded, make_probes()))
    field, _ = load_field("consistency", str(bundles["consistency"]), "cpu")
    for passes in (1, 2, 3):
        sigmas = levels_of_passes(passes)
        normal = noise(0, ITEMS, 31, (passes, 3000, 6))
        x = consistency_draws(field, condition, sigmas, normal)
        assert np.all(x[..., 5] == 0)  # the delay is known
        np.testing.assert_allclose(x[..., :5].std((0, 1)), 1.0, atol=0.05)
        np.testing.assert_allclose(x[..., :5].mean((0, 1)), 0.0, atol=0.05)


def test_levels_of_passes():
    assert levels_of_passes(1) == (80.0,)
    for passes in (2, 3, 5):
        levels = levels_of_passes(passes)
        assert len(levels) == passes and levels[0] == 80.0 and np.all(np.diff(levels) < 0)
    np.testing.assert_allclose(levels_of_passes(3), (80.0, 2.0, 0.5))


def test_the_condition_is_free_of_the_dose():
    # Ten times the activity and a noise level that keeps the relative noise.
    task, curves = make_task(noise=5.0), curves_of(3)
    more = dataclasses.replace(
        task,
        curve=dataclasses.replace(
            task.curve, plasma=10 * task.curve.plasma, whole_blood=10 * task.curve.whole_blood
        ),
        noise=5.0 * 10**0.5,
    )
    found = []
    for t, y in ((task, curves), (more, 10 * curves)):
        lean = LeanPass(t)
        padded = lean.padded(y)
        found.append(Describer(t, lean)(padded, lean.pilots(padded, make_probes())))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=5e-3)


REFUSED = {
    "absent": ("no/such/folder", "is not a folder"),
    "other": ("flow", "is of network 'flow'; expected 'consistency'"),
    "features": ("features", f"features {FEATURES + 1}; expected {FEATURES}"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bundles_that_do_not_fit(bundles, tmp_path, case):
    name, words = REFUSED[case]
    if case == "features":
        path = write(tmp_path, "consistency", features=FEATURES + 1)
    else:
        path = bundles.get(name, tmp_path / name)
    kind = find_method("consistency")
    with pytest.raises(BetaplusError) as error:
        kind(make_settings(kind.Settings, {"bundle": str(path)})).prepare(make_task())
    assert words in str(error.value) and "\n" not in str(error.value)


def test_an_architecture_of_something_else(bundles, monkeypatch):
    bundle = load_bundle(bundles["flow"], "kinetics")
    for change, words in (
        ({"transforms": "three"}, "has transforms 'three'; expected a whole number"),
        ({"wings": 2}, "unknown wings"),
    ):
        architecture = bundle.config.architecture | change
        other = dataclasses.replace(
            bundle, config=dataclasses.replace(bundle.config, architecture=architecture)
        )
        monkeypatch.setattr(flow_module, "load_bundle", functools.partial(lambda b, *_: b, other))
        flow_module.load_flow.cache_clear()
        with pytest.raises(InputError, match=words):
            flow_module.load_flow(str(bundles["flow"]))
    flow_module.load_flow.cache_clear()


def test_no_weights_anywhere(monkeypatch, tmp_path):
    monkeypatch.setenv("BETAPLUS_BUNDLES", str(tmp_path))
    monkeypatch.setattr("betaplus.generative.bundle._PACKAGE", tmp_path)
    load_field.cache_clear()
    with pytest.raises(UsageError, match="betaplus train kinetics"):
        find_method("consistency")().prepare(make_task())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"passes": 0}, "passes=0; expected 1 to 16"),
        ({"draws": 3}, "draws=3; expected 32"),
        ({"least_share": 2}, "least_share=2; expected 0 to 1"),
        ({"steps": 3}, "'steps' is unknown"),
    ],
)
def test_settings_out_of_range(settings, words):
    kind = find_method("consistency")
    with pytest.raises(UsageError, match=words):
        make_settings(kind.Settings, settings)


def test_noise_that_is_estimated_is_refused():
    with pytest.raises(UsageError, match="noise 'estimate'"):
        LeanPass(make_task(noise="estimate"))


def test_what_lies_outside_the_training():
    assert outside_training(make_task(), VALIDITY) == []
    prior = PRIORS["default"].replaced(K1=Distribution(dist="uniform", low=0.1, high=2.0))
    for change, words in (
        ({"half_life": 122.46}, "half-life"),
        ({"delay": 45.0}, "delay"),
        ({"prior": prior}, "prior"),
    ):
        said = outside_training(make_task(**change), VALIDITY)
        assert len(said) == 1 and words in said[0]
