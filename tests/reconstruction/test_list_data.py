"""List mode against sinograms of the same events."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from tests.reconstruction.cases import COARSE, GRID, SMALL, TIMED, simulated

from betaplus.core.errors import InputError, UsageError
from betaplus.core.progress import Silent
from betaplus.core.raw import Sinogram
from betaplus.core.scanner import Scanner
from betaplus.reconstruction import list_data
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.list_data import ListData, list_sensitivity
from betaplus.reconstruction.list_events import ListEvents, events_of_bins
from betaplus.reconstruction.map_em import MapEm
from betaplus.reconstruction.osem import Osem

FLAT, FLAT_TIMED = SMALL.replace(span=1), TIMED.replace(span=1)
SCANNERS = pytest.mark.parametrize("scanner", [FLAT, FLAT_TIMED], ids=["flat", "TOF"])


def measured(
    scanner: Scanner = FLAT, counts: float = 2e4, seed: int = 0
) -> tuple[Sinogram, ListEvents]:
    """A sinogram and its counts one by one in random order, where there is a crystal."""
    sinogram, _ = simulated(counts, scanner=scanner)
    sinogram.prompts[~scanner.live] = 0.0
    bins = np.repeat(np.arange(sinogram.prompts.size), sinogram.prompts.ravel().astype(int))
    np.random.default_rng(seed).shuffle(bins)
    view, radial, plane, *tof = np.unravel_index(bins, scanner.shape)
    rings = scanner.michelogram.pairs[plane]
    return sinogram, events_of_bins(sinogram, view, radial, rings, tof[0] if tof else None)


def listed(sinogram: Sinogram, events: ListEvents, grid=GRID, **how) -> ListData:
    return ListData(
        events,
        grid,
        sensitivity=list_sensitivity(sinogram.scanner, sinogram.multiplicative, grid),
        background=float(sinogram.additive.sum(dtype=float)),
        **how,
    )


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def run(data, iterations: int, subsets: int = 1, watch=None) -> np.ndarray:
    method = Osem(Osem.Settings(iterations=iterations, subsets=subsets))
    return method.run(data, None, Silent(), watch)


@SCANNERS
@pytest.mark.parametrize("psf", [0.0, 5.0])
def test_mlem_is_that_of_the_sinogram(scanner: Scanner, psf: float) -> None:
    sinogram, events = measured(scanner)
    mask = np.hypot(GRID.axis(0)[:, None, None], GRID.axis(1)[:, None]) < 38.0
    mask = np.broadcast_to(mask, GRID.shape)
    one = SinogramData(sinogram, GRID, psf=psf, mask=mask)
    two = listed(sinogram, events, psf=psf, mask=mask)
    assert two.level == pytest.approx(one.level, rel=1e-5)
    np.testing.assert_array_equal(one.mask, two.mask)
    assert error(two.sensitivity, one.sensitivity) < 1e-5
    a, b = run(one, 10), run(two, 10)
    assert error(b, a) < 1e-4 and not b[~mask].any()
    gains = [d.log_likelihood(a) - d.log_likelihood(0.5 * a) for d in (one, two)]
    assert gains[0] == pytest.approx(gains[1], abs=0.02) and gains[0] > 100


@SCANNERS
@pytest.mark.parametrize("how", ["sinogram", "list"])
def test_scaling_an_image_is_a_derivative_of_the_likelihood(scanner: Scanner, how: str) -> None:
    """Against differences of the log-likelihood along the image."""
    sinogram, events = measured(scanner)
    _, truth = simulated(2e4, scanner=scanner)
    if how == "sinogram":
        data = SinogramData(sinogram, GRID, subsets=3, psf=5.0)
    else:
        data = listed(sinogram, events, subsets=3, psf=5.0)
    x = (0.9 * truth * data.mask).astype(np.float32)
    slope, fall = data.scaled(x)
    low, here, high = (data.log_likelihood(np.float32(a) * x) for a in (0.95, 1.0, 1.05))
    assert slope == pytest.approx((high - low) / 0.1, rel=0.01)
    assert fall == pytest.approx((2.0 * here - high - low) / 0.05**2, rel=0.02)
    assert slope > 100


def test_a_span_shares_its_bins_among_ring_pairs() -> None:
    sinogram, _ = simulated(scanner=SMALL)
    rings = np.array([[0, 1], [1, 0], [0, 0], [2, 4], [3, 3]])
    view, radial = np.full(5, 3), np.full(5, 17)
    assert SMALL.live[3, 17]
    events = events_of_bins(sinogram, view, radial, rings)
    plane = SMALL.michelogram.plane_of_pair[tuple(rings.T)]
    assert plane[0] == plane[1]
    kept = SMALL.michelogram.plane_of_pair
    for n, p in enumerate(plane):
        share = np.count_nonzero(kept == p)
        assert events.multiplicative[n] == pytest.approx(sinogram.multiplicative[3, 17, p] / share)
        assert events.additive[n] == pytest.approx(sinogram.additive[3, 17, p] / share)


@SCANNERS
def test_mlem_never_loses_likelihood(scanner: Scanner) -> None:
    data, seen = listed(*measured(scanner)), []
    run(data, 20, watch=lambda n, x: seen.append(data.log_likelihood(x)))
    assert all(b >= a - 1e-7 * abs(a) for a, b in itertools.pairwise(seen))
    assert seen[-1] > seen[0] + 10


def test_subsets_are_near_mlem_with_as_many_updates() -> None:
    sinogram, events = measured(counts=1e5)
    one, six = (listed(sinogram, events, COARSE, subsets=n) for n in (1, 6))
    assert error(run(six, 2, 6), run(one, 12)) < 0.1
    total = sum(six.back_ratio(one.mask * one.level, n) for n in range(6))
    assert error(total, one.back_ratio(one.mask * one.level, 0)) < 1e-5
    np.testing.assert_allclose(6 * six.subset_sensitivity(2), one.sensitivity, rtol=1e-6)


def test_other_methods_take_it() -> None:
    sinogram, events = measured()
    method = MapEm(MapEm.Settings(iterations=6, subsets=1, beta=0.02))
    one, two = (
        method.run(data, None, Silent())
        for data in (SinogramData(sinogram, COARSE), listed(sinogram, events, COARSE))
    )
    assert error(two, one) < 1e-4


@SCANNERS
def test_neither_threads_nor_chunks_matter(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinogram, events = measured(scanner)
    one, three = (listed(sinogram, events, subsets=2, threads=n) for n in (1, 3))
    np.testing.assert_array_equal(run(one, 2, 2), run(three, 2, 2))
    x = run(one, 1, 2)
    before, height = one.back_ratio(x, 1), one.log_likelihood(x)
    monkeypatch.setattr(list_data, "_CHUNK", 777)
    monkeypatch.setattr(list_data, "_VALUES", 1000)
    assert error(one.back_ratio(x, 1), before) < 1e-5
    assert one.log_likelihood(x) == pytest.approx(height, rel=1e-9)
    assert error(listed(sinogram, events).sensitivity, one.sensitivity) < 1e-6


def test_events_that_cannot_be() -> None:
    sinogram, events = measured()
    with pytest.raises(InputError, match="without events"):
        listed(sinogram, events[:0])
    with pytest.raises(UsageError, match="4 subsets of 3 events"):
        listed(sinogram, events[:3], subsets=4)
    gap = events.multiplicative.copy()
    gap[[3, 8]] = 0.0
    dead = dataclasses.replace(events, multiplicative=gap)
    with pytest.raises(InputError, match=rf"2 of {len(events)} events .* factor of 0"):
        listed(sinogram, dead)
    assert len(dead.sensitive()) == len(events) - 2
    listed(sinogram, dead.sensitive())
    for name, wrong, message in (
        ("additive", events.additive - 1.0, "additive of events below 0"),
        ("multiplicative", events.multiplicative * np.nan, "multiplicative of events"),
        ("detectors", events.detectors + 50, "detectors from"),
        ("rings", events.rings[:-1], "rings of shape"),
        ("tof", np.zeros(len(events), int), "events with bins of time of flight"),
    ):
        with pytest.raises(InputError, match=message):
            dataclasses.replace(events, **{name: wrong})
    with pytest.raises(InputError, match="1 events between rings more than 2 apart"):
        short = SMALL.replace(max_ring_difference=2)
        model = simulated(scanner=short)[0]
        events_of_bins(model, np.array([3]), np.array([17]), np.array([[0, 4]]))


def test_models_that_cannot_be() -> None:
    sinogram, events = measured()
    good = list_sensitivity(FLAT, sinogram.multiplicative, GRID)
    for sensitivity, background, message in (
        (good[1:], 1.0, "sensitivity of shape"),
        (-good, 1.0, "a sensitivity from"),
        (good * np.nan, 1.0, "a sensitivity from"),
        (good, -1.0, "a background of -1"),
        (good, math.nan, "a background of nan"),
    ):
        with pytest.raises(InputError, match=message):
            ListData(events, GRID, sensitivity=sensitivity, background=background)
    with pytest.raises(InputError, match="multiplicative of shape"):
        list_sensitivity(SMALL, sinogram.multiplicative, GRID)


def test_an_event_that_nothing_explains_has_no_likelihood() -> None:
    sinogram, events = measured()
    data = listed(sinogram, dataclasses.replace(events, additive=0.0 * events.additive))
    assert data.log_likelihood(np.zeros(GRID.shape, np.float32)) == -math.inf
