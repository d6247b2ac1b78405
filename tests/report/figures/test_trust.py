from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from betaplus.report.figures import trust
from betaplus.report.figures.canvas import COLOURS
from betaplus.report.figures.trust import misfit_panel, reliability_panel


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list:
    """The matplotlib figures that were drawn."""
    kept: list = []
    finish = trust.picture

    def spy(figure, *arguments):
        kept.append(figure)
        return finish(figure, *arguments)

    monkeypatch.setattr(trust, "picture", spy)
    return kept


def bins(shift: float) -> list[dict[str, float]]:
    return [
        {"predicted": p, "observed": p + shift, "standard_error": 0.01, "count": count}
        for p, count in ((0.15, 400), (0.55, 300), (0.85, 3))
    ]


def test_reliability_is_drawn_by_group_and_way_without_tiny_bins(figures) -> None:
    found = {
        "evidence": {"all": bins(0.01), "1TCM": bins(-0.02)},
        "aic": {"all": bins(0.1), "1TCM": bins(0.1)},
    }
    made = reliability_panel(
        found,
        {"evidence": 0.51, "aic": 0.59},
        {"evidence": "evidence", "aic": "AIC"},
        caption="<b>",
    )
    panels = figures[0].axes
    assert [axes.texts[0].get_text() for axes in panels] == ["all", "1TCM"]
    lines = [line for line in panels[1].lines if line.get_marker() == "o"]
    assert [to_hex(line.get_color()) for line in lines] == [COLOURS["blue"], COLOURS["amber"]]
    np.testing.assert_allclose(lines[0].get_xdata(orig=False), [15, 55])
    np.testing.assert_allclose(lines[0].get_ydata(orig=False), [13, 53])
    (bars,) = (c.lines[2][0] for c in panels[0].containers if c.has_yerr)
    np.testing.assert_allclose(bars.get_segments()[0][:, 1], [16 - 1.96, 16 + 1.96])
    legend = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert legend == ["evidence, Brier 0.510", "AIC, Brier 0.590"]
    assert made.kind == "svg" and "&lt;b&gt;" in made.__html__()


def test_misfits_are_a_dot_for_each_level_and_a_mark_for_what_is_wanted(figures) -> None:
    cases = {
        "liver, one input": {"right": True, "rate": [0.02, 0.04]},
        "liver, two inputs": {"right": False, "rate": [0.9, 0.1]},
    }
    misfit_panel((0.01, 0.15), cases)
    (axes,) = figures[0].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(cases)
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    places = [(float(line.get_xdata()[0]), int(line.get_ydata()[0])) for line in dots]
    np.testing.assert_allclose(places, [(2, 0), (4, 0), (90, 1), (10, 1)])
    assert {to_hex(line.get_color()) for line in dots} == {COLOURS["blue"], COLOURS["amber"]}
    marks = [
        line.get_xdata()[0]
        for line in axes.lines
        if len(line.get_xdata()) == 2 and line.get_xdata()[0] == line.get_xdata()[1]
    ]
    assert marks == [5, 80]
    legend = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert legend == ["SD 1 %", "SD 15 %"]
