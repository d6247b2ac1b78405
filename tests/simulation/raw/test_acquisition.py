"""Mean counts: their sums, attenuation, efficiencies, randoms and the laws of dose and time."""

from __future__ import annotations

import numpy as np
import pytest
from tests.physics.projector.cases import SMALL, TIMED, all_lines

from betaplus.core.errors import UsageError
from betaplus.core.grid import ImageGrid
from betaplus.physics.attenuation import attenuation_factors
from betaplus.simulation.raw.acquisition import Acquisition, simulate_counts
from betaplus.simulation.raw.attenuation import BONE, SOFT, mu_map
from betaplus.simulation.raw.efficiencies import crystal_efficiencies, line_efficiencies
from betaplus.simulation.raw.randoms import crystal_rates, randoms_shape

GRID = ImageGrid(shape=(54, 54, 18), voxel_size=(2.0, 2.0, 1.0))


def cylinder(grid: ImageGrid, radius: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """Share of each voxel inside a cylinder along z, by 8 x 8 points."""
    offset = (np.arange(8) + 0.5) / 8 - 0.5
    dx = (grid.axis(0)[:, None] + offset * grid.voxel_size[0]).ravel() - x
    dy = (grid.axis(1)[:, None] + offset * grid.voxel_size[1]).ravel() - y
    inside = (np.hypot(dx[:, None], dy[None]) <= radius).astype(np.float32)
    share = inside.reshape(grid.shape[0], 8, grid.shape[1], 8).mean((1, 3))
    return np.repeat(share[..., None], grid.shape[2], 2).astype(np.float32)


@pytest.fixture(scope="module")
def activity() -> np.ndarray:
    return 1000.0 * cylinder(GRID, 25.0, 8.0, -5.0) + 4000.0 * cylinder(GRID, 5.0, -15.0, 10.0)


@pytest.fixture(scope="module")
def mu() -> np.ndarray:
    return SOFT * cylinder(GRID, 35.0)


@pytest.fixture(scope="module", params=["plain", "tof"])
def counts(request, activity, mu):
    scanner = TIMED if request.param == "tof" else SMALL
    return simulate_counts(scanner, GRID, activity, mu, counts=2e5, scatter=0.3, randoms=0.45)


def test_parts_add_up_to_what_was_asked(counts):
    totals = counts.totals()
    assert totals["prompts"] == pytest.approx(2e5, rel=1e-5)
    assert totals["randoms"] / totals["prompts"] == pytest.approx(0.45, rel=1e-5)
    scatter = totals["scatter"] / (totals["scatter"] + totals["trues"])
    assert scatter == pytest.approx(0.3, rel=1e-5)
    assert counts.mean().sum(dtype=float) == pytest.approx(2e5, rel=1e-5)


def test_gaps_count_nothing(counts):
    assert not counts.mean()[~counts.scanner.live].any()
    assert (counts.efficiency[counts.scanner.live] > 0.5).all()
    assert (counts.mean()[counts.scanner.live] > 0.0).all()


def test_randoms_are_the_same_in_all_bins_of_time_of_flight(counts):
    spread = counts.spread_randoms()
    if not counts.scanner.tof:
        np.testing.assert_array_equal(spread, counts.randoms)
        return
    np.testing.assert_array_equal(spread[..., 0], spread[..., -1])
    np.testing.assert_allclose(spread.sum(-1), counts.randoms, rtol=1e-5)


def test_sensitivity_turns_integrals_into_trues(counts, activity, mu):
    """Trues of a line: sensitivity x efficiency x attenuation x blurred integral, by hand."""
    from betaplus.physics.blur import GaussianBlur
    from betaplus.physics.projector.line_projector import LineProjector

    scanner = counts.scanner
    blurred = GaussianBlur(GRID.shape, GRID.voxel_size, scanner.resolution).forward(activity)
    integrals = [
        LineProjector(all_lines(scanner), GRID).forward(x).reshape(scanner.shape[:3])
        for x in (blurred, mu)
    ]
    expected = counts.sensitivity * counts.efficiency * np.exp(-integrals[1]) * integrals[0]
    trues = counts.trues.sum(-1) if scanner.tof else counts.trues
    assert np.abs(trues - expected).max() < 3e-3 * expected.max()


def test_attenuation_of_a_cylinder_against_its_chords():
    radius, mu = 40.0, 0.02
    factors = attenuation_factors(SMALL, GRID, mu * cylinder(GRID, radius))
    xy = SMALL.detector_xy[SMALL.pairs]
    one, two = xy[..., 0, :], xy[..., 1, :]
    step = two - one
    cross = step[..., 0] * one[..., 1] - step[..., 1] * one[..., 0]
    distance = np.abs(cross) / np.hypot(*np.moveaxis(step, -1, 0))
    chord = 2.0 * np.sqrt(np.maximum(radius**2 - distance**2, 0.0))
    length = np.hypot(*np.moveaxis(step, -1, 0))
    for s in SMALL.michelogram.segments:
        rise = s.mean_difference * SMALL.ring_pitch
        tilt = np.hypot(length, rise) / length
        expected = np.exp(-mu * chord * tilt)
        middle = factors[..., s.first + s.planes // 2]
        assert np.abs(middle - expected).mean() < 0.005
        sure = distance < radius - 4.0
        assert np.abs(middle - expected)[sure].max() < 0.02


def test_mu_of_tissues():
    found = mu_map(np.array([[[0, 1, 2, 3, 6, 17]]], dtype=np.uint8)).ravel()
    np.testing.assert_allclose(found, [0.0, SOFT, BONE, SOFT, SOFT, SOFT], rtol=1e-6)


def test_line_efficiency_is_the_sum_over_pairs_of_rings():
    crystals = crystal_efficiencies(SMALL, seed=3)
    found = line_efficiencies(SMALL, crystals)
    expected = np.zeros(SMALL.shape)
    plane = SMALL.michelogram.plane_of_pair
    for v in range(0, SMALL.views, 7):
        for r in range(SMALL.radial):
            d1, d2 = SMALL.pairs[v, r]
            for a in range(SMALL.rings):
                for b in range(SMALL.rings):
                    if plane[a, b] >= 0:
                        expected[v, r, plane[a, b]] += crystals[d1, a] * crystals[d2, b]
    np.testing.assert_allclose(found[::7], expected[::7], rtol=1e-6)
    live = np.log(crystals[~SMALL.is_gap])
    assert live.std() == pytest.approx(0.05, rel=0.15)
    assert not crystals[SMALL.is_gap].any()


def test_crystal_rates_are_means_over_fans():
    """A sinogram of products a b has fan means a x mean of its partners' b, pair by pair."""
    rng = np.random.default_rng(0)
    mean = rng.uniform(0.5, 2.0, SMALL.shape).astype(np.float32)
    mean[~SMALL.live] = 0.0
    m = SMALL.michelogram
    total, number = np.zeros((2, SMALL.detectors, SMALL.rings))
    for v in range(SMALL.views):
        for r in range(SMALL.radial):
            if SMALL.live[v, r]:
                for a, b in m.pairs:
                    share = (
                        mean[v, r, m.plane_of_pair[a, b]] / m.multiplicity[m.plane_of_pair[a, b]]
                    )
                    for d, ring in zip(SMALL.pairs[v, r], (a, b), strict=True):
                        total[d, ring] += share
                        number[d, ring] += 1
    expected = np.divide(total, number, out=np.zeros_like(total), where=number > 0)
    np.testing.assert_allclose(crystal_rates(SMALL, mean), expected, rtol=1e-6)


def test_randoms_are_products_of_rates():
    mean = np.ones(SMALL.shape, np.float32) * SMALL.live[..., None]
    shape = randoms_shape(SMALL, mean * SMALL.michelogram.multiplicity)
    np.testing.assert_allclose(
        shape, SMALL.live[..., None] * SMALL.michelogram.multiplicity * np.ones(SMALL.shape),
        rtol=1e-6,
    )  # fmt: skip


def test_dose_and_time(counts):
    full = counts.totals()
    low = counts.scaled(dose=0.1).totals()
    assert low["trues"] == pytest.approx(0.1 * full["trues"], rel=1e-5)
    assert low["scatter"] == pytest.approx(0.1 * full["scatter"], rel=1e-5)
    assert low["randoms"] == pytest.approx(0.01 * full["randoms"], rel=1e-5)
    short = counts.scaled(time=0.1).totals()
    for name, value in full.items():
        assert short[name] == pytest.approx(0.1 * value, rel=1e-5)
    assert counts.scaled(dose=0.5, time=0.5).sensitivity == pytest.approx(counts.sensitivity / 4)
    with pytest.raises(UsageError, match="dose fraction 0"):
        counts.scaled(dose=0.0)


def test_weights_are_the_adjoint(activity, mu):
    crystals = crystal_efficiencies(SMALL)
    scan = Acquisition(SMALL, GRID, mu, crystals)
    trues = scan.means(activity, sensitivity=1.0, scatter_over_trues=0.1, randoms=1.0).trues
    found = np.sum(scan.weights() * activity, dtype=float)
    assert found == pytest.approx(trues.sum(dtype=float), rel=1e-5)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(activity, mu, threads):
    one, many = (
        simulate_counts(TIMED, GRID, activity, mu, counts=1e5, threads=n) for n in (1, threads)
    )
    for name in ("trues", "scatter", "randoms", "attenuation", "efficiency"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))


def test_an_empty_frame_counts_nothing(mu):
    scan = Acquisition(SMALL, GRID, mu, crystal_efficiencies(SMALL))
    found = scan.means(np.zeros(GRID.shape), sensitivity=1.0, scatter_over_trues=0.5, randoms=0.0)
    assert found.totals()["prompts"] == 0.0


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"counts": 0.0}, "0 counts"),
        ({"counts": np.nan}, "nan counts"),
        ({"counts": 1e5, "scatter": 1.0}, "share of scatter"),
        ({"counts": 1e5, "randoms": -0.1}, "share of randoms"),
    ],
)
def test_refusals(activity, mu, options, text):
    with pytest.raises(UsageError, match=text):
        simulate_counts(SMALL, GRID, activity, mu, **options)


def test_no_activity_is_refused(mu):
    with pytest.raises(UsageError, match="no activity"):
        simulate_counts(SMALL, GRID, np.zeros(GRID.shape, np.float32), mu, counts=1e5)
