"""DICOM and raw data that contradict themselves by a unit: each is noticed, with its field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.io.dicom.cases import dose_of, stored_numbers, write_series
from tests.io.raw.cases import NO_GAPS, list_file, tag, word

from betaplus.core.errors import BetaplusError
from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer
from betaplus.io.open import load
from betaplus.io.raw.interfile_projections import write_interfile_projections
from betaplus.io.raw.open_raw import open_raw
from betaplus.io.suv import suv_conversion


def dose_in_kbq(data: Any, z: int, t: int) -> None:
    dose_of(data).RadionuclideTotalDose = 350e3


def half_life_in_minutes_dicom(data: Any, z: int, t: int) -> None:
    dose_of(data).RadionuclideHalfLife = 109.77


def not_corrected_but_decy(data: Any, z: int, t: int) -> None:
    data.DecayCorrection = "NONE"


def weight_in_grams_dicom(data: Any, z: int, t: int) -> None:
    data.PatientWeight = 72e3


def spacing_in_metres(data: Any, z: int, t: int) -> None:
    data.PixelSpacing = [0.0025, 0.002]


def duration_in_seconds(data: Any, z: int, t: int) -> None:
    data.ActualFrameDuration = 300


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (dose_in_kbq, r"RadionuclideTotalDose \(0018,1074\) is 350000 Bq"),
        (half_life_in_minutes_dicom, r"RadionuclideHalfLife \(0018,1075\)"),
        (not_corrected_but_decy, r"CorrectedImage \(0028,0051\) is DECY.*DecayCorrection"),
        (weight_in_grams_dicom, r"PatientWeight \(0010,1030\) is 72000"),
        (spacing_in_metres, r"voxels of series are 0\.002 x 0\.0025 x 3 mm"),
        (duration_in_seconds, r"FrameDuration|DecayFactor"),
    ],
)
def test_a_trap_in_dicom_is_noticed(tmp_path: Path, edit: Any, words: str) -> None:
    lines = []
    for name, change in (("whole", None), ("spoilt", edit)):
        stored, slopes = stored_numbers((4, 3, 2, 2))
        path = tmp_path / name / "series"
        write_series(path, stored, slopes, starts=((0.0, 300.0),), durations=300.0, edit=change)
        try:
            image = load(path)
            lines.append([*image.remarks, *suv_conversion(image).remarks])
        except BetaplusError as error:
            lines.append([str(error)])
    new = [line for line in lines[1] if line not in lines[0]]
    assert any(re.search(words, line) for line in new), new
    assert not any(re.search(words, line) for line in lines[0])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("halflife (sec) := 6584.04", "halflife (sec) := 109.734", "half-life of 109.734 s of F18"),
        ("rings (cm) := 0.4", "rings (cm) := 4.0", "rings 40 mm apart"),
        ("diameter (cm) := 12.0", "diameter (cm) := 1200.0", "crystals .* mm apart"),
    ],
)
def test_a_trap_in_interfile_is_noticed(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "a.hs"
    write_interfile_projections(
        path,
        np.ones(NO_GAPS.shape, np.float32),
        NO_GAPS,
        frames=FrameTiming.from_durations([600.0]),
        tracer=Tracer.of("F18"),
    )
    assert open_raw(path).remarks == ()
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(BetaplusError, match=words):
        open_raw(path)


def test_a_list_file_that_lasts_otherwise_than_its_header_says(tmp_path: Path) -> None:
    words = [tag(0), word(True, 172, 4, 0), tag(1), tag(999)]
    path = list_file(tmp_path / "a.l", words, duration=1000)
    assert any("lasts 1 s by its time tags" in line for line in open_raw(path).remarks)
