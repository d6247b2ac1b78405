"""Counts: Poisson, independent, reproducible; thinning and splitting exact."""

from __future__ import annotations

import numpy as np
import pytest
from tests.physics.projector.cases import SMALL, TIMED

from betaplus.core.errors import UsageError
from betaplus.simulation.raw.counts import RawCounts
from betaplus.simulation.raw.draws import draw, split, thin


def _counts(scanner, trues=2.0, scatter=1.0, randoms=5.0):
    flat = scanner.shape[:3]
    return RawCounts(
        scanner=scanner,
        trues=np.full(scanner.shape, trues, np.float32),
        scatter=np.full(scanner.shape, scatter, np.float32),
        randoms=np.full(flat, randoms, np.float32),
        attenuation=np.ones(flat, np.float32),
        efficiency=np.ones(flat, np.float32),
        sensitivity=1.0,
    )


@pytest.mark.parametrize("scanner", [SMALL, TIMED], ids=["plain", "tof"])
def test_mean_and_variance_are_those_of_poisson(scanner):
    prompts, delayeds = draw(_counts(scanner), seed=1)
    mean = 3.0 + 5.0 / scanner.tof_bins
    for found, expected in ((prompts, mean), (delayeds, 5.0)):
        error = 5.0 * np.sqrt(expected / found.size)
        assert found.mean() == pytest.approx(expected, abs=error)
        spread = 5.0 * np.sqrt((2.0 * expected**2 + expected) / found.size)
        assert found.var() == pytest.approx(expected, abs=spread)
    assert prompts.shape == scanner.shape and delayeds.shape == scanner.shape[:3]


def test_the_same_seed_gives_the_same_counts_on_any_number_of_threads():
    one = draw(_counts(SMALL), seed=4, threads=1)
    many = draw(_counts(SMALL), seed=4, threads=7)
    for a, b in zip(one, many, strict=True):
        np.testing.assert_array_equal(a, b)


def test_realisations_frames_seeds_and_windows_are_independent():
    counts = _counts(SMALL)
    draws = [
        draw(counts, seed=4),
        draw(counts, seed=4, realisation=1),
        draw(counts, seed=4, frame=1),
        draw(counts, seed=5),
    ]
    rows = [np.ravel(array) - array.mean() for pair in draws for array in pair]
    rows += [np.ravel(draws[0][0][1:]) - 8.0, np.ravel(draws[0][0][:-1]) - 8.0]  # views, shifted
    bins = rows[0].size
    together = np.corrcoef(np.stack(rows[:-2]))
    off = together[~np.eye(len(together), dtype=bool)]
    assert np.abs(off).max() < 5.0 / np.sqrt(bins)
    assert abs(np.corrcoef(rows[-2], rows[-1])[0, 1]) < 5.0 / np.sqrt(rows[-1].size)


def test_thinning_is_binomial():
    rng = np.random.default_rng(0)
    whole = rng.poisson(30.0, 200_000)
    kept = thin(whole.astype(np.float32), 0.1, rng)
    assert (kept <= whole).all()
    n = whole.size
    assert kept.mean() == pytest.approx(3.0, abs=5.0 * np.sqrt(3.0 / n))
    assert kept.var() == pytest.approx(3.0, abs=5.0 * np.sqrt((2 * 9.0 + 3.0) / n))
    same = np.full(n, 40)
    fixed = thin(same, 0.25, rng)
    assert fixed.mean() == pytest.approx(10.0, abs=5.0 * np.sqrt(7.5 / n))
    assert fixed.var() == pytest.approx(7.5, rel=0.02)  # binomial, not Poisson
    np.testing.assert_array_equal(thin(same, 1.0, rng), same)
    assert not thin(same, 0.0, rng).any()


def test_splitting_adds_up_and_its_parts_are_independent():
    rng = np.random.default_rng(1)
    whole = rng.poisson(20.0, 100_000).astype(np.uint16)
    parts = split(whole, 4, rng)
    np.testing.assert_array_equal(parts.sum(0), whole)
    n = whole.size
    np.testing.assert_allclose(parts.mean(1), 5.0, atol=5.0 * np.sqrt(5.0 / n))
    np.testing.assert_allclose(parts.var(1), 5.0, atol=5.0 * np.sqrt((2 * 25.0 + 5.0) / n))
    together = np.corrcoef(parts)
    assert np.abs(together[~np.eye(4, dtype=bool)]).max() < 5.0 / np.sqrt(n)


def test_splitting_by_shares():
    rng = np.random.default_rng(2)
    whole = np.full(50_000, 100)
    parts = split(whole, [0.7, 0.0, 0.2, 0.1], rng)
    np.testing.assert_array_equal(parts.sum(0), whole)
    assert not parts[1].any()
    np.testing.assert_allclose(parts.mean(1), [70.0, 0.0, 20.0, 10.0], atol=0.15)
    np.testing.assert_allclose(parts.var(1), [21.0, 0.0, 16.0, 9.0], rtol=0.05)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda r: thin(np.array([1.5]), 0.5, r), "not whole"),
        (lambda r: thin(np.array([-1]), 0.5, r), "negative"),
        (lambda r: thin(np.array([1]), 1.5, r), "fraction of 1.5"),
        (lambda r: thin(np.array([1]), float("nan"), r), "fraction of nan"),
        (lambda r: split(np.array([1]), 0, r), "parts 0"),
        (lambda r: split(np.array([1]), [0.5, 0.6], r), "add up to 1"),
        (lambda r: split(np.array([1]), [-0.5, 1.5], r), "add up to 1"),
    ],
)
def test_refusals(call, text):
    with pytest.raises(UsageError, match=text):
        call(np.random.default_rng(0))
