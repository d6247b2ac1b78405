"""SD over SD at the same bias."""

from __future__ import annotations

import pytest

from betaplus.pipeline.benchmark.reconstruct.tradeoff import shared_bias, tradeoff_lines

OTHER = [{"bias": 30.0, "sd": 10.0}, {"bias": 20.0, "sd": 20.0}]


def test_lines_of_a_known_ratio() -> None:
    # SD 14 at 22 and 6 at 30: over 20 - (bias - 20) it is 14 / 18 at 22 and 6 / 10 at 30.
    own = [{"bias": 22.0, "sd": 14.0}, {"bias": 34.0, "sd": 2.0}]
    found = shared_bias(own, OTHER)
    assert found is not None
    assert (found["low"], found["high"]) == (22.0, 30.0)
    assert found["largest"] == pytest.approx(14 / 18) and found["least"] == pytest.approx(0.6)
    assert found["ratio"] == pytest.approx(10 / 14, rel=1e-3) and found["share"] == 1.0
    # 36 - bias over 40 - bias is at most .8 from a bias of 20 on: everywhere; 38 - bias from 30 on
    nearly = [{"bias": 20.0, "sd": 18.0}, {"bias": 30.0, "sd": 8.0}]
    assert shared_bias(nearly, OTHER)["share"] == pytest.approx(1 / 101)


def test_where_nothing_is_shared() -> None:
    own = [{"bias": 5.0, "sd": 30.0}, {"bias": 10.0, "sd": 20.0}]
    assert shared_bias(own, OTHER) is None and shared_bias(own[:1], OTHER) is None
    lines = tradeoff_lines({"a": {"rows": own}, "b": {"rows": OTHER}}, "a")
    assert "they share no bias" in lines[1] and lines[-1] == "- Least bias: a 5.0 %, b 20.0 %."
