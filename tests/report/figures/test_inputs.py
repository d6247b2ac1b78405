from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from betaplus.core.input_function import InputCurve
from betaplus.report.figures import input_panel, inputs


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list:
    """The matplotlib figures that were drawn."""
    kept: list = []
    finish = inputs.picture

    def spy(figure, *arguments):
        kept.append(figure)
        return finish(figure, *arguments)

    monkeypatch.setattr(inputs, "picture", spy)
    return kept


def test_lines_are_the_curve_and_points_the_samples(figures, synthetic) -> None:
    blood = synthetic.blood()
    curve = blood.curve(3000.0)
    made = input_panel(curve, blood)
    early, whole, fraction = figures[0].axes
    for axes in (early, whole):
        plasma, whole_blood, plasma_points, blood_points = axes.lines
        np.testing.assert_allclose(plasma.get_ydata(), curve.plasma / 1e3)
        np.testing.assert_allclose(whole_blood.get_ydata(), curve.whole_blood / 1e3)
        np.testing.assert_allclose(plasma_points.get_ydata(), blood.plasma / 1e3)
        np.testing.assert_allclose(blood_points.get_ydata(), blood.whole_blood / 1e3)
        np.testing.assert_allclose(plasma_points.get_xdata(), blood.time / 60)
    assert early.get_xlim() == (0, 3) and whole.get_xlim() == (0, 50)
    assert whole.get_yscale() == "log"
    known = np.isfinite(blood.parent_fraction)
    np.testing.assert_allclose(fraction.lines[0].get_ydata(), blood.parent_fraction[known])
    assert "open points" in str(made.caption)


def test_samples_in_another_unit_are_converted(figures, synthetic) -> None:
    blood = synthetic.blood()
    curve = blood.curve(3000.0)
    scaled = replace(
        blood, plasma=blood.plasma / 1e3, whole_blood=blood.whole_blood / 1e3, unit="kBq/mL"
    )
    input_panel(curve, scaled)
    np.testing.assert_allclose(
        figures[0].axes[0].lines[3].get_ydata(), blood.whole_blood / 1e3, rtol=1e-12
    )


def test_parent_fraction_is_not_drawn_where_there_is_none(figures, synthetic) -> None:
    blood = replace(synthetic.blood(), parent_fraction=np.full(26, np.nan))
    input_panel(blood.curve(3000.0), blood)
    input_panel(blood.curve(3000.0))
    assert [len(figure.axes) for figure in figures] == [2, 2]


def test_flat_and_empty_curves_are_drawn(read_page) -> None:
    time = np.array([0.0, 10.0, 4000.0])
    for values in (np.zeros(3), np.ones(3), np.full(3, np.nan)):
        read_page(input_panel(InputCurve(time, values, values, "SUV")).__html__())
