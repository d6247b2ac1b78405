"""Gates: which figure is held against which, and what is not measured is said to be so."""

import math

import pytest

from betaplus.pipeline.benchmark.separate.candidates import UNCONDITIONAL
from betaplus.pipeline.benchmark.separate.coverage.run import coverage_gates
from betaplus.pipeline.benchmark.separate.gates import (
    crosstalk_gates,
    image_gates,
    loss,
    shift_gates,
)
from betaplus.pipeline.benchmark.separate.mixing import mixing_gates
from betaplus.pipeline.benchmark.separate.summary import (
    curve_spread,
    macro_errors,
    mean_of,
    skipped,
)
from betaplus.pipeline.benchmark.separate.writing import finite


def row(method, first, second, *, delay=20.0, shift="", subject="a", draw=0, **more):
    return {
        "pair": "FMZ+FDG", "delay": delay, "counts": 1.0, "shift": shift, "scene": "s",
        "subject": subject, "draw": draw, "method": method,
        "tracers": [{"nrmse": first}, {"nrmse": second}], **more,
    }  # fmt: skip


def images(rows):
    return {"rows": rows, "pairs": {"FMZ+FDG": ["FMZ", "FDG"]}, "counts": [1.0], "delays": [20.0]}


def test_both_tracers_have_to_hold_at_20_minutes():
    rows = [
        row("inn", 0.06, 0.08), row("compartment", 0.1, 0.1), row("ced", 0.05, 0.2),
        row("inn", 9.0, 9.0, delay=0.0),
    ]  # fmt: skip
    gates = {gate.name: gate for gate in image_gates(images(rows))}
    over = [gate for name, gate in gates.items() if "compartment" in name]
    assert [gate.verdict for gate in over] == ["pass", "short"]
    assert over[0].found == pytest.approx(0.6)
    assert [g.verdict for n, g in gates.items() if n.endswith("over ced")] == ["short", "pass"]
    assert {g.verdict for n, g in gates.items() if "cnn3d" in n} == {"not measured"}


def test_what_was_left_out_is_no_figure():
    rows = [row("inn", 0.1, 0.1), {"method": "ced", "skipped": "no weights"}]
    assert skipped(rows) == {"ced": "no weights"}
    assert skipped([*rows, row("ced", 0.1, 0.1)]) == {"ced": "no weights (in 1 of 2 scans)"}
    gates = image_gates(images(rows))
    assert {gate.verdict for gate in gates} == {"not measured"}


def test_people_count_alike():
    rows = [row("inn", 0.1, 1.0, draw=n) for n in range(9)] + [row("inn", 0.3, 1.0, subject="b")]
    assert mean_of(rows, 0, "nrmse") == pytest.approx(0.2)
    assert math.isnan(mean_of([], 0, "nrmse"))


def test_the_loss_is_the_share_that_a_shift_adds():
    rows = [
        row("inn", 0.10, 0.10), row("inn", 0.12, 0.14, shift="delay"),
        row(UNCONDITIONAL, 0.10, 0.10), row(UNCONDITIONAL, 0.20, 0.20, shift="delay"),
        row("inn", 0.09, 0.09, shift="dose"), row(UNCONDITIONAL, 0.15, 0.11, shift="dose"),
        row("inn-published", 0.4, 0.2), row("inn-published", 0.5, 0.25, shift="delay"),
    ]  # fmt: skip
    assert loss(rows, "inn", "delay", 1) == pytest.approx(0.4)
    delay, published, dose, missing = shift_gates({"rows": rows})
    assert (published.found, published.verdict) == (pytest.approx(1.2), "short")
    assert missing.verdict == "not measured"
    assert (delay.found, delay.verdict) == (pytest.approx(0.3), "pass")
    assert (dose.found, dose.verdict) == (0.0, "pass")  # nothing lost
    none = shift_gates({"rows": [r for r in rows if r["method"] == "inn"]})
    assert {gate.verdict for gate in none} == {"not measured"}


def test_crosstalk_is_gated_both_ways():
    means = [
        {"method": "inn", "delay": 20.0, "kind": "first", "leak": 0.05},
        {"method": "inn", "delay": 20.0, "kind": "second", "leak": 0.2},
        {"method": "inn", "delay": 0.0, "kind": "first", "leak": 0.9},
    ]
    assert [g.verdict for g in crosstalk_gates({"means": means})] == ["pass", "short"]
    assert {g.verdict for g in crosstalk_gates({"means": []})} == {"not measured"}


def test_mixing_is_judged_by_the_worst_scan():
    rows = [
        {"method": "inn", "chi_square": 1.02, "seen": True, "warned": []},
        {"method": "inn", "chi_square": 0.85, "seen": True, "warned": [3]},
    ]
    off, seen, false = mixing_gates({"rows": rows})
    assert (off.found, off.verdict) == (pytest.approx(0.15), "short")
    assert seen.verdict == "pass"
    assert (false.found, false.verdict) == (0.5, "short")


def test_coverage_is_gated_for_the_network_only():
    tracers = {"FMZ": {"coverage": 0.88, "ratio": 0.7}, "FDG": {"coverage": 0.95, "ratio": 0.9}}
    gates = coverage_gates({"method": "inn", "tracers": tracers})
    assert [g.verdict for g in gates] == ["pass", "pass", "short", "short"]
    gates = coverage_gates({"method": "linear", "tracers": tracers})
    assert {g.verdict for g in gates} == {"not measured"}


def test_bias_and_sd_of_curves_are_over_draws():
    reference = {"seen": [[True, True], [False, True]], "duration": [1.0, 3.0],
                 "curves": [[[1.0, 1.0]], [[0.0, 2.0]]]}  # fmt: skip
    rows = [
        {"scene": "s", "subject": "a", "draw": n, "method": "m",
         "tracers": [{"curves": [[1.0 + v, 1.0 + v]]}, {"curves": [[None, 2.0]]}]}
        for n, v in enumerate((0.1, 0.3))
    ]  # fmt: skip
    bias, sd = curve_spread(rows, {"s_a": reference}, 0)
    assert bias == pytest.approx(0.2)
    assert sd == pytest.approx(0.2 / math.sqrt(2))
    assert curve_spread(rows, {"s_a": reference}, 1) == (0.0, 0.0)


def test_errors_of_kinetics():
    singles = [
        {"scene": "s", "subject": "a", "draw": n, "clean": [[2.0], []], "alone": [[v], []]}
        for n, v in enumerate((1.9, 2.1))
    ]
    values = [
        {"scene": "s", "subject": "a", "draw": n, "macro": [[v], []]}
        for n, v in enumerate((2.1, 2.3))
    ]
    found = macro_errors(values, singles, {"s_a": {"true": [[4.0], []]}}, 0)
    assert found.error == pytest.approx(math.sqrt((0.01 + 0.09) / 2) / 2)
    assert found.alone == pytest.approx(0.1)
    assert found.bias == pytest.approx(0.1)
    assert found.sd == pytest.approx(math.sqrt(0.02) / 2)
    assert found.true == pytest.approx(math.sqrt((1.9**2 + 1.7**2) / 2) / 4)
    assert math.isnan(macro_errors(values, singles, {"s_a": {"true": [[], []]}}, 1).error)


def test_json_knows_no_nan():
    assert finite({"a": [1.0, math.nan], "b": (math.inf, "x")}) == {
        "a": [1.0, None],
        "b": [None, "x"],
    }
