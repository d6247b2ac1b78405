"""Frames are read one by one, and no more of them than two are ever held."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest
from tests.denoising.cases import SUV, noisy

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.denoising.frames import FrameDenoiser
from betaplus.denoising.voxels import check_values, volumes

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
