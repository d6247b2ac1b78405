from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from betaplus.report.figures import calibration
from betaplus.report.figures.calibration import coverage_panel, rank_panel, tarp_panel
from betaplus.report.figures.canvas import COLOURS

NAMES = ("K1", "k2", "k3", "k4", "VB", "delay", "Ki")


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list:
    """The matplotlib figures that were drawn."""
    kept: list = []
    finish = calibration.picture

    def spy(figure, *arguments):
        kept.append(figure)
        return finish(figure, *arguments)

    monkeypatch.setattr(calibration, "picture", spy)
    return kept


def dots(axes, colour: str) -> list:
    lines = [line for line in axes.lines if line.get_marker() == "o"]
    return [line for line in lines if to_hex(line.get_color()) == COLOURS[colour]]


def test_coverage_is_drawn_in_points_with_its_binomial_band(figures, read_page) -> None:
    nominal = np.array([0.5, 0.8, 0.9, 0.95])
    error = np.sqrt(nominal * (1 - nominal) / 400)
    shares = {name: nominal + 0.5 * error for name in NAMES}
    shares["k4"] = nominal - np.array([0.0, 1.9, 2.1, 0.0]) * error
    made = coverage_panel(nominal, shares, 400, caption="a & b")
    panels = figures[0].axes
    assert [axes.texts[0].get_text() for axes in panels] == list(NAMES)
    for axes, name in zip(panels, NAMES, strict=True):
        line = max(axes.lines, key=lambda drawn: drawn.get_zorder() == 2)
        np.testing.assert_allclose(line.get_xdata(), 100 * nominal)
        np.testing.assert_allclose(line.get_ydata(), 100 * (shares[name] - nominal))
        band = axes.collections[0].get_paths()[0].vertices
        assert band[:, 1].max() == pytest.approx(100 * 1.96 * 0.5 / 20)
        assert axes.get_ylim()[1] > np.abs(100 * (shares["k4"] - nominal)).max()
    assert [len(dots(axes, "red")) for axes in panels] == [0, 0, 0, 1, 0, 0, 0]
    assert dots(panels[3], "red")[0].get_xdata() == pytest.approx([90.0])
    text = read_page(made.__html__()).text()
    assert "nominal coverage [%]" in text and "a & b" in text


def test_ranks_that_leave_the_band_are_red(figures, read_page) -> None:
    points = np.arange(1, 16) / 16
    upper = 0.1 * np.sqrt(points * (1 - points))
    found = {"K1": 0.9 * upper, "k2": -upper * (1 + 0.01 * (points == 0.5)), "k3": -upper}
    made = rank_panel(points, -upper, upper, found)
    colours = [to_hex(axes.lines[1].get_color()) for axes in figures[0].axes]
    assert colours == [COLOURS["blue"], COLOURS["red"], COLOURS["blue"]]
    assert dots(figures[0].axes[1], "red")[0].get_xdata() == pytest.approx([50.0])
    line = figures[0].axes[0].lines[1]
    np.testing.assert_allclose(line.get_ydata(), np.r_[0, 90 * upper, 0])
    np.testing.assert_allclose(line.get_xdata(), np.r_[0, 100 * points, 100])
    assert "rank of the truth" in read_page(made.__html__()).text()


def test_tarp_is_drawn_whole_and_as_a_difference(figures, read_page) -> None:
    levels = np.arange(1, 10) / 10
    share, error = levels**1.1, np.full(9, 0.01)
    made = tarp_panel(levels, share, error, -0.0123, 0.004)
    whole, rest = figures[0].axes
    np.testing.assert_allclose(whole.lines[1].get_ydata(), np.r_[0, 100 * share, 100])
    drawn = rest.lines[1].get_ydata()
    np.testing.assert_allclose(drawn, np.r_[0, 100 * (share - levels), 0], atol=1e-12)
    assert rest.collections[0].get_paths()[0].vertices[:, 1].max() == pytest.approx(1.96)
    assert rest.get_ylim()[0] < drawn.min()
    assert "area \u22121.23 \u00b1 0.40 points" in read_page(made.__html__()).text()


def test_odd_numbers_are_drawn(read_page) -> None:
    read_page(coverage_panel([0.5], {"K1": [np.nan]}, 1).__html__())
    read_page(coverage_panel([0.5], {}, 10).__html__())
    read_page(rank_panel([0.5], [-0.1], [0.1], {"K1": [0.4], "k2": [-0.5]}).__html__())
    read_page(tarp_panel([0.5], [0.0], [np.nan], np.nan, np.nan).__html__())
