"""The coupled least-squares fit against scipy's over all regions at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from scipy.stats import norm
from tests.kinetics import brute_force as grid
from tests.kinetics.shared.curves import one_tissue, table

from betaplus.kinetics import PRIORS, Distribution, fit
from betaplus.kinetics.shared import fit_shared
from betaplus.physics.compartments import MODELS, predict

TRUTH = {
    "1TCM": {"K1": (0.2, 0.1, 0.35), "k2": (0.25, 0.15, 0.5), "VB": 0.06},
    "2TCM": {
        "K1": (0.3, 0.2, 0.4),
        "k2": (0.5, 0.4, 0.7),
        "k3": (0.2, 0.1, 0.3),
        "k4": 0.08,
        "VB": (0.05, 0.03, 0.08),
    },
}


def curves_of(model, named):
    tensors = {
        name: torch.from_numpy(np.broadcast_to(value, 3).astype(np.float64).copy())
        for name, value in named.items()
    }
    return predict(grid.response(), tensors).numpy()


def truth(model, shared):
    """Parameters of three regions, that which is shared the same in all."""
    named = {"delay": 0.0, **TRUTH[model]}
    return named | {shared: float(np.mean(named[shared]))}


class Everything:
    """All regions in one vector: the shared parameter first, then each region's own."""

    def __init__(self, model, shared, y, sd):
        fitted = (*MODELS[model].parameters, *(("delay",) if shared == "delay" else ()))
        self.model, self.shared, self.y, self.sd = model, shared, y, sd
        self.own = [name for name in fitted if name != shared]

    def named(self, x):
        rows = x[1:].reshape(3, -1)
        return {self.shared: x[0], **{name: rows[:, i] for i, name in enumerate(self.own)}}

    def residuals(self, x):
        return ((curves_of(self.model, self.named(x)) - self.y) / self.sd).reshape(-1)

    def fit(self):
        named = truth(self.model, self.shared)
        rows = np.stack([np.broadcast_to(named[name], 3) for name in self.own], axis=1)
        start = np.concatenate([[named[self.shared]], rows.reshape(-1)])
        scale = np.maximum(np.abs(start), 1.0 if self.shared == "delay" else 0.0)
        found = least_squares(
            self.residuals, start, x_scale=scale, xtol=1e-12, ftol=1e-12, gtol=1e-12
        )
        return found.x, found.jac


CASES = [("1TCM", "VB"), ("1TCM", "k2"), ("1TCM", "delay"), ("2TCM", "k4"), ("2TCM", "k3")]


@pytest.mark.parametrize(("model", "shared"), CASES)
def test_known_noise(model, shared):
    """Estimate and SD of the shared parameter and of each region's own; AIC and BIC by hand."""
    y = grid.noisy(curves_of(model, truth(model, shared)), 1.0, 7)
    sd = np.full(len(grid.FRAMES), 60.0)
    options = {"delay": "fit" if shared == "delay" else 0.0, "noise": sd, "engine": "inline"}
    got = fit_shared(
        table(y), grid.CURVE, shared=shared, model=model, method="nlls", samples=4000, **options
    )
    everything = Everything(model, shared, y, sd)
    x, jacobian = everything.fit()
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    std = np.sqrt(np.diag(covariance))
    assert got[shared].mean[1] == pytest.approx(x[0], abs=0.02 * std[0])
    assert got[shared].std[1] == pytest.approx(std[0], rel=0.03)
    wide = x[0] + norm.ppf(0.95) * std[0]
    assert got[shared].quantiles[0.95][2] == pytest.approx(wide, abs=0.06 * std[0])
    own, spread = x[1:].reshape(3, -1), std[1:].reshape(3, -1)
    for i, name in enumerate(everything.own):
        np.testing.assert_allclose(got[name].mean, own[:, i], atol=0.03 * spread[:, i].min())
        np.testing.assert_allclose(got[name].std, spread[:, i], rtol=0.05)
    cross = covariance[0, 1] / (std[0] * std[1])
    name = everything.own[0]
    draws = np.corrcoef(got[shared].samples[0], got[name].samples[0])[0, 1]
    assert draws == pytest.approx(cross, abs=0.06)
    assert (got[shared].samples == got[shared].samples[0]).all()
    deviance = -2.0 * norm.logpdf(everything.residuals(x) * 60.0, 0.0, 60.0).sum()
    about, count = got.settings["shared"], 1 + own.size
    assert about["aic"] == pytest.approx(deviance + 2 * count, abs=0.02)
    assert about["bic"] == pytest.approx(deviance + np.log(y.size) * count, abs=0.02)
    assert about["aic"] == pytest.approx(got.diagnostics["aic"].sum(), abs=0.01)


def test_estimated_noise():
    """Each region has its own level, which weighs it; found in turn with the parameters."""
    y = one_tissue(level=4.0)
    y[2] = one_tissue(level=12.0)[2]
    got = fit_shared(
        table(y),
        grid.CURVE,
        shared="VB",
        model="1TCM",
        method="nlls",
        delay=0.0,
        weights="uniform",
        engine="inline",
    )
    level = np.full((3, 1), 100.0)
    for _ in range(30):
        everything = Everything("1TCM", "VB", y, level)
        x, jacobian = everything.fit()
        residuals = everything.residuals(x).reshape(3, -1) * level
        level = np.sqrt(np.mean(residuals**2, axis=1, keepdims=True))
    frames, h = len(grid.FRAMES), 1e-3

    def best(VB, r):  # T log S of one region
        def residual(own):
            curve = own[0] * (1 - VB) * grid.tissue([own[1]])[0] + VB * grid.blood()
            return (curve - y[r]) / 100.0

        start = x[1:].reshape(3, -1)[r]
        found = least_squares(residual, start, x_scale=start, xtol=1e-12, ftol=1e-12, gtol=1e-12)
        return frames * np.log(2.0 * found.cost)

    curve = sum(best(x[0] + k * h, r) * w for r in range(3) for k, w in ((1, 1), (0, -2), (-1, 1)))
    freedom = (frames - 2 - 1 / 3) / frames  # two of its own and a third of VB
    std = np.sqrt(2.0 / (freedom * curve / h**2))
    assert got["VB"].mean[0] == pytest.approx(x[0], abs=0.02 * std)
    assert got["VB"].std[0] == pytest.approx(std, rel=0.03)
    # that is not far from the normal equations with the levels held
    held = np.sqrt(np.linalg.inv(jacobian.T @ jacobian)[0, 0] / freedom)
    assert std == pytest.approx(held, rel=0.15)
    count = 1 + 3 * (2 + 1)
    deviance = -2.0 * norm.logpdf(residuals, 0.0, level).sum()
    assert got.settings["shared"]["aic"] == pytest.approx(deviance + 2 * count, abs=0.02)


def test_pressed_against_a_bound():
    rows = one_tissue()
    rows -= np.clip(0.08 * grid.blood(), 0, None)  # less blood than none
    got = fit_shared(
        table(rows), grid.CURVE, shared="VB", model="1TCM", method="nlls", delay=0.0, samples=5
    )
    assert np.isnan(got["VB"].std).all() and (got["VB"].mean < 1e-6).all()
    assert (got["VB"].quantiles[0.95] < 1e-6).all() and (got["VB"].samples < 1e-6).all()
    assert np.isfinite(got["K1"].std).all()


def test_sharing_what_differs_costs_aic():
    rows = np.concatenate([one_tissue(0.02)[:2], one_tissue(0.15)[:1]])
    options = {"model": "1TCM", "method": "nlls", "delay": 0.0}
    got = fit_shared(table(rows), grid.CURVE, shared="VB", **options)
    own = fit(table(rows), grid.CURVE, **options).diagnostics["aic"].sum()
    about = got.settings["shared"]
    assert about["aic_apart"] == pytest.approx(own, abs=0.01)
    (remark,) = [text for text in got.remarks if "AIC larger" in text]
    assert f"{about['aic'] - own:.1f}" in remark
    assert fit_shared(table(one_tissue()), grid.CURVE, shared="VB", **options).remarks == ()


def test_the_prior_gives_bounds_only():
    """Another prior of the shared parameter with the same bounds changes next to nothing."""
    options = {"shared": "k2", "model": "1TCM", "method": "nlls", "delay": 0.0}
    y = table(grid.noisy(curves_of("1TCM", truth("1TCM", "k2")), 3.0, 1))
    flat = PRIORS["default"].replaced(k2=Distribution(dist="uniform", low=0.02, high=10.0))
    one = fit_shared(y, grid.CURVE, **options).settings["shared"]
    two = fit_shared(y, grid.CURVE, prior=flat, **options).settings["shared"]
    assert one["mean"] == pytest.approx(two["mean"], abs=0.03 * one["sd"])
    assert one["sd"] == pytest.approx(two["sd"], rel=0.03)


def test_a_delay_found_once_is_found_before():
    options = {"shared": "VB", "model": "1TCM", "method": "nlls", "engine": "inline"}
    y = table(one_tissue())
    once = fit_shared(y, grid.CURVE, delay="fit-once", **options)
    delay = once.settings["delay"]
    assert isinstance(delay, float) and once.settings["delay_from"] == "mean curve of the table"
    known = fit_shared(y, grid.CURVE, delay=delay, **options)
    np.testing.assert_array_equal(once["K1"].mean, known["K1"].mean)
