"""What a page holds of volumes and curves is what they are, as far as it says."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.report.figures.volumes import colour_range
from betaplus.report.page import Page
from betaplus.report.viewer import Layer, curve_explorer, curves_from, curves_of, slice_viewer
from betaplus.report.viewer.levels import OUTSIDE, to_levels
from betaplus.report.viewer.reduction import Reduction

FRAMES = FrameTiming.from_durations([60.0, 60.0, 300.0])
AFFINE = np.array([[-2.0, 0, 0, 20], [0, 3.0, 0, -15], [0, 0, 4.0, -20], [0, 0, 0, 1]])


def read(widget: str) -> dict:
    return json.loads(re.search(r'json">(.*?)</script>', widget)[1])


def unpack(text: str, kind: str = "u1") -> np.ndarray:
    return np.frombuffer(gzip.decompress(base64.b64decode(text)), kind)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(1e-3, 1e5), st.booleans())
def test_levels_are_close_to_the_values(seed: int, scale: float, signed: bool) -> None:
    rng = np.random.default_rng(seed)
    values = scale * (rng.standard_normal(400) if signed else rng.gamma(1.0, 1.0, 400))
    keep = rng.random(400) < 0.8
    values[3] = np.nan
    low, high = colour_range(values[keep])
    codes, levels = to_levels(values, keep, low, high)
    drawn = keep & np.isfinite(values)
    assert np.array_equal(codes != OUTSIDE, drawn)
    assert len(levels) <= 255 and (np.diff(levels) > 0).all()
    shown = levels[codes[drawn].astype(int) - 1]
    inside = (values[drawn] >= low) & (values[drawn] <= high)
    assert np.abs(shown - values[drawn])[inside].max() <= (high - low) / 397
    assert shown.max() == pytest.approx(max(values[drawn].max(), shown.max()), rel=0.01)
    assert (np.diff(codes[drawn][np.argsort(values[drawn])].astype(int)) >= 0).all()


def test_few_large_values_leave_the_others_their_colours() -> None:
    values = np.r_[np.linspace(0, 1, 9900), np.full(100, 60.0)]
    assert colour_range(values)[1] == pytest.approx(2 * 0.96, rel=0.02)
    assert colour_range(np.linspace(0, 1, 1000))[1] == pytest.approx(0.995)


def test_blocks_are_means_of_voxels_and_lie_where_these_do() -> None:
    rng = np.random.default_rng(0)
    volume, keep = rng.random((9, 8, 7)), rng.random((9, 8, 7)) < 0.7
    box = [slice(1, 9), slice(0, 8), slice(0, 7)]
    smaller = Reduction.of(box, np.diag([2.0, 2.0, 4.0, 1.0]), 120)
    assert smaller.factor == (2, 2, 1) and smaller.coarser
    means, inside = smaller.means(volume, keep)
    assert means.shape == (4, 4, 7)
    part, kept = volume[3:5, 2:4, 5], keep[3:5, 2:4, 5]
    assert means[1, 1, 5] == pytest.approx(part[kept].mean())
    assert inside[1, 1, 5] == kept.any()
    np.testing.assert_allclose((smaller.affine @ [1, 1, 5, 1])[:3], [7.0, 5.0, 20.0])


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.integers(1, 40)] * 3), st.integers(1, 500))
def test_there_are_never_more_blocks_than_asked_for(shape: tuple, limit: int) -> None:
    smaller = Reduction.of([slice(0, n) for n in shape], np.eye(4), limit)
    means, inside = smaller.means(np.ones(shape), np.ones(shape, bool))
    assert means.size <= limit and inside.all()
    np.testing.assert_allclose(means, 1.0)


def test_volumes_are_turned_to_the_subject() -> None:
    volume = np.zeros((10, 8, 6), np.float32)
    volume[2, 5, 1] = 7.0
    data = read(slice_viewer({"a": [Layer("a", volume, "Bq/mL")]}, AFFINE, mask=volume >= 0))
    layer = data["groups"][0]["layers"][0]
    codes = unpack(layer["codes"]).reshape(data["shape"], order="F")
    at = np.argwhere(codes == codes.max())
    assert len(at) == 1
    place = np.array(data["affine"]) @ [*at[0], 1]
    np.testing.assert_allclose(place, (AFFINE @ [2, 5, 1, 1])[:3])
    assert np.array(data["affine"])[0, 0] > 0  # x runs to the right
    assert layer["levels"][codes.max() - 1] == pytest.approx(7.0, rel=1e-4)


def test_oblique_volumes_keep_their_places() -> None:
    turn = 0.2
    affine = AFFINE.copy()
    affine[:2, :2] = [[-2 * np.cos(turn), 3 * np.sin(turn)], [2 * np.sin(turn), 3 * np.cos(turn)]]
    volume = np.ones((6, 6, 6))
    volume[4, 1, 3] = 5.0
    data = read(slice_viewer({"a": [Layer("a", volume, "1")]}, affine, mask=volume > 0))
    codes = unpack(data["groups"][0]["layers"][0]["codes"]).reshape(data["shape"], order="F")
    place = np.array(data["affine"]) @ [*np.argwhere(codes == codes.max())[0], 1]
    np.testing.assert_allclose(place, (affine @ [4, 1, 3, 1])[:3], rtol=1e-4)


def scan(shape: tuple = (6, 5, 4)) -> PetImage:
    rng = np.random.default_rng(1)
    data = rng.gamma(2.0, 500.0, (*shape, 3)).astype(np.float32)
    return PetImage(data=data, affine=AFFINE, unit="Bq/mL", frames=FRAMES)


def test_curves_of_voxels_are_those_of_the_scan() -> None:
    image = scan()
    mask = np.ones(image.shape[:3], bool)
    mask[0] = False
    curves = curves_of(image, mask)
    viewer = slice_viewer({"a": [Layer("a", image.data[..., 2], "Bq/mL")]}, AFFINE, mask=mask,
                          curves=curves)  # fmt: skip
    data = read(viewer)
    found = data["curves"]
    assert found["mid"] == [0.5, 1.5, 4.5] and found["unit"] == "kBq/mL"
    line = found["lines"][0]
    size = int(np.prod(found["shape"]))
    codes = unpack(line["codes"]).reshape(3, size)
    ends = unpack(line["ends"], "<f4").reshape(2, size)
    index = np.array([2, 3, 1])
    place = AFFINE[:3] @ [*index, 1]
    voxel = np.linalg.solve(
        np.vstack([data["affine"], [0, 0, 0, 1]]), [*place, 1]
    )  # in the viewer's grid
    block = np.rint(np.array(found["from"]) @ voxel).astype(int)
    k = block[0] + found["shape"][0] * (block[1] + found["shape"][1] * block[2])
    shown = ends[0, k] + (codes[:, k] - 1.0) / 254 * ends[1, k]
    true = image.data[tuple(index)] / 1000
    np.testing.assert_allclose(shown, true, atol=np.ptp(true) / 250)
    assert unpack(found["inside"])[k] == 1


def test_frames_that_are_not_there_are_gaps() -> None:
    volume = np.ones((3, 3, 3))
    curves = curves_from({"a": [volume, None, 3 * volume]}, volume > 0, np.eye(4), FRAMES, "Bq/mL")
    np.testing.assert_array_equal(curves.lines["a"][1, 1, 1], [1, np.nan, 3])
    codes = unpack(curves.as_data(np.eye(4))["lines"][0]["codes"]).reshape(3, -1)
    assert (codes[1] == 0).all() and (codes[[0, 2]] > 0).all()


def test_static_and_large_scans_have_no_curves() -> None:
    image = scan()
    assert curves_of(replace(image, data=image.data[..., 0], frames=None)) is None
    big = np.broadcast_to(np.float32(1), (1000, 1000, 1000, 3))
    assert curves_of(replace(image, data=big)) is None


def test_names_cannot_break_out_of_the_page(synthetic, read_page) -> None:
    table, posterior = synthetic.region_posterior(2)
    table = replace(table, names=("</script><b>x", "a & b"))
    page = Page("t")
    page.add_section("s", curve_explorer(table, posterior))
    text = page.html()
    parsed = read_page(text)
    assert "b" not in parsed.tags and parsed.tags.count("script") == 3
    names = [c["name"] for c in read(text)["curves"]]
    assert names == ["</script><b>x", "a & b"]
    assert html.escape("</script><b>x") not in text


def test_residuals_are_those_of_the_prediction(synthetic) -> None:
    table, posterior = synthetic.region_posterior(3)
    found = read(curve_explorer(table, posterior))
    mean, std, sigma = (posterior.prediction[k][1] for k in ("mean", "std", "sigma"))
    curve = found["curves"][1]
    np.testing.assert_allclose(curve["residual"], (table.values[1] - mean) / sigma, rtol=1e-3,
                               atol=1e-4)  # fmt: skip
    factor = curve["values"][-1] / table.values[1][-1]
    np.testing.assert_allclose(curve["high"], factor * (mean + 1.96 * std), rtol=1e-3)


def test_pages_without_a_viewer_have_no_script_of_it() -> None:
    assert "DecompressionStream" not in Page("t").html()


@pytest.mark.parametrize("planes", [1, 2, 4])
def test_scans_that_come_in_slabs_have_the_same_curves(
    monkeypatch: pytest.MonkeyPatch, planes: int
) -> None:
    image = scan((7, 6, 4))
    mask = np.random.default_rng(2).random((7, 6, 4)) < 0.8
    monkeypatch.setattr("betaplus.report.viewer.voxel_curves._BUDGET", 90)

    def slabs(image: PetImage):
        for z in range(0, 4, planes):
            part = slice(z, z + planes)
            yield part, slice(0, 3), image.data[:, :, part]

    whole = curves_of(image, mask)
    monkeypatch.setattr("betaplus.report.viewer.voxel_curves.iterate_slabs", slabs)
    found = curves_of(image, mask)
    np.testing.assert_allclose(found.lines["measured"], whole.lines["measured"], rtol=1e-6)
    volumes = [image.data[..., t] for t in range(3)]
    other = curves_from({"a": volumes}, mask, AFFINE, FRAMES, "Bq/mL")
    means, expected = found.lines["measured"], other.lines["a"]
    assert means.shape == expected.shape and means[..., 0].size < mask.size / 2
    np.testing.assert_allclose(means[found.inside], expected[found.inside], rtol=1e-5)
