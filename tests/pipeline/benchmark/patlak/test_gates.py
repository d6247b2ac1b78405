"""Gates: each side of its target, means over people, the worst dose, and what is missing."""

import math

import pytest

from betaplus.pipeline.benchmark.gate import Gate, gate_lines
from betaplus.pipeline.benchmark.patlak.gates import (
    ablation_gates,
    best_classical,
    image_gates,
    spread_ratios,
)
from betaplus.pipeline.benchmark.patlak.summary import region_spread, summarise


def row(method, Ki, recovery=0.8, dose=0.1, subject="body0", draw=0, anatomy="body", region=1.0):
    figures = {"psnr": 20.0, "ssim": 0.9, "regions": {"Liver": region}}
    lesion = {"number": 0, "hot": True, "recovery": recovery, "cnr": 2.0}
    return {
        "method": method, "dose": dose, "subject": subject, "draw": draw, "anatomy": anatomy,
        "seconds": 1.0, "Ki": {"nrmse": Ki, **figures}, "V0": {"nrmse": 0.1, **figures},
        "lesions": [lesion, {**lesion, "number": 1, "hot": False, "recovery": -5.0}],
    }  # fmt: skip


def result(hqs=0.16, tv=0.2, gaussian=0.3, recovery=0.85, more=()):
    rows = [row("hqs", hqs, recovery), row("tv", tv), row("gaussian", gaussian, 0.7), *more]
    return {"rows": rows, "chosen": {"method": "hqs"}}


def verdicts(found):
    return [gate.verdict for gate in image_gates(found)]


def test_all_pass():
    gates = image_gates(result())
    assert [gate.verdict for gate in gates] == ["pass"] * 5
    assert [gate.found for gate in gates] == pytest.approx(
        [0.16 / 0.3, 0.8, 0.15, 0.05, 0.16 / 0.3]
    )


@pytest.mark.parametrize(
    ("changed", "short"),
    [
        ({"hqs": 0.172}, 1),  # .573 of the Gaussian, .86 of tv
        ({"gaussian": 0.26}, 0),
        ({"recovery": 0.79}, 3),
        ({"recovery": 0.69}, 2),
    ],
)
def test_each_can_fall_short(changed, short):
    found = verdicts(result(**changed))
    assert found[short] == "short"


def test_one_person_at_one_dose_is_enough_to_be_worse():
    more = [
        row("hqs", 0.11, dose=1.0, subject="body1"),
        row("gaussian", 0.1, dose=1.0, subject="body1"),
    ]
    gate = image_gates(result(more=more))[-1]
    assert gate.found == pytest.approx(1.1)
    assert gate.verdict == "short"
    assert "body1 at 1/1" in gate.name


def test_anatomies_are_gated_apart_too():
    more = [row("hqs", 0.5, anatomy="head", subject="head0"),
            row("gaussian", 0.6, anatomy="head", subject="head0")]  # fmt: skip
    names = [g.name for g in image_gates(result(more=more)) if g.verdict == "short"]
    assert any(name.startswith("head") for name in names)
    assert not any(name.startswith("body") for name in names)


def test_what_is_missing_is_not_measured():
    found = result()
    found["rows"] = [r for r in found["rows"] if r["method"] != "gaussian"]
    assert verdicts(found)[0] == "not measured"
    assert image_gates({**found, "chosen": {"method": None}}) == []
    assert Gate(name="", found=math.nan, target=1.0).as_dict()["found"] is None


def test_the_best_classical_method_is_no_learned_one():
    assert best_classical(result(hqs=0.01)["rows"]) == ("tv", 0.2)


def test_ablation_is_to_be_worse():
    rows = [row("hqs", 0.1), row("uncoupled", 0.12), row("one call", 0.11)]
    gates = ablation_gates(
        {"rows": rows, "full": "hqs", "methods": ["hqs", "uncoupled", "one call"]}
    )
    assert [g.verdict for g in gates] == ["pass", "short"]
    assert "at least 1.15" in "\n".join(gate_lines(gates))


def test_people_count_alike_and_cold_lesions_do_not_count():
    rows = [row("tv", 0.1, subject="a", draw=n) for n in range(9)] + [row("tv", 0.3, subject="b")]
    found = summarise(rows)
    assert found.Ki == pytest.approx(0.2)
    assert found.recovery == pytest.approx(0.8)
    assert (found.lesions, found.maps) == (2, 10)


def test_bias_and_sd_of_a_region_are_over_draws():
    rows = [row("tv", 0.1, region=value, draw=n) for n, value in enumerate((0.9, 1.0, 1.4))]
    reference = {"regions": {"Ki": {"Liver": 1.0}}, "true_Ki": {"Liver": 1.375}}
    found = region_spread(rows, reference)["Liver"]
    assert found["bias"] == pytest.approx(10.0)
    assert found["sd"] == pytest.approx(100 * math.sqrt(0.07))
    assert found["true_bias"] == pytest.approx(-20.0)


def test_spread_ratio_is_of_root_mean_square_and_mean():
    rows = [{"Ki": {"claimed": {"Liver": pair}}} for pair in ([3.0, 4.0], [4.0, 6.0])]
    assert spread_ratios(rows)["Liver"] == pytest.approx(math.sqrt(12.5) / 5.0)
