"""What cannot be used is refused by name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.patlak.study import make_study
from betaplus.patlak.study_start import StartRule

from .scans import FRAMES, SHAPE, blood, scan


@pytest.mark.parametrize(
    ("t_star", "left"), [(FRAMES.start[-2], 2), (FRAMES.start[-1], 1), (3700.0, 0), (1e6, 0)]
)
def test_t_star_leaves_too_few_frames(t_star, left):
    with pytest.raises(UsageError, match=f"leaves {left} of {len(FRAMES)} frames.*at least 3"):
        make_study(scan(), blood(), t_star=t_star)


def test_nothing_is_read_before_that_is_known():
    class Unread:
        shape = (*SHAPE, len(FRAMES))

        def __getitem__(self, key):
            raise AssertionError("read")

    image = scan(data=Unread())
    with pytest.raises(UsageError, match="leaves 0"):
        make_study(image, blood(), t_star=1e6)
    with pytest.raises(UsageError, match="level"):
        make_study(image, blood(), level=-1.0)
    with pytest.raises(AssertionError, match="read"):
        make_study(image, blood())


def test_too_few_frames_after_the_peak():
    frames = FrameTiming.from_durations([20.0, 40, 1200, 1800])
    with pytest.raises(InputError, match=r"2 frames start after the input's peak.*at least 3"):
        make_study(scan(frames=frames), blood())


def test_image_without_decay_correction():
    with pytest.raises(InputError, match=r"is not decay-corrected.*--decay-corrected-to"):
        make_study(scan(decay_corrected_to=None), blood())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": np.ones(SHAPE, np.float32), "frames": None}, "is a 3-D image"),
        ({"frames": None}, "has no frame times"),
        ({"tracer": None}, "does not say which radionuclide"),
        ({"data": np.ones((*SHAPE, 2), np.float32), "frames": FrameTiming([0, 9], [9, 9])}, "2 fr"),
        ({"unit": "SUV"}, "cannot convert Bq/mL to SUV"),
        ({"data": np.zeros((*SHAPE, len(FRAMES)), np.float32)}, "no voxel that is wanted"),
    ],
)
def test_images_that_lack_something(changes, message):
    with pytest.raises(InputError, match=message):
        make_study(dataclasses.replace(scan(), **changes), blood())


def test_frames_that_overlap():
    """Refused where frame times are made, before there is an image."""
    with pytest.raises(InputError, match="expected frames that do not overlap"):
        FrameTiming(FRAMES.start, FRAMES.duration * 1.5)


def test_blood_that_ends_early():
    samples = blood()
    short = samples.time < 3000
    early = InputFunction(
        time=samples.time[short], plasma=samples.plasma[short], plasma_kind="parent"
    )
    with pytest.raises(InputError, match="plasma ends at 2940 s, the scan at 3720 s"):
        make_study(scan(), early)
    curve = early.curve(2940.0)
    with pytest.raises(InputError, match="input function ends at 2940 s, the scan at 3720 s"):
        make_study(scan(), curve)


def test_input_of_zeros():
    time = np.array([0.0, 60, 4000])
    with pytest.raises(InputError, match="nowhere above 0"):
        InputFunction(time=time, plasma=np.zeros(3))
    with pytest.raises(InputError, match="the input function is nowhere above 0"):
        make_study(scan(), InputCurve(time, np.zeros(3), np.zeros(3), "Bq/mL"))


def test_input_whose_beginning_is_missing():
    whole = blood().curve(3720.0)
    late = whole.time >= 600
    curve = InputCurve(whole.time[late], whole.plasma[late], whole.plasma[late], "Bq/mL")
    with pytest.raises(InputError, match=r"highest where it begins, at 600 s.*relative Patlak"):
        make_study(scan(), curve)


def test_start_rules():
    with pytest.raises(UsageError, match="max_error 0"):
        StartRule(max_error=0.0)
    with pytest.raises(UsageError, match="least_frames 2"):
        StartRule(least_frames=2)
