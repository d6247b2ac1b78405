"""SUV factors against formulas worked by hand and published values."""

import math

import pytest

from betaplus.core.errors import InputError, UsageError
from betaplus.core.suv import (
    SuvBasis,
    body_surface_area,
    lean_body_mass,
    suv_factor,
    suv_type,
)

BASIS = {
    "dose": 370e6,
    "elapsed": 3600.0,
    "half_life": 6586.2,
    "weight": 70.0,
    "height": 1.70,
    "sex": "M",
}


def test_uniform_distribution_has_suv_one():
    """All activity spread over the body at 1 g/mL is an SUVbw of 1, whenever it is looked at."""
    for elapsed in (0.0, 600.0, 7200.0, -60.0):
        basis = SuvBasis(**BASIS | {"elapsed": elapsed})
        left = 370e6 * math.exp(-math.log(2) * elapsed / 6586.2)
        assert suv_factor("SUVbw", basis) * left / 70e3 == pytest.approx(1.0, rel=1e-12)


def test_lean_mass():
    """Worked by hand: 70 kg, 1.70 m, BMI 24.2215."""
    bmi = 70 / 1.7**2
    assert lean_body_mass(70, 1.7, "M") == pytest.approx(9270 * 70 / (6680 + 216 * bmi))
    assert lean_body_mass(70, 1.7, "F") == pytest.approx(9270 * 70 / (8780 + 244 * bmi))
    assert lean_body_mass(70, 1.7, "M") == pytest.approx(54.47, abs=0.01)
    assert lean_body_mass(70, 1.7, "F") == pytest.approx(44.17, abs=0.01)
    assert lean_body_mass(70, 1.7, "M", "james") == pytest.approx(55.30, abs=0.01)
    assert lean_body_mass(70, 1.7, "F", "james") == pytest.approx(49.81, abs=0.01)


def test_james_falls_in_the_obese_and_janmahasatian_does_not():
    weights = range(60, 200, 10)
    james = [lean_body_mass(w, 1.6, "F", "james") for w in weights]
    ours = [lean_body_mass(w, 1.6, "F") for w in weights]
    assert james[-1] < max(james)
    assert ours == sorted(ours)


def test_surface_area():
    """Du Bois's formula gives 1.81 m2 for 70 kg and 170 cm, as in every table of it."""
    assert body_surface_area(70, 1.70) == pytest.approx(1.81, abs=0.005)


def test_types_differ_by_body_size_only():
    basis = SuvBasis(**BASIS)
    bw = suv_factor("SUVbw", basis)
    assert suv_factor("SUL", basis) / bw == pytest.approx(54.47 / 70, rel=1e-3)
    assert suv_factor("SUL", basis, "james") / bw == pytest.approx(55.30 / 70, rel=1e-3)
    assert suv_factor("SUVbsa", basis) / bw == pytest.approx(1.81e4 / 70e3, rel=3e-3)


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("SUVbw", {"dose": None}, "TotalDose is missing in scan: no SUV"),
        ("SUVbw", {"weight": None}, "weight is missing in scan"),
        ("SUVbw", {"elapsed": None}, "elapsed is missing"),
        ("SUVbw", {"half_life": None}, "half_life is missing"),
        ("SUL", {"height": None}, "height is missing"),
        ("SUL", {"sex": None}, "sex is missing.*M or F"),
        ("SUVbsa", {"height": None}, "height is missing"),
        ("SUVbsa", {"height": 170.0}, "height is 170.*in m"),
        ("SUVbw", {"weight": 0.0}, "weight is 0"),
        ("SUVbw", {"weight": math.nan}, "weight is nan"),
        ("SUVbw", {"dose": 370.0}, "TotalDose is 370 Bq for 70 kg.*looks like MBq"),
        ("SUVbw", {"dose": 370e3}, "TotalDose is 370000 Bq for 70 kg.*looks like kBq"),
        ("SUVbw", {"dose": 370e9}, r"at most 2e\+10 Bq"),
        ("SUVbw", {"dose": -1.0}, "TotalDose is -1"),
        ("SUVbw", {"half_life": 0.0}, "half_life is 0"),
        ("SUVbw", {"half_life": 60.0}, "over 20 half-lives"),
    ],
)
def test_says_what_is_missing(kind, change, says):
    basis = SuvBasis(**BASIS | change, names={"dose": "TotalDose"}, where="scan")
    with pytest.raises(InputError, match=says):
        suv_factor(kind, basis)


def test_what_a_type_does_not_need_may_be_missing():
    basis = SuvBasis(dose=370e6, elapsed=0.0, weight=70.0)
    assert suv_factor("SUVbw", basis) == 70e3 / 370e6


def test_lean_mass_that_cannot_be():
    basis = SuvBasis(**BASIS | {"weight": 300.0, "height": 1.5, "sex": "F"})
    with pytest.raises(InputError, match=r"lean mass of -271 kg.*james"):
        suv_factor("SUL", basis, "james")
    assert suv_factor("SUL", basis) > 0


def test_never_just_suv():
    assert suv_type("suvBW") == "SUVbw"
    with pytest.raises(UsageError, match="expected one of SUVbw, SUL, SUVbsa"):
        suv_type("SUV")
