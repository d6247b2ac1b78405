"""Properties of tiles: they cover, their windows sum to one, and blending what was cut changes
nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from betaplus.core.errors import UsageError
from betaplus.generative.tiling import fuse, pad_end, plan_tiles


@st.composite
def plans(draw):
    axes = draw(st.sampled_from([2, 3]))
    multiple = draw(st.sampled_from([1, 2, 4]))
    shape = tuple(draw(st.integers(1, 30)) for _ in range(axes))
    tile = tuple(multiple * draw(st.integers(2, 12 // multiple)) for _ in range(axes))
    overlap = tuple(draw(st.integers(0, size - multiple)) for size in tile)
    halo = draw(st.one_of(st.none(), st.integers(0, min(overlap) // 2)))
    return plan_tiles(shape, tile, overlap, multiple, halo), tile, overlap, multiple, halo


@settings(max_examples=80, deadline=None)
@given(plans())
def test_tiles_cover_and_windows_sum_to_one(made):
    plan, tile, overlap, multiple, halo = made
    total = np.zeros(plan.shape)
    for index in range(len(plan)):
        window = plan.window(index)
        assert np.all((window >= 0) & (window <= 1))
        total[plan.box(index)] += window
    np.testing.assert_array_equal(total, 1.0)
    for axis, starts in enumerate(plan.starts):
        end = starts[-1] + plan.size[axis]
        assert starts[0] == 0 and plan.shape[axis] <= end < plan.shape[axis] + multiple
        assert plan.size[axis] <= tile[axis]
        assert all(start % multiple == 0 for start in (*starts, end))
        for i, (one, other) in enumerate(itertools.pairwise(starts)):
            assert other > one and one + plan.size[axis] - other >= overlap[axis]
            unused = overlap[axis] // 3 if halo is None else halo
            if unused:
                assert not plan.weights[axis][i][-unused:].any()
                assert not plan.weights[axis][i + 1][:unused].any()


@settings(max_examples=60, deadline=None)
@given(plans(), st.randoms(use_true_random=False), st.sampled_from(["zeros", "edge"]))
def test_what_was_cut_is_blended_to_the_same_bits_in_any_order(made, shuffled, padding):
    plan = made[0]
    generator = torch.Generator().manual_seed(0)
    volume = 1e3 * torch.randn(2, *plan.shape, generator=generator).exp()
    tiles = [(i, plan.cut(volume, i, padding)) for i in range(len(plan))]
    assert all(tile.shape == (2, *plan.size) for _, tile in tiles)
    assert torch.equal(fuse(plan, tiles), volume)
    # Tiles that disagree: the order of the sum would show.
    outputs = [(i, tile * torch.rand(tile.shape, generator=generator)) for i, tile in tiles]
    expected = fuse(plan, outputs)
    shuffled.shuffle(outputs)
    assert torch.equal(fuse(plan, outputs), expected)


def test_fusion_against_plain_weighted_sums():
    plan = plan_tiles((23, 30), (12, 16), (6, 8), 2)
    rng = np.random.default_rng(0)
    outputs = rng.standard_normal((len(plan), 3, *plan.size)).astype(np.float32)
    expected = np.zeros((3, 23, 30))
    for i, output in enumerate(outputs):
        inside = tuple(slice(box.stop - box.start) for box in plan.box(i))
        expected[(..., *plan.box(i))] += plan.window(i) * output[(..., *inside)]
    found = fuse(plan, ((i, torch.from_numpy(o)) for i, o in enumerate(outputs)))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_windows_are_smooth_where_neighbours_blend():
    # Between two halos of a third of the overlap the window is sin^2, to half a 512th.
    plan = plan_tiles((160, 96), 96, 32, 16)
    assert plan.starts == ((0, 64), (0,))
    rise = plan.weights[0][1]
    expected = np.concatenate([np.zeros(10), np.sin((np.arange(12) + 0.5) / 12 * np.pi / 2) ** 2])
    np.testing.assert_allclose(rise[:22], expected, atol=1 / 512)
    assert np.all(rise[22:] == 1.0) and np.all(np.diff(rise) >= 0)
    np.testing.assert_array_equal(rise[:32] + plan.weights[0][0][64:], 1.0)


def test_half_overlapping_tiles_without_a_halo_have_hann_windows():
    plan = plan_tiles((64, 8), (32, 8), (16, 0), halo=0)
    assert plan.starts[0] == (0, 16, 32)
    hann = np.sin((np.arange(32) + 0.5) / 32 * np.pi) ** 2
    np.testing.assert_allclose(plan.weights[0][1], hann, atol=1 / 512)


def test_a_small_volume_is_one_tile_padded_at_its_end():
    plan = plan_tiles((5, 9, 30), (16, 8, 24), (8, 4, 8), 4)
    assert plan.size == (8, 8, 24)
    assert plan.starts == ((0,), (0, 4), (0, 8))
    volume = torch.arange(5.0 * 9 * 30).reshape(5, 9, 30)
    for padding, beyond in (("zeros", torch.zeros(3, 8, 24)), ("edge", volume[4:5, :8, :24])):
        tile = plan.cut(volume, 0, padding)
        torch.testing.assert_close(tile[:5], volume[:, :8, :24])
        torch.testing.assert_close(tile[5:], beyond.expand(3, 8, 24))


def test_padding_of_corners_by_edge_values():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(pad_end(x, (3, 4), "edge"), np.pad(x, [(0, 1), (0, 2)], "edge"))
    np.testing.assert_array_equal(pad_end(x, (3, 4)), np.pad(x, [(0, 1), (0, 2)]))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tile": 10, "multiple": 4}, "tiles of 10 voxels .* multiple of 4"),
        ({"overlap": 16}, "overlap of at most 15"),
        ({"overlap": 13, "multiple": 4}, "overlap of at most 12"),
        ({"halo": 5}, "a halo of 5 voxels; expected at most half of the overlap, 4"),
        ({"tile": (16, 16)}, "2 sizes .* for 3 axes"),
        ({"shape": (20, 0, 20)}, "an axis of 0 voxels"),
        ({"shape": (20,)}, "for 1 axes"),
    ],
)
def test_what_makes_no_tiles_is_refused(settings, said):
    with pytest.raises(UsageError, match=said):
        plan_tiles(**{"shape": (20, 30, 40), "tile": 16, "overlap": 8, **settings})


@pytest.mark.parametrize("indices", [[0, 1], [0, 1, 2, 2], [0, 1, 2, 0], [0, 1, 2, 9]])
def test_a_missing_or_surplus_tile_is_an_error(indices):
    plan = plan_tiles((20, 20), 12, 4)
    assert len(plan) == 4
    with pytest.raises(ValueError, match="tile"):
        fuse(plan, [(i, torch.zeros(12, 12)) for i in indices])
