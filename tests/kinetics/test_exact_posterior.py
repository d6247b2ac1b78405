"""Method `exact` is right: against MCMC, against brute force, by coverage, and bit for bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import binom

from betaplus.core.frames import FrameTiming
from betaplus.core.settings import make_settings
from betaplus.core.tracer import Tracer
from betaplus.kinetics.method import Task, find_method
from betaplus.kinetics.prior import PRIORS
from betaplus.physics.compartments import MODELS, predict
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse
from betaplus.pipeline.benchmark.kinetics.cases import LEVELS, QUANTITIES, Scan
from betaplus.pipeline.benchmark.kinetics.mcmc.reference import Posterior, sample_posterior
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.tracers import find_profile

EXACT = find_method("exact")


@pytest.fixture(scope="module")
def scan() -> Scan:
    """A Feng-type input function on the 35 published frames: the same on every machine."""
    profile = find_profile("FDG")
    frames = FrameTiming.from_durations(profile.durations)
    blood = draw_blood(profile.blood, profile.activity_per_gram, 3000.0, np.random.default_rng(5))
    return Scan(blood.curve(3000.0), frames, Tracer.of("F18").half_life, "test")


def fitted(task: Task, curves: np.ndarray, items: np.ndarray | None = None, **settings):
    fitter = EXACT(make_settings(EXACT.Settings, settings)).prepare(task)
    items = np.arange(len(curves)) if items is None else items
    return fitter, fitter.fit(curves, items)


@pytest.fixture(scope="module")
def references(scan):
    """At each noise level: task, two curves and their posteriors by ensemble MCMC."""
    out = []
    for i, level in enumerate(LEVELS):
        dose = scan.dose(level)
        curves = scan.draw(dose, 2, seed=200 + i).noisy
        task = scan.task(dose)
        posterior = Posterior(scan.response(dose), MODELS["2TCM"], task.prior, curves)
        out.append((task, curves, sample_posterior(posterior, seed=i, ess=1000.0, std_error=0.04)))
    return out


def test_reference_density_is_that_of_the_written_model(scan):
    # Every term of the log-likelihood from the exact forward model, up to one constant.
    dose = scan.dose(0.15)
    response, prior = scan.response(dose), PRIORS["published"]
    curves = scan.draw(dose, 3, seed=1).noisy
    posterior = Posterior(response, MODELS["2TCM"], prior, curves)
    u = np.random.default_rng(2).random((3, 40, 6))
    theta = posterior.parameters(u)
    for name, values in theta.items():
        assert np.all((values >= prior[name].low) & (values <= prior[name].high))
    clean = predict(response, {k: torch.tensor(theta[k]) for k in ("K1", "k2", "k3", "k4", "VB")})
    gain = noise_gain(scan.frames, scan.half_life)
    variance = theta["noise"][..., None] ** 2 * (clean.numpy() + noise_floor(response)) * gain
    residual = curves[:, None] - clean.numpy()
    expected = -0.5 * (residual**2 / variance + np.log(variance)).sum(axis=-1)
    np.testing.assert_allclose(posterior.log_density(u), expected, rtol=1e-9)
    u[..., 0] = 1.2
    assert np.all(posterior.log_density(u) == -np.inf)


def test_references_have_converged(references):
    for _, _, reference in references:
        assert reference.rhat.max() < 1.01
        assert reference.ess.min() >= 1000
        assert reference.std_error.max() <= 0.04


def test_means_and_sds_agree_with_mcmc(references):
    # At ESS 1,000 (MCMC) and 100 or more (exact, in truth rather 200) the difference of two right
    # means is about 0.08 SD: below 0.4 for all 36, and typically below 0.12.
    means, sds = [], []
    for task, curves, reference in references:
        fitter, result = fitted(task, curves)
        ours = [fitter.parameters.index(name) for name in QUANTITIES]
        theirs = [reference.names.index(name) for name in QUANTITIES]
        sd = reference.std[:, theirs]
        means.append((result["mean"][:, ours] - reference.mean[:, theirs]) / sd)
        sds.append(result["std"][:, ours] / sd - 1)
    means, sds = np.abs(means), np.abs(sds)
    assert np.median(means) < 0.06
    assert np.median(sds) < 0.06
    assert means.max() < 0.4
    assert sds.max() < 0.4


def test_a_large_set_of_points_agrees_closely_with_mcmc(references):
    # ESS of several thousand: what is left is the error of MCMC, 1 / sqrt(1000) = 0.03 at worst.
    for task, curves, reference in references:
        fitter, result = fitted(task, curves, fine=1 << 15, largest=1 << 16, least_ess=3000.0)
        assert result["ess"].min() > 1000
        ours = [fitter.parameters.index(name) for name in QUANTITIES]
        theirs = [reference.names.index(name) for name in QUANTITIES]
        sd = reference.std[:, theirs]
        error = 4.5 * np.sqrt(1 / reference.ess[:, theirs] + 1 / result["ess"][:, None])
        assert np.all(np.abs(result["mean"][:, ours] - reference.mean[:, theirs]) / sd < error)
        # The SD of a heavy-tailed marginal errs by more than the 1 / sqrt(2 ESS) of a Gaussian.
        error = 4.5 * (reference.std_error[:, theirs] + 2 / np.sqrt(2 * result["ess"][:, None]))
        assert np.all(np.abs(result["std"][:, ours] / sd - 1) < error)


def test_coverage(scan):
    # Binomial limits at 1e-6 a side: 24 counts fail together with probability below 1e-4.
    n = 600
    held = np.zeros((len(QUANTITIES), 4), dtype=int)
    levels = np.array([0.50, 0.80, 0.90, 0.95])
    tails = tuple(np.concatenate([(1 - levels) / 2, (1 + levels) / 2]))
    for i, level in enumerate(LEVELS):
        dose = scan.dose(level)
        drawn = scan.draw(dose, n // len(LEVELS), seed=300 + i)
        fitter, result = fitted(scan.task(dose, quantiles=tails), drawn.noisy)
        for p, name in enumerate(QUANTITIES):
            limits = result["quantiles"][:, fitter.parameters.index(name)]
            truth = drawn.truth[name][:, None]
            held[p] += ((limits[:, :4] <= truth) & (truth <= limits[:, 4:])).sum(axis=0)
    assert np.all(held >= binom.ppf(1e-6, n, levels))
    assert np.all(held <= binom.ppf(1 - 1e-6, n, levels))


def grid_moments(response: InputResponse, curve: np.ndarray, level: float, points: int):
    """Mean and SD of K1, k2, VB of the one-tissue model by midpoint sums over the prior's box."""
    prior = PRIORS["published"]
    names = ("K1", "k2", "VB")
    box = [(prior[name].low, prior[name].high) for name in names]
    gain, floor = noise_gain(response.frames, response.half_life), noise_floor(response)
    blood = response.blood().numpy()
    for n in (60, points):  # the first grid finds where the mass is
        axes = [low + (high - low) * (np.arange(n) + 0.5) / n for low, high in box]
        unit = response.tissue(torch.tensor(axes[1])).numpy()
        log_p = np.empty((n, n, n))
        for i, K1 in enumerate(axes[0]):
            VB = axes[2][:, None]
            clean = K1 * (1 - VB) * unit[:, None] + VB * blood  # (k2, VB, frame)
            variance = level**2 * (clean + floor) * gain
            log_p[i] = -0.5 * ((curve - clean) ** 2 / variance + np.log(variance)).sum(axis=-1)
        p = np.exp(log_p - log_p.max())
        p /= p.sum()
        marginals = [p.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
        kept = [np.flatnonzero(m > 1e-9 * m.max()) for m in marginals]
        box = [
            (
                max(low, axis[k[0]] - 1.5 * (axis[1] - axis[0])),
                min(high, axis[k[-1]] + 1.5 * (axis[1] - axis[0])),
            )
            for (low, high), axis, k in zip(box, axes, kept, strict=True)
        ]
    mean = np.array([m @ axis for m, axis in zip(marginals, axes, strict=True)])
    square = np.array([m @ axis**2 for m, axis in zip(marginals, axes, strict=True)])
    return mean, np.sqrt(square - mean**2), p, axes


@pytest.mark.parametrize("relative_sd", [0.15, 0.40])
def test_one_tissue_posterior_is_that_of_brute_force(scan, relative_sd):
    level = 5.0
    response = scan.response(scan.dose(relative_sd))
    truth = {"K1": 0.4, "k2": 0.6, "VB": 0.06}
    tensors = {name: torch.tensor([value], dtype=torch.float64) for name, value in truth.items()}
    clean = predict(response, tensors).numpy()
    gain = noise_gain(scan.frames, scan.half_life)
    sd = level * np.sqrt((clean + noise_floor(response)) * gain)
    curve = clean + sd * np.random.default_rng(9).standard_normal(clean.shape)
    mean, std, p, axes = grid_moments(response, curve[0], level, 90)
    task = dataclasses.replace(scan.task(1.0), curve=response.curve, model="1TCM", noise=level)
    fitter, result = fitted(task, curve, fine=1 << 14, largest=1 << 14)
    ours = [fitter.parameters.index(name) for name in ("K1", "k2", "VB")]
    # ESS of several thousand and quasi-random points: 0.02 SD and 2 % are several errors wide.
    assert result["ess"][0] > 4000
    assert np.all(np.abs(result["mean"][0, ours] - mean) < 0.02 * std)
    np.testing.assert_allclose(result["std"][0, ours], std, rtol=0.02)
    VT = axes[0][:, None] / axes[1]
    mean_VT = (p.sum(axis=2) * VT).sum()
    sd_VT = np.sqrt((p.sum(axis=2) * (VT - mean_VT) ** 2).sum())
    at = fitter.parameters.index("VT")
    assert abs(result["mean"][0, at] - mean_VT) < 0.03 * sd_VT
    assert result["std"][0, at] == pytest.approx(sd_VT, rel=0.03)


def assert_same_bits(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.fixture(scope="module", params=["delay known", "delay fitted"])
def batch(request, scan):
    delay = request.param == "delay fitted"
    dose = scan.dose(0.40)
    curves = scan.draw(dose, 40, seed=400, delay=delay).noisy
    task = dataclasses.replace(scan.task(dose, delay=delay), samples=50, predict=True, seed=7)
    return task, curves, fitted(task, curves)[1]


def test_same_seed_gives_the_same_bits(batch):
    task, curves, result = batch
    assert_same_bits(fitted(task, curves)[1], result)


def test_another_seed_gives_another_estimate_of_the_same_posterior(batch):
    task, curves, result = batch
    other = fitted(dataclasses.replace(task, seed=8), curves)[1]
    assert not np.array_equal(other["mean"], result["mean"])
    five = slice(0, 5)
    apart = np.abs(other["mean"] - result["mean"])[:, five] / result["std"][:, five]
    assert np.median(apart) < 0.1
    assert np.all(np.any(other["samples"] != result["samples"], axis=(1, 2)))


def test_a_curve_alone_is_the_curve_in_its_batch(batch):
    task, curves, result = batch
    fitter = fitted(task, curves[:1])[0]
    refined = np.flatnonzero(result["status"] == 3)[:3]
    for i in {0, 17, 39, *refined.tolist()}:
        alone = fitter.fit(curves[i : i + 1], np.array([i]))
        assert_same_bits(alone, {name: values[i : i + 1] for name, values in result.items()})
    back = fitter.fit(curves[::-1], np.arange(40)[::-1])
    assert_same_bits({name: values[::-1] for name, values in back.items()}, result)


def test_draws_follow_the_weights(batch):
    # Mean of all draws of a curve against its weighted mean: 50 systematic draws err by < 0.14 SD.
    _, _, result = batch
    gap = (result["samples"].mean(axis=2) - result["mean"])[:, :5] / result["std"][:, :5]
    assert np.abs(gap.mean(axis=0)).max() < 5 * 0.14 / np.sqrt(40)
    assert np.abs(gap).max() < 5 * 0.14
