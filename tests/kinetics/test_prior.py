"""Priors against scipy's distributions, and what a file may hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from betaplus.core import InputError, UsageError
from betaplus.kinetics.prior import PRIORS, Distribution, find_prior

Z = np.linspace(-3, 3, 41)
CASES = {
    "uniform": (Distribution(dist="uniform", low=-1, high=3), stats.uniform(-1, 4)),
    "loguniform": (Distribution(dist="loguniform", low=0.01, high=5), stats.loguniform(0.01, 5)),
    "normal": (
        Distribution(dist="normal", low=0, high=2, mean=0.5, sd=0.7),
        stats.truncnorm(-0.5 / 0.7, 1.5 / 0.7, 0.5, 0.7),
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_quantiles_and_density(name):
    ours, theirs = CASES[name]
    x = ours.at_probit(Z)
    np.testing.assert_allclose(x, theirs.ppf(stats.norm.cdf(Z)), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        np.diff(ours.log_density(x)), np.diff(theirs.logpdf(x)), rtol=1e-8, atol=1e-10
    )
    assert np.isneginf(ours.log_density(np.array([ours.low - 1e-6, ours.high + 1e-6]))).all()


def test_lognormal():
    """The logarithm is a truncated normal."""
    ours = Distribution(dist="lognormal", low=0.05, high=2, mean=-1, sd=0.6)
    theirs = stats.truncnorm((np.log(0.05) + 1) / 0.6, (np.log(2) + 1) / 0.6, -1, 0.6)
    x = ours.at_probit(Z)
    np.testing.assert_allclose(np.log(x), theirs.ppf(stats.norm.cdf(Z)), rtol=1e-9, atol=1e-12)
    expected = theirs.logpdf(np.log(x)) - np.log(x)
    np.testing.assert_allclose(np.diff(ours.log_density(x)), np.diff(expected), atol=1e-9)


def test_published_prior_is_the_papers():
    prior = find_prior("published")
    box = {"K1": (0.01, 1), "k2": (0.01, 2), "k3": (0.01, 0.5), "k4": (0, 0.1), "VB": (0.03, 0.2)}
    for name, limits in {**box, "noise": (2.9, 7.1)}.items():
        assert (prior[name].dist, prior[name].low, prior[name].high) == ("uniform", *limits)
    assert prior.known_delay == 0.0 and PRIORS["default"].known_delay is None


def test_file_replaces_some(tmp_path):
    file = tmp_path / "prior.toml"
    file.write_text('K1 = {dist = "lognormal", low = 0.01, high = 2, mean = -2, sd = 1}\n')
    prior = find_prior(file)
    assert prior["K1"].mean == -2 and prior["k2"] == PRIORS["default"]["k2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("K1 = true", "K1"),
        ("VB = 1.5", "within 0 to 1"),
        ('k2 = {dist = "fixed", low = 0.1, high = 0.2}', "low = high"),
        ('k9 = {dist = "uniform", low = 0, high = 1}', "k9"),
        ('K1 = {dist = "gamma", low = 0.1, high = 1}', "gamma"),
        ('K1 = {dist = "uniform", low = 2, high = 1}', "low < high"),
        ('K1 = {dist = "loguniform", low = 0, high = 1}', "above 0"),
        ('K1 = {dist = "uniform", low = 0.1}', "high"),
        ('K1 = {dist = "uniform", low = "a", high = 1}', "numbers"),
        ('VB = {dist = "uniform", low = 0, high = 1.5}', "within 0 to 1"),
        ("K1 = [", "cannot be read"),
    ],
)
def test_bad_file(tmp_path, text, message):
    file = tmp_path / "prior.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        find_prior(file)


def test_unknown_name():
    with pytest.raises(UsageError, match="published"):
        find_prior("flat")


def test_a_number_fixes_a_parameter(tmp_path):
    file = tmp_path / "prior.toml"
    file.write_text("VB = 0.05\nk4 = 0\n")
    prior = find_prior(file)
    assert prior["VB"].fixed and prior["VB"].low == 0.05
    np.testing.assert_array_equal(prior["k4"].at_probit(np.array([-3.0, 0.0, 3.0])), 0.0)
    assert not prior["K1"].fixed
