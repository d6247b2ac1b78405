"""Contrast at the noise of another method."""

from __future__ import annotations

import pytest

from betaplus.pipeline.benchmark.reconstruct.matched import at_noise, matched_lines

ROWS = [
    {"beta": 0.1, "recovery": 20.0, "least": 10.0, "noise": 4.0},
    {"beta": 0.01, "recovery": 60.0, "least": 30.0, "noise": 20.0},
    {"beta": 0.03, "recovery": 40.0, "least": 20.0, "noise": 8.0},
]


def test_recovery_is_read_between_strengths_and_at_the_ends() -> None:
    assert at_noise(ROWS, 8.0) == pytest.approx((40.0, 8.0))
    assert at_noise(ROWS, 14.0) == pytest.approx((50.0, 14.0))
    assert at_noise(ROWS, 3.0) == (20.0, 4.0) and at_noise(ROWS, 21.0) == (60.0, 20.0)


def test_lines_tell_at_which_noise() -> None:
    own = {"what": "as tuned", "recovery": 45.0, "least": 1.0, "noise": 14.0}
    rows = [
        {
            "seed": 1,
            "multiple": 2.0,
            "rdp": ROWS,
            "dds": [own, {**own, "what": "whole draw", "noise": 3.0}],
        },
        {"seed": 3, "multiple": 5.0, "rdp": ROWS, "dds": [{**own, "recovery": 61.0}]},
    ]
    lines = matched_lines(rows)
    assert "| 1 | 2 | as tuned | 14.0 | 45 | 14.0 | 50 | -5 |" in lines
    assert "| 1 | 2 | whole draw | 3.0 | 45 | 4.0 | 20 | +25 |" in lines
    assert lines[-1] == "Mean difference +10.3, least -5.0."
    assert matched_lines([]) == []
