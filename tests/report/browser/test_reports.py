"""Every report in a real browser: whole, silent, offline, and it answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.report.browser.conftest import MAKERS

LARGEST = 15e6  # bytes
WITH_VIEWER = ("kinetics", "patlak", "denoise", "separate", "reconstruct", "evaluate")
WITH_EXPLORER = ("kinetics", "curves")
VERBS = ("kinetics", "curves", "patlak", "denoise", "separate", "reconstruct")

PIXELS = """planes => planes.map(c => {
    const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    let sum = 0;
    for (let i = 0; i < d.length; i++) sum = (sum * 31 + d[i]) % 1000003;
    return sum;
})"""


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", MAKERS)
def test_page_is_silent_offline_and_fits(report, visit, name: str, width: int) -> None:
    path: Path = report(name)
    assert path.stat().st_size < LARGEST
    seen = visit(path, width)
    seen.page.mouse.wheel(0, 20000)
    assert seen.said == []
    assert seen.asked == []
    assert seen.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    text = seen.page.inner_text("main")
    assert "NaN" not in text and "undefined" not in text and "[object" not in text


def test_a_request_would_be_seen(visit, tmp_path: Path) -> None:
    page = tmp_path / "p.html"
    page.write_text('<img src="https://example.org/x.png"><script>console.log("a")</script>')
    seen = visit(page)
    seen.page.wait_for_load_state()
    assert seen.asked == ["https://example.org/x.png"] and "a" in seen.said


@pytest.mark.parametrize("name", VERBS)
def test_report_says_what_a_reader_looks_for(report, visit, name: str) -> None:
    page = visit(report(name)).page
    headings = [h.inner_text() for h in page.query_selector_all("main h2")]
    assert "Settings" in headings
    if name not in ("denoise", "separate"):  # gaussian and linear are nobody's
        assert "Citations" in headings
    if name in ("kinetics", "curves", "patlak"):
        assert "Input function" in headings
    assert bool(page.query_selector('[data-widget="slices"]')) == (name in WITH_VIEWER)
    assert bool(page.query_selector('[data-widget="curves"]')) == (name in WITH_EXPLORER)


@pytest.mark.parametrize("name", WITH_VIEWER)
def test_sliders_move_the_slices(report, visit, name: str) -> None:
    page = visit(report(name)).page
    viewer = page.query_selector('[data-widget="slices"]')

    def state() -> tuple[list[int], list[str]]:
        pixels = viewer.eval_on_selector_all(".plane canvas", PIXELS)
        return pixels, [o.inner_text() for o in viewer.query_selector_all(".slide output")]

    for axis, plane in (("x", 1), ("y", 0), ("z", 2)):
        before, places = state()
        slider = viewer.query_selector(f'input[data-axis="{axis}"]')
        slider.focus()
        page.keyboard.press("ArrowRight")
        after, moved = state()
        assert after[plane] != before[plane]
        kept = [i for i in range(3) if i != plane]
        assert [after[i] for i in kept] == [before[i] for i in kept]
        assert [a != b for a, b in zip(places, moved, strict=True)].count(True) == 1
    values = [v.inner_text() for v in viewer.query_selector_all(".value")]
    assert all(values)


def test_a_click_moves_all_slices_of_all_maps(report, visit) -> None:
    viewer = visit(report("kinetics")).page.query_selector('[data-widget="slices"]')
    before = viewer.eval_on_selector_all(".plane canvas", PIXELS)
    coronal = viewer.query_selector(".plane canvas")
    box = coronal.bounding_box()
    coronal.click(position={"x": 0.2 * box["width"], "y": 0.8 * box["height"]})
    after = viewer.eval_on_selector_all(".plane canvas", PIXELS)
    for layer in range(len(after) // 3):
        coronal_same, sagittal_same, axial_same = (
            after[3 * layer + k] == before[3 * layer + k] for k in range(3)
        )
        assert coronal_same and not sagittal_same and not axial_same


def test_values_shown_are_those_of_the_maps(report, visit) -> None:
    import nibabel
    import numpy as np

    path = report("kinetics")
    page = visit(path).page
    viewer = page.query_selector('[data-widget="slices"]')
    picker = viewer.query_selector(".choice select")
    names = [o.inner_text() for o in picker.query_selector_all("option")]
    for name in ("K1", "VB"):
        picker.select_option(str(names.index(name)))
        page.wait_for_function("([v, n]) => v.dataset.ready === n", arg=[viewer, name])
        said = [o.inner_text() for o in viewer.query_selector_all(".slide output")]
        place = [float(t.removesuffix(" mm").replace("\u2212", "-")) for t in said]
        for kind, shown in zip(("mean", "std"), viewer.query_selector_all(".value"), strict=False):
            file = next(path.parent.glob(f"*_meas-{name}_stat-{kind}_mimap.nii.gz"))
            volume = nibabel.load(file)
            index = np.rint(np.linalg.solve(volume.affine, [*place, 1.0])[:3]).astype(int)
            values = np.asarray(volume.dataobj)
            true = float(values[tuple(index)])
            top = float(np.percentile(values[values != 0], 99.5))
            value = float(shown.inner_text().split()[0].replace("\u2212", "-"))
            assert value == pytest.approx(true, abs=0.006 * top + 0.005 * abs(true))
        ends = viewer.query_selector(".ends span:last-child").inner_text()
        mean = np.asarray(
            nibabel.load(next(path.parent.glob(f"*_meas-{name}_stat-mean_mimap.nii.gz"))).dataobj
        )
        status = nibabel.load(next(path.parent.glob("*_meas-status_mimap.nii.gz")))
        drawn = mean[np.asarray(status.dataobj) > 0]
        high, most = np.percentile(drawn, (99.5, 95.0))
        assert float(ends.split()[0]) == pytest.approx(
            high if high <= 5 * most else 2 * most, rel=0.01
        )


def test_colours_can_be_stretched(report, visit) -> None:
    viewer = visit(report("kinetics")).page.query_selector('[data-widget="slices"]')
    before = viewer.eval_on_selector_all(".plane canvas", PIXELS)
    stretch = viewer.query_selector('input[data-colours="mean"]')
    stretch.evaluate("s => { s.value = -0.7; s.dispatchEvent(new Event('input')); }")
    after = viewer.eval_on_selector_all(".plane canvas", PIXELS)
    assert all(a != b for a, b in zip(after[:3], before[:3], strict=True))
    assert after[-3:] == before[-3:]  # the SD has a range of its own


def test_curve_follows_the_cross(report, visit) -> None:
    viewer = visit(report("separate")).page.query_selector('[data-widget="slices"]')
    drawn: Callable[[], str] = lambda: viewer.query_selector(".curves .figure").inner_html()  # noqa: E731
    legend = [s.inner_text() for s in viewer.query_selector_all(".curves .legend span")]
    assert legend == ["measured", "sum of both", "FMZ", "FDG"]
    before = drawn()
    for axis in "xyz":
        viewer.query_selector(f'input[data-axis="{axis}"]').evaluate(
            "s => { s.value = Number(s.value) + 2; s.dispatchEvent(new Event('input')); }"
        )
    assert drawn() != before


def test_explorer_shows_the_region_that_is_chosen(report, visit) -> None:
    page = visit(report("curves")).page
    explorer = page.query_selector('[data-widget="curves"]')
    region, other, time = explorer.query_selector_all("select")
    labels = [o.inner_text() for o in region.query_selector_all("option")]
    assert labels == ["left", "right", "middle"]

    def points() -> list[int]:
        return [len(f.query_selector_all("circle")) for f in explorer.query_selector_all(".figure")]

    alone = points()
    assert alone == [26, 26]  # curve and residuals, a point a frame
    first = explorer.inner_html()
    region.select_option("1")
    assert explorer.inner_html() != first
    assert "right: chi-square" in explorer.inner_text()
    other.select_option("1")
    assert points() == [52, 52]
    time.select_option("1")
    assert "10 min" not in explorer.query_selector(".figure").inner_text()


def test_dark_pages_are_light_on_dark(report, visit) -> None:
    page = visit(report("kinetics"), scheme="dark").page
    shades = page.evaluate(
        """() => ['body', '.widget h4', '.figure text', '.note', 'td'].map(s => {
            const e = document.querySelector(s), c = getComputedStyle(e);
            const of = t => t.match(/[\\d.]+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 3;
            const paper = getComputedStyle(document.body).backgroundColor;
            return [of(s.includes('text') ? c.fill : c.color), of(paper)];
        })"""
    )
    assert all(ink > 140 and paper < 60 for ink, paper in shades)


def test_the_viewer_of_a_notebook_answers_in_its_frame(visit, tmp_path: Path) -> None:
    """An image shows itself in a cell by a frame that may run scripts and nothing else."""
    from tests.denoising.cases import image

    page = tmp_path / "cell.html"
    page.write_text(f"<html><body>{image().view()._repr_html_()}</body></html>")
    seen = visit(page)
    frame = seen.page.frames[-1]
    frame.wait_for_function(
        "[...document.querySelectorAll('[data-widget]')].every(n => n.dataset.ready)"
    )
    assert seen.asked == [] and seen.said == []
    before = frame.locator("canvas").evaluate_all(PIXELS)
    frame.locator("input[type=range]").first.focus()
    seen.page.keyboard.press("ArrowRight")
    seen.page.keyboard.press("ArrowRight")
    seen.page.wait_for_timeout(200)
    assert frame.locator("canvas").evaluate_all(PIXELS) != before
    assert seen.asked == []
