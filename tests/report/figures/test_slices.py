from __future__ import annotations

import base64
import io
import itertools

import numpy as np
import pytest

from betaplus.report.figures import Picture, centre, orthogonal_slices, status_slices

AFFINE = np.array([[2.0, 0, 0, -19], [0, 3.0, 0, -22], [0, 0, 4.0, -10], [0, 0, 0, 1]])


def pixels(made: Picture) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(made.data))).convert("RGB")).astype(
        int
    )


def blob(shape=(20, 16, 12)) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.random(shape).astype(np.float32)


def turned(volume: np.ndarray, order: tuple[int, ...], flips: tuple[bool, ...]):
    """Return the same world in another voxel order: volume and affine."""
    affine = AFFINE[:, [*order, 3]].copy()
    volume = volume.transpose(order)
    for axis, flip in enumerate(flips):
        if flip:
            affine[:3, 3] += (volume.shape[axis] - 1) * affine[:3, axis]
            affine[:3, axis] *= -1
            volume = np.flip(volume, axis)
    return volume, affine


def runs(on: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(int), [0]])))
    return list(zip(edges[::2], edges[1::2], strict=True))


@pytest.mark.parametrize(("x", "y", "z"), [(3, 3, 2), (16, 3, 9), (3, 12, 9), (16, 12, 2)])
def test_left_is_left_and_up_is_anterior_or_superior(x: int, y: int, z: int) -> None:
    volume = np.zeros((20, 16, 12))
    volume[x, y, z] = 1
    where = AFFINE[:3, :3] @ (x, y, z) + AFFINE[:3, 3]
    image = pixels(
        orthogonal_slices(volume, AFFINE, "t", "1", mask=volume >= 0, at=where, vmax=1.0)
    )
    dark = image.sum(-1) < 90
    rows = max(runs(dark.mean(1) > 0.3), key=lambda r: r[1] - r[0])
    panels = [r for r in runs(dark[rows[0] : rows[1]].mean(0) > 0.5) if r[1] - r[0] > 60]
    # A bright voxel may cut a panel in the projection, never by more than half of its columns.
    assert len(panels) == 3
    bright = (image[..., 0] > 240) & (image[..., 1] > 240) & (image[..., 2] < 200)
    for (left, right), (h, v) in zip(panels, (("x", "y"), ("x", "z"), ("y", "z")), strict=True):
        found = np.argwhere(bright[rows[0] : rows[1], left:right])
        assert len(found) > 20
        at_row, at_column = found.mean(0)
        voxel = {"x": x, "y": y, "z": z}
        size = {"x": 20, "y": 16, "z": 12}
        across, up = (voxel[h] + 0.5) / size[h], (voxel[v] + 0.5) / size[v]
        assert at_column / (right - left) == pytest.approx(across, abs=0.02)
        assert 1 - at_row / (rows[1] - rows[0]) == pytest.approx(up, abs=0.03)
        depth = {"x": 2.0, "y": 3.0, "z": 4.0}
        aspect = (right - left) / (rows[1] - rows[0])
        expected = size[h] * depth[h] / (size[v] * depth[v])
        assert aspect == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(True, False, False), (False, True, True)])
def test_order_of_voxels_does_not_matter(order, flips) -> None:
    at = np.array([1.0, -4.0, 14.0])
    volume = blob()
    reference = orthogonal_slices(volume, AFFINE, "t", "1", volume, mask=volume > 0.1, at=at)
    other, affine = turned(volume, order, flips)
    made = orthogonal_slices(other, affine, "t", "1", other, mask=other > 0.1, at=at)
    assert made.data == reference.data


def test_centre_is_the_same_place_in_every_order() -> None:
    volume = blob() ** 4
    grids = np.meshgrid(*[np.arange(n) for n in volume.shape], indexing="ij")
    index = [np.average(g, weights=volume) for g in grids]
    expected = AFFINE[:3, :3] @ index + AFFINE[:3, 3]
    for order in itertools.permutations(range(3)):
        other, affine = turned(volume, order, (True, False, True))
        np.testing.assert_allclose(centre(other, affine), expected, rtol=1e-5)
    middle = AFFINE[:3, :3] @ [9.5, 7.5, 5.5] + AFFINE[:3, 3]
    np.testing.assert_allclose(centre(np.zeros(volume.shape), AFFINE), middle)
    np.testing.assert_allclose(centre(np.full(volume.shape, np.nan), AFFINE), middle)


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0, np.nan, np.inf])
def test_constant_and_empty_maps_are_drawn(value: float) -> None:
    volume = np.full((6, 5, 4), value)
    made = orthogonal_slices(volume, np.eye(4), "t", "1", volume, median=volume)
    assert pixels(made).shape[1] == 2 * made.width
    empty = np.zeros(volume.shape, dtype=bool)
    assert pixels(orthogonal_slices(volume, np.eye(4), "t", "1", volume, mask=empty)).size


def test_colours_do_not_follow_outliers(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = captured(monkeypatch)
    volume, sd = blob(), 0.1 * blob()
    volume[0, 0, 0], sd[1, 1, 1] = 1e6, 1e6
    orthogonal_slices(volume, AFFINE, "t", "1", sd)
    assert rows[0].norm.vmin == 0 and rows[0].norm.vmax < 1.1 and rows[0].extend == "max"
    assert rows[1].norm.vmin == 0 and rows[1].norm.vmax < 0.11 and rows[1].extend == "max"
    rows.clear()
    orthogonal_slices(volume, AFFINE, "t", "1", vmin=0.2, vmax=0.3)
    assert (rows[0].norm.vmin, rows[0].norm.vmax, rows[0].extend) == (0.2, 0.3, "both")


def test_negative_values_and_heavy_tails_get_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = captured(monkeypatch)
    orthogonal_slices(blob() - 0.5, AFFINE, "k4", "1/min")
    assert -0.5 <= rows[0].norm.vmin < -0.45
    rows.clear()
    orthogonal_slices(100 * blob(), AFFINE, "VT", "mL/cm3", blob(), median=blob())
    assert [row.label for row in rows] == ["mean", "median", "SD"]
    assert rows[0].norm.vmax == rows[1].norm.vmax < 1.01
    assert rows[0].bar == "mean [mL/cm\u00b3]"


def captured(monkeypatch: pytest.MonkeyPatch) -> list:
    from betaplus.report.figures import slices

    rows: list = []
    draw = slices._draw

    def spy(given, *arguments):
        rows.extend(given)
        return draw(given, *arguments)

    monkeypatch.setattr(slices, "_draw", spy)
    return rows


def test_status_has_a_colour_a_code() -> None:
    from matplotlib.colors import to_rgb

    from betaplus.report.figures.canvas import STATUS_COLOURS

    status = np.zeros((8, 8, 8), dtype=np.uint8)
    for code in (1, 2, 3, 4):
        status[2 * (code - 1) : 2 * code] = code
    image = pixels(status_slices(status, np.eye(4), at=np.array([4.0, 4, 4])))
    for code in (1, 2, 3, 4):
        colour = np.round(255 * np.array(to_rgb(STATUS_COLOURS[code])))
        assert (np.abs(image - colour).max(-1) <= 1).sum() > 500


@pytest.mark.parametrize("slices", [2, 8])
def test_a_slab_is_drawn_in_the_plane_that_shows_it(slices: int) -> None:
    """A few slices of 64 x 64: side and front views would be strips, so that all became tiny."""
    volume = np.ones((64, 64, slices))
    slab = pixels(orthogonal_slices(volume, np.diag([2.0, 2.0, 4.0, 1.0]), "m", "1"))
    assert slab.shape[0] > 2.5 * 192  # 192 dots an inch
    whole = pixels(orthogonal_slices(blob((64, 64, 40)), np.diag([2.0, 2.0, 4.0, 1.0]), "m", "1"))
    assert slab.shape[1] < 0.7 * whole.shape[1]
