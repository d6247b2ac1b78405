from __future__ import annotations

import numpy as np
import pytest

from betaplus.report.figures import distributions, histograms, marginals


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list:
    """The matplotlib figures that were drawn."""
    kept: list = []
    finish = distributions.picture

    def spy(figure, *arguments):
        kept.append(figure)
        return finish(figure, *arguments)

    monkeypatch.setattr(distributions, "picture", spy)
    return kept


def counts(axes) -> np.ndarray:
    return axes.patches[0].get_data().values


def test_histograms_count_what_was_analysed(figures, read_page) -> None:
    rng = np.random.default_rng(0)
    status = rng.choice([0, 1, 3, 4], (10, 10, 10), p=[0.4, 0.4, 0.15, 0.05])
    ess = rng.lognormal(6, 1, status.shape)
    chi2 = rng.chisquare(5, status.shape)
    chi2[status == 1] = np.where(rng.random((status == 1).sum()) < 0.002, np.nan, 1.0)
    made = histograms(ess, status, chi2)
    first, second, bars = figures[0].axes
    fitted = status > 0
    assert counts(first).sum() == fitted.sum()
    assert counts(second).sum() == np.isfinite(chi2[fitted]).sum()
    assert first.get_xscale() == "log"
    widths = [patch.get_width() for patch in bars.patches]
    assert widths == [(status == code).sum() for code in (1, 2, 3, 4)]
    text = read_page(made.__html__()).text()
    for code in (1, 3, 4):
        n = (status == code).sum()
        assert f"{n:,} ({100 * n / fitted.sum():.1f} %)" in text
    for label in ("ok", "re-weighted", "refined", "misfit"):
        assert label in text
    assert "outside" not in text


def test_histograms_of_odd_values_are_drawn(read_page) -> None:
    for ess in (np.zeros(5), np.full(5, 7.0), np.full(5, np.nan), np.array([]), np.ones(1)):
        read_page(histograms(ess, np.ones(ess.shape, dtype=int), ess).__html__())
    read_page(histograms(None, np.array([0, 0, 9])).__html__())
    assert "code 9" in histograms(None, np.array([0, 0, 9])).data


def test_marginals_show_median_and_interval(figures, synthetic) -> None:
    rng = np.random.default_rng(0)
    draws = {f"p{i}": rng.lognormal(0, 0.3, 2000) for i in range(6)}
    made = marginals(draws, {"p0": "1/min", "p1": "1"}, "a & <b>")
    assert len(figures[0].axes) == 6
    for axes, sample in zip(figures[0].axes, draws.values(), strict=True):
        assert axes.lines[0].get_xdata()[0] == pytest.approx(np.median(sample))
        band = axes.patches[1]
        low, high = np.quantile(sample, (0.05, 0.95))
        assert band.get_x() == pytest.approx(low)
        assert band.get_x() + band.get_width() == pytest.approx(high)
        assert 0.99 * 2000 <= counts(axes).sum() <= 2000
    assert figures[0].axes[0].get_xlabel() == "p0 [1/min]"
    assert figures[0].axes[1].get_xlabel() == "p1"
    assert "a &amp; &lt;b&gt;" in made.__html__()
    marginals({"p": np.full(10, 2.0), "q": np.full(10, np.nan)}, {})
