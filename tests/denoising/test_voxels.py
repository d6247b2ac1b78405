"""Frames are read one by one, and no more of them than two are ever held."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest
from tests.denoising.cases import SUV, image, noisy

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.tracer import Tracer
from betaplus.denoising.frames import FrameDenoiser
from betaplus.denoising.voxels import add_below, check_values, split_below, volumes

SHAPE, FRAMES = (24, 22, 26), 7


class Watched:
    """Voxels of a dynamic image that are made when asked for, and counted while they live."""

    dtype, ndim, shape = np.dtype(np.float32), 4, (*SHAPE, FRAMES)

    def __init__(self) -> None:
        self.alive: list[weakref.ref] = []
        self.most = self.reads = 0

    def __getitem__(self, key: Any) -> np.ndarray:
        assert key[0] is Ellipsis and isinstance(key[1], int)
        frame = noisy(key[1], SHAPE)
        self.alive.append(weakref.ref(frame))
        self.reads += 1
        self.most = max(self.most, sum(one() is not None for one in self.alive))
        return frame


@pytest.fixture
def scan() -> PetImage:
    frames = FrameTiming(60.0 * np.arange(FRAMES), np.full(FRAMES, 60.0))
    return PetImage(
        data=Watched(), affine=np.diag([3.0, 3.0, 3.0, 1.0]), unit="SUV", metadata=SUV,
        frames=frames, decay_corrected_to=0.0,
    )  # fmt: skip


def test_reading_and_checking_hold_one_frame(scan: PetImage) -> None:
    for t, frame in volumes(scan):
        assert np.array_equal(frame, noisy(t, SHAPE))
        del frame
    assert scan.data.most == 1 and scan.data.reads == FRAMES
    check_values(scan)
    assert scan.data.most <= 2


def test_denoising_holds_no_more_than_two_frames(scan: PetImage) -> None:
    denoiser = FrameDenoiser(scan, method="gaussian")
    for t, raw, result in denoiser.frames():
        assert raw.shape == result.mean.shape == SHAPE and t < FRAMES
    assert scan.data.reads == FRAMES and scan.data.most <= 2


def test_counts_of_voxels_are_put_into_words(scan: PetImage) -> None:
    for bad, words in ((1, "1 voxel that is NaN"), (1200, "1,200 voxels that are NaN")):
        data = noisy(0, SHAPE)
        data.ravel()[:bad] = np.nan
        image = PetImage(data=data, affine=scan.affine, unit="SUV", metadata=SUV)
        with pytest.raises(InputError, match=words):
            check_values(image)


def test_a_few_voxels_below_0_are_taken_and_counted() -> None:
    data = noisy()
    data[3, 4, 5:8] = -2.0
    (remark,) = check_values(image(data))
    share = 100 * 6.0 / np.maximum(data, 0).sum(dtype=float)
    assert remark.startswith(f"3 voxels below 0, the least -2 SUV, {share:.2g} % of the activity")
    assert check_values(image()) == ()
    with pytest.raises(InputError, match=r"% of its activity; expected an image of OSEM"):
        check_values(image(noisy() - 0.05))


def test_what_is_below_0_is_split_off_and_added_again() -> None:
    data = noisy()
    assert split_below(data) == (data, None)
    data[20, 18, 22] = -9.0
    above, below = split_below(data)
    assert below is not None and above.min() == 0.0
    assert np.array_equal(above + below, data)
    whole = add_below(above, below, (2.4, 2.4, 3.0), None)
    assert whole.sum(dtype=float) == pytest.approx(data.sum(dtype=float), rel=1e-6)
    assert whole.min() > -0.5 and whole.dtype == np.float32
    mask = np.zeros(data.shape, bool)
    assert np.array_equal(add_below(above, below, (2.4, 2.4, 3.0), mask), above)


@pytest.mark.parametrize("unit", ["SUV", "Bq/mL"])
def test_the_mean_of_an_image_is_kept_where_a_filter_keeps_it(unit: str) -> None:
    """A Gaussian filter is linear: with and without the detour over 0 the sums are those of it."""
    from betaplus.denoising import denoise

    known = {
        "InjectedRadioactivity": 3e8, "InjectedRadioactivityUnits": "Bq", "BodyWeight": 70.0,
        "InjectionStart": 0, "ScanStart": 0,
    }  # fmt: skip
    bq = {"unit": unit, "metadata": known, "decay_corrected_to": 0.0, "tracer": Tracer.of("F18")}
    fields = {} if unit == "SUV" else bq
    scale = 1.0 if unit == "SUV" else 3e8 / 70e3
    data = noisy()
    data[data == 0] = 0.02 * np.random.default_rng(1).normal(size=(data == 0).sum())
    found = denoise(image(np.float32(scale * data), **fields), method="gaussian")
    assert any("below 0" in text for text in found.remarks)
    assert found.image.data.sum(dtype=float) == pytest.approx(
        scale * data.sum(dtype=float), rel=1e-3
    )


def test_a_head_alone_is_remarked_on_for_networks() -> None:
    assert check_values(image()) == ()  # a filter does not mind
    (remark,) = check_values(image(), learned=True)
    assert remark.startswith("the activity is 13 cm long, less than 26 cm, as that of a head")
    assert check_values(image(voxel=(4.0, 4.0, 6.0)), learned=True) == ()
    far = np.zeros((60, 40, 40), np.float32)
    far[4:9] = 3.0  # 1.5 cm of activity in 18 cm, and what is below 5 % of it
    far[50:] = 0.1
    (remark,) = check_values(image(far, (3.0, 3.0, 3.0)), learned=True)
    assert "is 12 cm long" in remark  # along the other axes
