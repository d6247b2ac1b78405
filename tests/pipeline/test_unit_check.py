"""Tissue and blood that cannot belong together, by closed forms and in real studies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.core.input_function import InputCurve
from betaplus.io.blood import load_blood
from betaplus.io.tacs import load_tacs
from betaplus.pipeline.unit_check import HIGHEST_RATE, LOWEST_BLOOD, check_units

TIME = np.arange(30.0, 3600.0, 60.0)
UNITS = ("Bq/mL", "Bq/mL")


def constant(level: float = 100.0) -> InputCurve:
    """Blood of one level from the start: its integral is level x t."""
    both = np.full(2, level)
    return InputCurve(np.array([0.0, 3600.0]), both, both, "Bq/mL")


def trapped(rate: float) -> np.ndarray:
    """Tissue that traps `rate` mL/cm3/min of such blood, shape (1, T)."""
    return 100.0 * rate * TIME[None] / 60.0


def test_the_rate_is_that_of_tissue_that_traps_all() -> None:
    assert check_units(trapped(0.05), TIME, constant(), UNITS) == []
    check_units(trapped(0.999 * HIGHEST_RATE), TIME, constant(), UNITS)
    with pytest.raises(InputError, match=r"takes up 20\.1 mL/cm3/min \(image in Bq/mL, blood"):
        check_units(trapped(1.005 * HIGHEST_RATE), TIME, constant(), UNITS)


def test_tissue_of_blood_alone_is_not_refused() -> None:
    values = np.full((1, TIME.size), 100.0)
    (remark,) = check_units(values * 1e-2, TIME, constant(1e4), UNITS, late=True, insisted=True)
    assert "check the units" in remark
    check_units(values * 1.01 * LOWEST_BLOOD, TIME, constant(), UNITS)
    with pytest.raises(InputError, match="of the blood of its time"):
        check_units(values * 0.99 * LOWEST_BLOOD, TIME, constant(), UNITS)


def test_what_is_unusual_but_possible_is_remarked() -> None:
    (remark,) = check_units(trapped(2.0), TIME, constant(), UNITS)
    assert remark == (
        "the largest curve reaches 119 times the peak of the blood: check the units of both"
    )


def test_tissue_that_comes_long_before_the_blood_is_not_judged() -> None:
    late = InputCurve(np.array([1200.0, 3600.0]), np.ones(2), np.ones(2), "Bq/mL")
    early = np.where(TIME < 1200.0, 1e4, 1.0)[None]
    assert "check the units" in check_units(early, TIME, late, UNITS)[0]


def test_an_integral_that_is_not_known_is_not_judged() -> None:
    with pytest.raises(InputError):
        check_units(trapped(100.0), TIME, constant(), UNITS)
    assert check_units(trapped(100.0), TIME, constant(), UNITS, late=True)


def test_who_gives_both_units_insists() -> None:
    (remark,) = check_units(trapped(50.0), TIME, constant(), UNITS, insisted=True)
    assert "50 mL/cm3/min" in remark and "check the units of both" in remark


def test_real_studies(reference_data: Path) -> None:
    """Of the scans of OpenNeuro ds004869 the blood of one is in kBq/mL and says Bq/mL."""
    root = reference_data / "bids_mc1"
    refused, checked = [], 0
    for path in sorted((root / "derivatives" / "petprep").glob("sub-0*/ses-*/pet/*_tacs.tsv")):
        subject, session = path.parts[-4], path.parts[-3]
        raw = root / subject / session / "pet" / f"{subject}_{session}"
        samples = Path(f"{raw}_recording-manual_blood.tsv")
        if not samples.is_file():
            continue
        tacs = load_tacs(path, unit="Bq/mL", radionuclide="C11", decay_corrected_to="injection")
        try:
            curve = load_blood([samples]).curve(float(tacs.frames.end[-1]))
        except InputError:
            continue
        checked += 1
        try:
            check_units(tacs.values, tacs.frames.mid, curve.converted("Bq/mL"), UNITS)
        except InputError:
            refused.append((subject, session))
    assert checked > 5
    assert refused == [("sub-01", "ses-blocked")]
