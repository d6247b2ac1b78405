"""Resampling of corrections: what it keeps exactly, and what it takes out of the high band."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from betaplus.core.errors import InputError
from betaplus.denoising.resample import Resampler, check_voxels, shrink_high_band

GRIDS = [
    ((44, 50, 41), (1.65, 1.65, 1.65)),
    ((30, 29, 33), (4.07, 4.07, 3.0)),
    ((40, 37, 33), (2.73, 2.73, 3.27)),
    ((24, 25, 60), (5.3, 5.3, 2.0)),
]


def places(shape: tuple[int, ...], voxel: tuple[float, ...]) -> list[np.ndarray]:
    """Coordinates of voxel centres from the middle of the volume [mm]."""
    lines = [(np.arange(n) - (n - 1) / 2) * v for n, v in zip(shape, voxel, strict=True)]
    return list(np.meshgrid(*lines, indexing="ij"))


def smooth_field(shape: tuple[int, ...], voxel: tuple[float, ...]) -> np.ndarray:
    """Waves of 60 mm and more, as corrections of organs have."""
    x, y, z = places(shape, voxel)
    return 2 + np.sin(2 * np.pi * x / 60 + 1) + np.cos(2 * np.pi * y / 60) * np.sin(z / 11)


def tensor(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(x, np.float32))[None, None]


@settings(max_examples=15, deadline=None)
@given(
    st.tuples(*[st.integers(8, 30)] * 3),
    st.tuples(*[st.floats(1.0, 6.0)] * 3),
    st.floats(2.0, 4.0),
)
def test_zero_stays_zero_and_constants_stay(shape, voxel, grid_voxel) -> None:
    grid = Resampler(shape, voxel, grid_voxel)
    nothing = torch.zeros(1, 1, *grid.grid_shape)
    image = torch.rand(1, 1, *shape)
    out = image + grid.up(nothing)
    assert torch.equal(out.view(torch.int32), image.view(torch.int32))
    constant = torch.full((2, 1, *shape), 7.3)
    down = grid.down(constant)
    assert down.shape == (2, 1, *grid.grid_shape)
    for level in (down, grid.up(down)):
        assert float((level / 7.3 - 1).abs().max()) < 1e-6
    for n, v, m in zip(shape, voxel, grid.grid_shape, strict=True):
        edge = max(v, grid_voxel)  # voxels coarser than the grid's stay as they are
        assert n * v - 0.01 <= m * edge < n * v + edge


def test_one_grid_is_the_identity_to_the_last_bit() -> None:
    grid = Resampler((20, 21, 22), (3.0, 3.0, 3.0), 3.0)
    image = torch.randn(1, 1, 20, 21, 22)
    assert torch.equal(grid.down(image), image)
    assert torch.equal(grid.up(image), image)
    assert not grid.high_band(image).any()


@pytest.mark.parametrize(("shape", "voxel"), GRIDS)
def test_smooth_fields_and_their_means_over_regions_are_kept(shape, voxel) -> None:
    grid = Resampler(shape, voxel, 3.0)
    on_image, on_grid = smooth_field(shape, voxel), smooth_field(grid.grid_shape, grid.grid_voxel)
    pairs = (
        (grid.up(tensor(on_grid)), on_image, voxel),
        (grid.down(tensor(on_image)), on_grid, grid.grid_voxel),
    )
    for found, truth, edges in pairs:
        x, y, z = places(truth.shape, edges)
        got = found[0, 0].numpy()
        for centre in ((0, 0, 0), (10, -8, 6), (-12, 5, -9)):
            c = centre
            inside = (x - c[0]) ** 2 + (y - c[1]) ** 2 + (z - c[2]) ** 2 < 14**2
            assert got[inside].mean() == pytest.approx(truth[inside].mean(), rel=1e-3)
        inner = (slice(6, -6),) * 3
        assert np.abs(got - truth)[inner].max() < 0.02


def test_grid_affine_puts_voxels_where_the_image_has_them() -> None:
    shape, voxel = (44, 50, 41), (1.65, 1.8, 2.1)
    affine = np.array([[-1.65, 0, 0, 30], [0, 0, 2.1, -12], [0, 1.8, 0, 7], [0, 0, 0, 1.0]])
    grid = Resampler(shape, voxel, 3.0)
    index = np.stack([*np.indices(shape), np.ones(shape)])
    world = np.einsum("ij,j...->i...", affine, index)[:3]
    on_grid = np.stack([*np.indices(grid.grid_shape), np.ones(grid.grid_shape)])
    expected = np.einsum("ij,j...->i...", grid.grid_affine(affine), on_grid)[:3]
    inner = (slice(3, -3),) * 3
    for axis in range(3):
        found = grid.down(tensor(world[axis]))[0, 0].numpy()
        np.testing.assert_allclose(found[inner], expected[axis][inner], atol=1e-4)


def test_down_does_not_alias() -> None:
    # A wave of 3.6 mm on voxels of 1.65 mm would be one of 18 mm on a grid of 3 mm.
    shape, voxel = (96, 20, 20), (1.65, 1.65, 1.65)
    x = places(shape, voxel)[0]
    down = Resampler(shape, voxel, 3.0).down(tensor(np.cos(2 * np.pi * x / 3.6)))
    assert float(down[0, 0, 5:-5].abs().max()) < 0.12


def high_noise(rng: np.random.Generator, lesion: float) -> tuple[np.ndarray, np.ndarray, Resampler]:
    shape, voxel = (48, 48, 48), (1.65,) * 3
    sd = np.where(places(shape, voxel)[0] > 0, 0.5, 0.15)
    x, y, z = places(shape, voxel)
    truth = 1 + lesion * ((x - 14) ** 2 + y**2 + z**2 < 5**2)
    truth = gaussian_filter(truth, 0.8)
    return truth + sd * rng.standard_normal(shape), truth, Resampler(shape, voxel, 3.0)


def test_noise_in_the_high_band_goes_and_signal_stays() -> None:
    image, truth, grid = high_noise(np.random.default_rng(0), lesion=60.0)
    x, y, z = places(image.shape, grid.voxel)
    sd = tensor(np.where(x > 0, 1.0, 0.4))  # right up to a factor that changes slowly, at most
    high = grid.high_band(tensor(image))
    removed = shrink_high_band(high, sd, grid.voxel)[0, 0].numpy()
    far = (x - 14) ** 2 + y**2 + z**2 > 17**2
    for side in (x > 6, x < -6):
        before = high[0, 0].numpy()[far & side]
        assert np.var(before - removed[far & side]) < 0.02 * np.var(before)
    # The edge of the lesion is far above noise: nothing of it goes.
    steep = np.abs(grid.high_band(tensor(truth))[0, 0].numpy()) > 3.0
    assert steep.sum() > 20 and not removed[steep].any()


def test_the_high_band_can_be_left_alone() -> None:
    image, _, grid = high_noise(np.random.default_rng(1), lesion=0.0)
    high = grid.high_band(tensor(image))
    assert not shrink_high_band(high, torch.ones_like(high), grid.voxel, strength=0.0).any()
    assert not shrink_high_band(high, torch.zeros_like(high), grid.voxel).any()
    half = shrink_high_band(high, torch.ones_like(high), grid.voxel, strength=0.5)
    full = shrink_high_band(high, torch.ones_like(high), grid.voxel)
    torch.testing.assert_close(2 * half, full)


@pytest.mark.parametrize(
    ("voxel", "shape", "what"),
    [
        ((3, 3, 3), (64, 64, 7), "64 x 64 x 7 voxels"),
        ((3, 3), (64, 64), "64 x 64 voxels"),
        ((2.5, 2.5, 10), (64, 64, 64), "at most 8 mm"),
        ((1, 1, 5), (64, 64, 64), "at most 4 times"),
        ((3, 3, 0), (64, 64, 64), "above 0"),
        ((3, float("nan"), 3), (64, 64, 64), "above 0"),
    ],
)
def test_refused_voxels(voxel, shape, what) -> None:
    with pytest.raises(InputError, match=what) as refusal:
        check_voxels(voxel, shape)
    assert "\n" not in str(refusal.value)


def test_voxels_that_pass() -> None:
    for shape, voxel in GRIDS:
        check_voxels(voxel, shape)
