"""Shifts between frames, of phantoms whose place is a formula."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.evaluation.motion import measure_motion
from betaplus.pipeline.motion_check import check_motion
from betaplus.report.figures.motion import motion_plot

SHAPE, EDGE = (34, 30, 26), 4.0
FRAMES = FrameTiming.from_durations([20.0, 40.0, 60.0, 120.0, 120.0, 240.0, 300.0, 300.0, 300.0])
# Head, a ring of cortex and two nuclei: centre and radii [mm], and uptake by time constant [s].
PARTS = (
    ((0.0, 0.0, 0.0), (50.0, 44.0, 38.0), 1.0, 60.0),
    ((0.0, 0.0, 4.0), (40.0, 34.0, 28.0), 2.5, 900.0),
    ((-16.0, 6.0, 0.0), (9.0, 12.0, 9.0), 4.0, 1500.0),
    ((18.0, -4.0, 6.0), (10.0, 9.0, 8.0), 3.0, 300.0),
)


def phantom(
    shifts: np.ndarray, *, seed: int = 0, turn: bool = False, alike: bool = False
) -> PetImage:
    """Return a scan whose parts lie at `shifts` [mm], shape (T, 3), in the world.

    A part's uptake rises with its own time constant, so that frames differ in contrast. A sphere's
    edge is soft over a voxel, by formula: nothing is interpolated. With `alike` the contrast is
    that of the last frame throughout.
    """
    affine = np.diag([EDGE, EDGE, EDGE, 1.0])
    affine[:3, 3] = -0.5 * EDGE * (np.array(SHAPE) - 1)
    if turn:  # the first axis runs to the left, the last two are exchanged
        affine = affine @ np.array([[-1, 0, 0, SHAPE[0] - 1], [0, 0, 1, 0], [0, 1, 0, 0],
                                    [0, 0, 0, 1.0]])  # fmt: skip
    shape = (SHAPE[0], SHAPE[2], SHAPE[1]) if turn else SHAPE
    index = np.moveaxis(np.indices(shape), 0, -1)
    world = index @ affine[:3, :3].T + affine[:3, 3]
    data = np.zeros((*shape, len(FRAMES)), np.float32)
    random = np.random.default_rng(seed)
    for t, shift in enumerate(shifts):
        volume = np.zeros(shape)
        for centre, radii, uptake, rise in PARTS:
            scaled = (world - shift - centre) / radii
            depth = (1.0 - np.linalg.norm(scaled, axis=-1)) * min(radii)  # mm, about
            inside = 1.0 / (1.0 + np.exp(-depth / 1.5))
            volume += inside * uptake * -np.expm1(-FRAMES.mid[-1 if alike else t] / rise)
        level = 0.05 * volume.max() * np.sqrt(300.0 / FRAMES.duration[t])
        data[..., t] = volume + level * random.normal(size=shape)
    return PetImage(data=data, affine=affine, unit="kBq/mL", frames=FRAMES, decay_corrected_to=0.0)


@pytest.mark.parametrize("seed", range(3))
def test_still(seed: int) -> None:
    """No frame is warned about, though the contrast changes from frame to frame."""
    image = phantom(np.zeros((9, 3)), seed=seed)
    motion = measure_motion(image)
    assert motion is not None and motion.judged[3:].all()
    assert motion.distance.max() < 1.5
    assert check_motion(image).remarks == []


@pytest.mark.parametrize(("turn", "alike", "off"), [(False, True, 0.3), (True, False, 1.0)])
@pytest.mark.parametrize("moved", [(3.0, 0.0, 0.0), (-2.0, 4.0, 1.5), (0.0, 0.0, -9.0)])
def test_moved(moved: tuple[float, float, float], turn: bool, alike: bool, off: float) -> None:
    """The last three frames against those before, to the right, front and head.

    Uptake that rises faster in one part than in another looks like a shift of some tenths of a mm.
    """
    shifts = np.zeros((9, 3))
    shifts[6:] = moved
    image = phantom(shifts, turn=turn, alike=alike)
    motion = measure_motion(image)
    assert motion is not None and motion.judged[3:].all()
    found = motion.shift[6:].mean(0) - motion.shift[3:6].mean(0)
    np.testing.assert_allclose(found, moved, atol=off)
    (remark,) = check_motion(image).remarks if np.linalg.norm(moved) > 4 else (None,)
    if remark is not None:
        assert "mm aside of the mean of all frames" in remark


def test_what_is_said() -> None:
    shifts = np.zeros((9, 3))
    shifts[4] = (0.0, 12.0, 0.0)
    check = check_motion(phantom(shifts))
    (remark,) = check.remarks
    assert "frame 5 lies over 2 mm aside" in remark and "most to the front" in remark
    record = check.record()
    assert record is not None and record["front_mm"][4] == pytest.approx(11.0, abs=2.0)
    assert record["start_s"] == FRAMES.start.tolist()
    picture = motion_plot(record)
    assert "to the front" in picture.data and "shift [mm]" in picture.data


def test_frames_that_cannot_be_judged() -> None:
    """Noise alone, and an empty frame."""
    image = phantom(np.zeros((9, 3)))
    data = np.array(image.data)
    data[..., 0] = np.random.default_rng(1).normal(size=SHAPE)
    data[..., 1] = 0.0
    motion = measure_motion(PetImage(**{**vars(image), "data": data}))
    assert motion is not None
    assert motion.judged.tolist()[:2] == [False, False] and motion.judged[3:].all()
    assert (motion.distance[:2] == 0.0).all()


def test_what_is_not_looked_at() -> None:
    image = phantom(np.zeros((9, 3)))
    fields = vars(image)
    small = PetImage(**{**fields, "data": np.asarray(image.data)[:, :, :8]})
    volume = PetImage(**{**fields, "data": np.asarray(image.data)[..., 0], "frames": None})
    two = PetImage(**{**fields, "data": np.asarray(image.data)[..., :2], "frames": None})
    for one in (small, volume, two):
        assert measure_motion(one) is None
        assert check_motion(one).remarks == [] and check_motion(one).record() is None
