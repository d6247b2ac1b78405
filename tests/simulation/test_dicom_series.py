"""A simulated DICOM series is read back as what it was made of, by pydicom and by betaplus."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.tracer import Tracer
from betaplus.io.open import load
from betaplus.simulation.dicom_series import write_dicom_series

pydicom = pytest.importorskip("pydicom")


@pytest.fixture
def image() -> PetImage:
    data = np.random.default_rng(0).gamma(2.0, 3e3, (5, 6, 4, 3)).astype(np.float32)
    return PetImage(
        data=data,
        affine=np.array([[-4.0, 0, 0, 8], [0, 4.5, 0, -10], [0, 0, 5, 3], [0, 0, 0, 1]]),
        unit="Bq/mL",
        frames=FrameTiming.from_durations([60.0, 300.0, 600.0]),
        tracer=Tracer.of("C11"),
        decay_corrected_to=0.0,
        injection=0.0,
        metadata={"BodyWeight": 70.0, "InjectedRadioactivity": 3.7e8},
    )


def test_what_is_read_is_what_was_written_but_for_half_a_step(image, tmp_path):
    folder = write_dicom_series(tmp_path / "series", image)
    assert len(list(folder.iterdir())) == 12
    read = load(folder)
    assert read.unit == "Bq/mL" and read.tracer.radionuclide == image.tracer.radionuclide
    np.testing.assert_allclose(read.frames.start, image.frames.start)
    np.testing.assert_allclose(read.frames.duration, image.frames.duration)
    assert float(read.decay_corrected_to) == pytest.approx(0.0)
    values, affine = np.asarray(read.data), np.asarray(read.affine)
    # the same point of the patient has the same value, whichever way the axes run
    at = np.array([1, 4, 2, 1])
    there = np.linalg.solve(affine, image.affine @ at)[:3]
    np.testing.assert_allclose(there, np.round(there), atol=1e-4)
    i, j, k = np.round(there).astype(int)
    step = np.asarray(image.data).max((0, 1)) / 32767
    assert np.all(np.abs(values[i, j, k] - np.asarray(image.data)[1, 4, 2]) <= 0.51 * step[2])
    back = np.flip(
        values, tuple(np.flatnonzero(np.diag(affine)[:3] * np.diag(image.affine)[:3] < 0))
    )
    assert np.all(np.abs(back - np.asarray(image.data)) <= 0.51 * step + 1e-3)


def test_the_decay_factor_is_that_of_the_frame(image, tmp_path):
    # pydicom and a numerical mean of the decay over the frame, not our own reader
    folder = write_dicom_series(tmp_path / "series", image)
    last = pydicom.dcmread(sorted(folder.iterdir())[-1])
    start, duration = 360.0, 600.0
    t = np.linspace(start, start + duration, 200_001)
    decay = np.exp2(-t / image.tracer.half_life)
    mean = np.trapezoid(decay, t) / duration
    assert float(last.DecayFactor) == pytest.approx(1.0 / mean, rel=1e-6)
    moment = -image.tracer.half_life * np.log2(mean)
    assert float(last.FrameReferenceTime) == pytest.approx(1e3 * moment, rel=1e-6)


@pytest.mark.parametrize("change", [
    {"unit": "kBq/mL"}, {"tracer": None}, {"decay_corrected_to": None},
    {"metadata": {"BodyWeight": 70.0}},
    {"affine": np.array([[4, 1, 0, 0], [0, 4, 0, 0], [0, 0, 4, 0], [0, 0, 0, 1.0]])},
])  # fmt: skip
def test_what_it_cannot_say_is_refused(image, tmp_path, change):
    with pytest.raises(InputError):
        write_dicom_series(tmp_path / "series", dataclasses.replace(image, **change))
    assert not (tmp_path / "series").exists()
