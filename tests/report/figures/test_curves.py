from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.frames import FrameTiming
from betaplus.report.figures import curve_panel, curves


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list:
    """The matplotlib figures that were drawn."""
    kept: list = []
    finish = curves.picture

    def spy(figure, *arguments):
        kept.append(figure)
        return finish(figure, *arguments)

    monkeypatch.setattr(curves, "picture", spy)
    return kept


def test_bands_and_residuals_are_what_they_say(figures, synthetic) -> None:
    table, mean, std, sigma = synthetic.curves(1)
    y, m, s, e = table.values[0], mean[0], std[0], sigma[0]
    curve_panel(table.frames, y, m, s, e, "a", "Bq/mL")
    early, late, low_early, low_late = figures[0].axes
    minutes = table.frames.mid / 60
    for axes in (early, late):
        wide, narrow = axes.collections[:2]
        for band, half in ((wide, 1.96 * np.sqrt(s**2 + e**2)), (narrow, 1.96 * s)):
            corners = band.get_paths()[0].vertices
            for x, low, high in zip(minutes, m - half, m + half, strict=True):
                at = corners[np.isclose(corners[:, 0], x), 1]
                assert at.min() == pytest.approx(low / 1e3)
                assert at.max() == pytest.approx(high / 1e3)
        np.testing.assert_allclose(axes.lines[0].get_ydata(), m / 1e3)
        np.testing.assert_allclose(axes.lines[-1].get_ydata(), y / 1e3)
    for axes in (low_early, low_late):
        np.testing.assert_allclose(axes.lines[-1].get_ydata(), (y - m) / e)
        assert {-2.0, 2.0} <= {float(line.get_ydata()[0]) for line in axes.lines}
    assert early.get_xlim() == (0, 3) and late.get_xlim() == (3, 50)
    assert early.get_ylim() == late.get_ylim()
    assert early.get_ylabel() == "activity [kBq/mL]"


def test_bars_are_as_wide_as_their_frames(figures, synthetic) -> None:
    table, mean, std, sigma = synthetic.curves(1)
    curve_panel(table.frames, table.values[0], mean[0], std[0], sigma[0], "a", "Bq/mL")
    bars = [c for c in figures[0].axes[0].collections if c.get_label() == "measured"]
    ends = np.array(bars[0].get_segments())[:, :, 0]
    np.testing.assert_allclose(ends, np.stack([table.frames.start, table.frames.end], 1) / 60)


@pytest.mark.parametrize(
    ("durations", "start", "split"),
    [
        ([5.0] * 36 + [300.0] * 10, 0.0, 180.0),
        ([5.0] * 34 + [20.0, 300.0, 300.0, 300.0], 0.0, 170.0),
        ([300.0] * 12, 0.0, None),
        ([10.0] * 30, 0.0, None),
        ([5.0] * 36 + [300.0] * 10, 600.0, 780.0),
        ([60.0], 0.0, None),
    ],
)
def test_time_is_split_where_frames_meet(durations, start, split) -> None:
    frames = FrameTiming.from_durations(durations, start)
    assert curves.split_time(frames) == (None if split is None else pytest.approx(split))


@pytest.mark.parametrize("missing", ["all", "std", "sigma", "nan", "zero", "one frame"])
def test_curves_are_drawn_with_what_there_is(missing: str, synthetic, read_page) -> None:
    table, mean, std, sigma = synthetic.curves(1)
    frames, y, m, s, e = table.frames, table.values[0], mean[0], std[0], sigma[0]
    if missing == "all":
        m = s = e = None
    elif missing == "std":
        s = None
    elif missing == "sigma":
        e = None
    elif missing == "nan":
        y, m, s, e = (np.full_like(v, np.nan) for v in (y, m, s, e))
    elif missing == "zero":
        y, m, s, e = (np.zeros_like(v) for v in (y, m, s, e))
    else:
        frames, y, m, s, e = frames.select([0]), y[:1], m[:1], s[:1], e[:1]
    made = curve_panel(frames, y, m, s, e, "a <b> $c$", "SUV", caption="x & y")
    read = read_page(made.__html__())
    assert read.text("figcaption") == "a <b> $c$ x & y"
    assert "activity [SUV]" in read.text()
