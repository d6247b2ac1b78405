"""The projector against its kernel for single lines, closed forms, and itself turned round."""

from __future__ import annotations

import numpy as np
import pytest
from tests.physics.projector.cases import GRIDS, SMALL, TIMED, all_lines

from betaplus.core.errors import UsageError
from betaplus.core.grid import ImageGrid
from betaplus.core.scanner import Scanner
from betaplus.core.scanners import SCANNERS
from betaplus.physics.linear_operator import adjointness, norm
from betaplus.physics.projector.line_projector import LineProjector
from betaplus.physics.projector.projector import Projector
from betaplus.physics.projector.tof import make_tof_kernel


def random_image(grid: ImageGrid, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(grid.shape, dtype=np.float32)


@pytest.mark.parametrize("scanner", [SMALL, TIMED], ids=["flat", "TOF"])
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_the_adjoint_is_one(scanner: Scanner, grid: ImageGrid) -> None:
    assert adjointness(Projector(scanner, grid)) < 1e-6
    lines = np.random.default_rng(1).random((scanner.views, scanner.radial)) < 0.6
    assert adjointness(Projector(scanner, grid, views=[3, 7, 8, 29], lines=lines)) < 1e-6


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_it_agrees_with_lines_one_by_one(grid: ImageGrid) -> None:
    image = random_image(grid)
    single = LineProjector(all_lines(SMALL), grid)
    found, expected = Projector(SMALL, grid).forward(image), single.forward(image)
    assert np.abs(found.ravel() - expected).max() < 2e-6 * expected.max()
    y = np.random.default_rng(2).random(SMALL.shape, dtype=np.float32)
    found, expected = Projector(SMALL, grid).adjoint(y), single.adjoint(y.ravel())
    assert np.abs(found - expected).max() < 4e-6 * expected.max()


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_time_of_flight_agrees_with_lines_one_by_one(grid: ImageGrid) -> None:
    image, views = random_image(grid), np.array([2, 11, 23])
    found = Projector(TIMED, grid, views=views).forward(image).reshape(-1, TIMED.tof_bins)
    lines, kernel = all_lines(TIMED, views), make_tof_kernel(TIMED)
    for b in range(TIMED.tof_bins):
        bins = np.full(len(lines), b - TIMED.tof_bins // 2)
        single = LineProjector(lines, grid, bins=bins, kernel=kernel)
        assert np.abs(found[:, b] - single.forward(image)).max() < 4e-6 * found.max()


def test_time_of_flight_sums_to_none() -> None:
    grid = GRIDS["natural"]
    image = random_image(grid)
    flat, timed = Projector(SMALL, grid).forward(image), Projector(TIMED, grid).forward(image)
    assert np.abs(timed.sum(-1) - flat).max() < 1e-3 * flat.max()


def test_time_of_flight_puts_a_source_where_it_is() -> None:
    grid = GRIDS["natural"]
    image = np.zeros(grid.shape, dtype=np.float32)
    at = (25, 9, 4)
    image[at] = 1.0
    source = np.array([grid.axis(i)[n] for i, n in enumerate(at)])
    found = Projector(TIMED, grid).forward(image)
    ends = all_lines(TIMED).reshape(*TIMED.shape[:3], 6)
    middle, along = 0.5 * (ends[..., :3] + ends[..., 3:]), ends[..., 3:] - ends[..., :3]
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    place = ((source - middle) * along).sum(-1) / TIMED.tof_bin
    bins = np.arange(TIMED.tof_bins) - TIMED.tof_bins // 2
    hit = found.sum(-1) > 0.2 * found.sum(-1).max()
    mean = (found[hit] * bins).sum(-1) / found[hit].sum(-1)
    assert hit.sum() > 100
    assert np.abs(mean - place[hit]).max() < 0.35  # a voxel is a quarter of a bin
    variance = (found[hit] * bins**2).sum(-1) / found[hit].sum(-1) - mean**2
    # a normal distribution cut at 3 SD has .9733 of its variance; a bin adds its own width
    expected = 0.9733 * (TIMED.tof_sigma / TIMED.tof_bin) ** 2 + 1.0 / 12.0
    assert abs(variance.mean() / expected - 1.0) < 0.03


@pytest.mark.parametrize("scanner", [SMALL, TIMED], ids=["flat", "TOF"])
def test_threads_do_not_matter(scanner: Scanner) -> None:
    grid = GRIDS["natural"]
    image = random_image(grid)
    one = Projector(scanner, grid, threads=1)
    sinogram = one.forward(image)
    lines = LineProjector(all_lines(SMALL), grid, threads=1)
    for threads in (2, 3, 5):
        many = Projector(scanner, grid, threads=threads)
        assert np.array_equal(many.forward(image), sinogram)
        assert np.array_equal(many.adjoint(sinogram), one.adjoint(sinogram))
        other = LineProjector(all_lines(SMALL), grid, threads=threads)
        values = lines.forward(image)
        assert np.array_equal(other.forward(image), values)
        assert np.array_equal(other.adjoint(values), lines.adjoint(values))


@pytest.mark.parametrize("scanner", [SMALL, TIMED], ids=["flat", "TOF"])
def test_memory_that_is_given_is_written_over(scanner: Scanner) -> None:
    projector = Projector(scanner, GRIDS["natural"], lines=scanner.live)
    image = random_image(GRIDS["natural"])
    given = np.full(projector.out_shape, np.nan, np.float32)
    assert projector.forward(image, given) is given
    assert np.array_equal(given, projector.forward(image))
    with pytest.raises(ValueError, match="expected"):
        projector.forward(image, given.astype(float))


def test_subsets_make_up_the_whole() -> None:
    grid = GRIDS["odd slices"]
    image, whole = random_image(grid), Projector(SMALL, grid)
    y = np.random.default_rng(3).random(whole.out_shape, dtype=np.float32)
    total, full = np.zeros(grid.shape), whole.forward(image)
    for n in range(6):
        views = np.arange(n, SMALL.views, 6)
        part = whole.subset(views)
        assert np.array_equal(part.forward(image), full[views])
        total += part.adjoint(y[views])
    assert np.allclose(total, whole.adjoint(y), rtol=1e-5)


def test_bins_that_are_not_wanted_are_zero() -> None:
    grid, live = GRIDS["natural"], SMALL.live
    found = Projector(SMALL, grid, lines=live).forward(random_image(grid))
    assert (found[~live] == 0).all() and (~live).sum() > 100
    assert np.array_equal(found[live], Projector(SMALL, grid).forward(random_image(grid))[live])


def test_chords_of_a_box() -> None:
    grid = ImageGrid(shape=(64, 64, 32), voxel_size=(2.0, 2.0, 2.0))
    half = 0.5 * np.array(grid.shape) * grid.voxel_size
    rng, n = np.random.default_rng(0), 100_000
    angle, offset = 2.0 * np.pi * rng.random(n), 80.0 * (rng.random(n) - 0.5)
    middle, tilt = 30.0 * (rng.random(n) - 0.5), 120.0 * (rng.random(n) - 0.5)
    across = np.stack([np.cos(angle), np.sin(angle)], 1)
    beside = offset[:, None] * np.stack([-np.sin(angle), np.cos(angle)], 1)
    ends = np.concatenate(
        [beside - 300 * across, (middle - 0.5 * tilt)[:, None],
         beside + 300 * across, (middle + 0.5 * tilt)[:, None]], 1,
    )  # fmt: skip
    start, run = ends[:, :3], ends[:, 3:] - ends[:, :3]
    a, b = (-half - start) / run, (half - start) / run
    chord = (np.maximum(a, b).min(1) - np.minimum(a, b).max(1)) * np.linalg.norm(run, axis=1)
    error = LineProjector(ends, grid).forward(np.ones(grid.shape, np.float32)) - chord
    assert abs(error.mean()) <= 0.02 and np.abs(error).mean() <= 0.03
    assert np.abs(error).max() <= 1.0


def test_the_sinogram_of_a_disc() -> None:
    scanner = SCANNERS["teaching"].replace(rings=1, span=1, max_ring_difference=0)
    grid = ImageGrid(shape=(120, 120, 1), voxel_size=(2.0, 2.0, 4.0))
    centre, radius, fine = np.array([12.0, -25.0]), 60.0, 8
    points = [
        (grid.axis(i)[:, None] + 2.0 * ((np.arange(fine) + 0.5) / fine - 0.5)).ravel()
        for i in range(2)
    ]
    inside = np.hypot(points[0][:, None] - centre[0], points[1][None] - centre[1]) < radius
    disc = inside.reshape(120, fine, 120, fine).mean((1, 3)).astype(np.float32)[..., None]
    found = Projector(scanner, grid).forward(disc)[..., 0]
    ends = scanner.detector_xy[scanner.pairs]
    along = ends[..., 1, :] - ends[..., 0, :]
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    beside = centre - ends[..., 0, :]
    distance = np.abs(beside[..., 0] * along[..., 1] - beside[..., 1] * along[..., 0])
    chord = 2.0 * np.sqrt(np.clip(radius**2 - distance**2, 0.0, None))
    assert np.abs(found - chord)[distance < radius - 8.0].max() < 1.0
    assert (found[distance > radius + 4.0] == 0).all()
    assert abs((found - chord).mean()) < 0.005


def test_symmetric_images_have_symmetric_sinograms() -> None:
    grid = ImageGrid(shape=(32, 32, 9), voxel_size=(3.0, 3.0, 2.0))
    image = random_image(grid)
    turned = np.ascontiguousarray(image[::-1, ::-1])  # half a turn about the axis
    a, b = Projector(SMALL, grid).forward(image), Projector(SMALL, grid).forward(turned)
    # half a turn moves each line to the one whose detectors are half a ring further on
    half = SMALL.detectors // 2
    where = {tuple(p): i for i, p in enumerate(map(tuple, SMALL.pairs.reshape(-1, 2)))}
    for i, (one, two) in enumerate(SMALL.pairs.reshape(-1, 2)):
        j = where.get(((two + half) % SMALL.detectors, (one + half) % SMALL.detectors))
        if j is not None:  # its rings are exchanged: segment 0 stays
            first = slice(0, SMALL.michelogram.segments[0].planes)
            x = a.reshape(-1, SMALL.planes)[i, first]
            y = b.reshape(-1, SMALL.planes)[j, first]
            assert np.allclose(x, y, atol=1e-3)


def test_the_norm_is_that_of_the_matrix() -> None:
    scanner = SMALL.replace(rings=1, max_ring_difference=0, span=1)
    grid = ImageGrid(shape=(8, 8, 1), voxel_size=(12.0, 12.0, 4.0))
    projector = Projector(scanner, grid)
    columns = [projector.forward(e.reshape(grid.shape)).ravel() for e in np.eye(64, dtype="f4")]
    assert np.isclose(norm(projector, 60), np.linalg.norm(np.array(columns), 2), rtol=1e-3)


def test_grids_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match="an image grid that reaches"):
        Projector(SMALL, ImageGrid(shape=(90, 90, 9), voxel_size=(3.0, 3.0, 2.0)))
    thin = ImageGrid(shape=(30, 30, 90), voxel_size=(4.0, 4.0, 0.2))
    with pytest.raises(UsageError, match="climb"):
        Projector(SMALL, thin)
    with pytest.raises(ValueError, match="expected"):
        Projector(SMALL, GRIDS["fine"]).forward(np.zeros((3, 3, 3), np.float32))
