"""Randoms from delayeds, against rates that are known and pairs added up one by one."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from tests.physics.projector.cases import SMALL

from betaplus.core.errors import InputError, UsageError
from betaplus.core.scanner import Scanner
from betaplus.physics import randoms
from betaplus.physics.em import poisson_log_likelihood
from betaplus.physics.randoms import estimate_singles, randoms_from_delayeds, randoms_mean
from betaplus.physics.randoms_kernels import sum_logs

FLAT = SMALL.replace(span=1)
LONG = SMALL.replace(rings=12, span=5, max_ring_difference=9)
SCANNERS = pytest.mark.parametrize("scanner", [SMALL, FLAT, LONG], ids=["span 3", "1", "5"])


def known(scanner: Scanner, spread: float = 0.1, total: float | None = None) -> np.ndarray:
    """Rates with a trend and crystals that differ, shape (rings, detectors)."""
    rng = np.random.default_rng(1)
    shape = (scanner.rings, scanner.detectors)
    angle = 2.0 * np.pi * np.arange(scanner.detectors) / scanner.detectors
    z = np.linspace(-1.0, 1.0, scanner.rings)[:, None]
    rates = (1.0 - 0.3 * z**2 + 0.1 * z) * (1.0 + 0.15 * np.cos(angle))
    rates = rates * np.exp(spread * rng.standard_normal(shape)) * ~scanner.is_gap
    if total is not None:
        rates *= math.sqrt(total / randoms_mean(rates, scanner).sum(dtype=float))
    return rates


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@SCANNERS
def test_the_mean_adds_up_pairs_of_crystals(scanner: Scanner) -> None:
    rates, expected = known(scanner), np.zeros(scanner.shape)
    plane = scanner.michelogram.plane_of_pair
    for one, two in itertools.product(range(scanner.rings), repeat=2):
        if plane[one, two] >= 0:
            a, b = rates[one, scanner.pairs[..., 0]], rates[two, scanner.pairs[..., 1]]
            expected[..., plane[one, two]] += a * b
    found = randoms_mean(rates, scanner)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32 and (found[~scanner.live] == 0).all()


def test_equal_rates_in_closed_form() -> None:
    counts = 1e5 * SMALL.live[..., None] * SMALL.michelogram.multiplicity
    pairs = SMALL.live.sum() * SMALL.michelogram.multiplicity.sum()
    counts *= 7000.0 / counts.sum()
    for smooth in (False, True):
        rates = estimate_singles(counts, SMALL, smooth=smooth)
        np.testing.assert_allclose(rates[:, ~SMALL.is_gap], math.sqrt(7000.0 / pairs), rtol=1e-5)
        assert (rates[:, SMALL.is_gap] == 0).all()


@SCANNERS
@pytest.mark.parametrize("smooth", [False, True])
def test_without_noise_the_mean_comes_back(scanner: Scanner, smooth: bool) -> None:
    rates = known(scanner, total=1e9 if smooth else 1e4)
    mean = randoms_mean(rates, scanner)
    found = estimate_singles(mean, scanner, iterations=150, smooth=smooth, tolerance=0.0)
    assert error(randoms_mean(found, scanner), mean) < 1e-4
    if scanner.span == 1:
        assert error(found, rates) < 1e-4


@SCANNERS
@pytest.mark.parametrize("total", [300.0, 2e4, 1e6])
def test_likelihood_never_falls(scanner: Scanner, total: float) -> None:
    mean = randoms_mean(known(scanner, 0.2, total), scanner)
    counts, seen = np.random.default_rng(2).poisson(mean).astype(np.float32), []
    estimate_singles(
        counts,
        scanner,
        iterations=30,
        smooth=False,
        tolerance=0.0,
        watch=lambda n, rates: seen.append(
            poisson_log_likelihood(counts, randoms_mean(rates, scanner))
        ),
    )
    assert len(seen) > 1 and all(b >= a - 1e-7 * abs(a) for a, b in itertools.pairwise(seen))


def test_logarithms_are_summed_as_numpy_does() -> None:
    rng = np.random.default_rng(0)
    count = np.concatenate([rng.poisson(1.0, 4000), rng.random(50), [0.0, 1.0, 2.0, 900.0]])
    mean = rng.lognormal(0.0, 12.0, count.size)
    mean[[5, 6]], count[[5, 6]] = [1e-90, 1e90], [1.0, 2.0]
    expected = np.sum(count * np.log(mean))
    assert sum_logs(count, mean) == pytest.approx(expected, rel=1e-11)
    mean[-4], mean[-1] = 0.0, 3.0  # nothing expected and nothing there
    assert math.isfinite(sum_logs(count, mean))
    mean[-1] = 0.0
    assert sum_logs(count, mean) == -math.inf


def test_leaps_downhill_are_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rough = np.random.default_rng(0).uniform(0.2, 2.0, (LONG.detectors, LONG.rings))
    monkeypatch.setattr(randoms, "_leap", lambda one, two, three: rough * three)
    test_likelihood_never_falls(LONG, 2e4)


def test_the_m_step_is_that_of_a_gamma_prior() -> None:
    fans, partners, centre = np.random.default_rng(0).gamma(5.0, size=(3, 6, 4))
    centre[2] = fans[2] = 0.0  # gaps
    rates = 1.0 * (centre > 0.0)
    for kappa in (0.0, 0.7, 100.0):
        found = rates
        for _ in range(60):
            found = randoms._step(fans, found, partners, kappa, centre)
        share = np.divide(kappa, centre, out=np.zeros_like(centre), where=centre > 0.0)
        np.testing.assert_allclose(found, rates * (fans + kappa) / (partners + share), rtol=1e-9)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("total", [1.0, 300.0, 1e5])
def test_counts_are_kept(smooth: bool, total: float) -> None:
    mean = randoms_mean(known(LONG, total=total), LONG)
    counts = np.random.default_rng(0).poisson(mean)
    found = randoms_from_delayeds(counts, LONG, smooth=smooth)
    assert found.sum(dtype=float) == pytest.approx(counts.sum(), rel=1e-5)


@pytest.mark.parametrize("spread", [0.05, 0.2])
def test_few_counts_do_better_than_raw_flat_or_crystals_alone(spread: float) -> None:
    mean = randoms_mean(known(LONG, spread, total=3000.0), LONG)
    counts = np.random.default_rng(5).poisson(mean).astype(np.float32)
    flat = LONG.live[..., None] * LONG.michelogram.multiplicity * 1.0
    flat *= counts.sum() / flat.sum()
    smooth = error(randoms_from_delayeds(counts, LONG), mean)
    alone = error(randoms_from_delayeds(counts, LONG, smooth=False), mean)
    assert smooth < 0.7 * error(flat, mean) and smooth < 0.8 * alone and alone < error(counts, mean)


def test_many_counts_find_crystals_that_are_off_the_trend() -> None:
    rates = known(LONG, 0.05, total=1e8)
    rates[4, 7] *= 0.3
    mean = randoms_mean(rates, LONG)
    counts = np.random.default_rng(5).poisson(mean).astype(np.float32)
    found = randoms_from_delayeds(counts, LONG, iterations=40)
    assert error(found, mean) < 0.005
    through = (LONG.pairs == 7).any(-1) & LONG.live
    assert error(found[through], mean[through]) < 0.01


@pytest.mark.parametrize("smooth", [False, True])
def test_threads_do_not_matter(smooth: bool) -> None:
    mean = randoms_mean(known(LONG, total=5000.0), LONG, threads=1)
    counts = np.random.default_rng(3).poisson(mean).astype(np.float32)
    one, three = (randoms_from_delayeds(counts, LONG, smooth=smooth, threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_no_counts_give_no_randoms() -> None:
    assert not randoms_from_delayeds(np.zeros(SMALL.shape, np.float32), SMALL).any()


def test_bad_input() -> None:
    good = randoms_mean(known(SMALL), SMALL)
    for bad, message in ((-1.0, "negative values"), (np.nan, "not numbers"), (np.inf, "not num")):
        wrong = good.copy()
        wrong[1, 2, 3] = bad
        with pytest.raises(InputError, match=message):
            estimate_singles(wrong, SMALL)
    with pytest.raises(InputError, match="without crystals"):
        estimate_singles(np.ones_like(good), SMALL)
    with pytest.raises(InputError, match="delayeds of shape"):
        estimate_singles(good[1:], SMALL)
    with pytest.raises(InputError, match="rates of shape"):
        randoms_mean(np.ones((2, 3)), SMALL)
    with pytest.raises(UsageError, match="0 iterations"):
        estimate_singles(good, SMALL, iterations=0)
    with pytest.raises(UsageError, match="a spread of crystals"):
        estimate_singles(good, SMALL, spread=0.0)
