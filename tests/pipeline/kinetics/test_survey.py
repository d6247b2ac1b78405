"""One pass finds the mask, the means of regions and what is no number."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.tracer import Tracer
from betaplus.io.derivatives import write_image
from betaplus.io.open import load
from betaplus.io.zarr_images import write_zarr_image
from betaplus.pipeline.kinetics.survey import survey_image

SHAPE = (4, 5, 3)
FRAMES = FrameTiming.from_durations([10.0] * 6)


def image(seed: int = 0) -> PetImage:
    data = np.random.default_rng(seed).normal(5, 1, (*SHAPE, len(FRAMES))).astype(np.float32)
    data[0] = 0
    return PetImage(data=data, affine=np.eye(4), frames=FRAMES, unit="Bq/mL")


def labels(folder: Path, values: np.ndarray) -> Path:
    path = folder / "sub-01_dseg.nii.gz"
    nifti = nibabel.Nifti1Image(values.astype(np.uint8), np.eye(4))
    nifti.set_sform(np.eye(4), code=1)
    nibabel.save(nifti, path)
    return path


def test_default_mask_is_what_is_not_zero_in_all_frames() -> None:
    found = survey_image(image(), None, None)
    np.testing.assert_array_equal(found.mask, np.any(image().data != 0, axis=-1))
    assert not found.labelled and found.names[0] == "mean of the mask"
    np.testing.assert_allclose(found.curves[0], image().data[1:].mean((0, 1, 2)), rtol=1e-6)


def test_example_voxels_are_voxels_of_the_mask() -> None:
    found = survey_image(image(), None, None)
    for name, curve in zip(found.names[1:], found.curves[1:], strict=True):
        at = tuple(int(v) for v in name.removeprefix("voxel (").removesuffix(")").split(", "))
        assert found.mask[at]
        np.testing.assert_array_equal(curve, image().data[at])


def test_region_means_are_over_the_mask_only(tmp_path: Path) -> None:
    values = np.zeros(SHAPE)
    values[1:3], values[3], values[0] = 2, 7, 9  # 9 lies in air
    mask = np.ones(SHAPE, dtype=bool)
    mask[:, 0] = False
    found = survey_image(image(), mask, labels(tmp_path, values))
    assert found.labelled and found.names == ("label 2", "label 7")
    for row, label in enumerate((2, 7)):
        inside = image().data[(values == label) & mask]
        np.testing.assert_allclose(found.curves[row], inside.mean(0), rtol=1e-6)
    assert any("zero in all frames" in remark for remark in found.remarks)


@pytest.mark.parametrize("labelled", [True, False])
def test_the_kind_of_file_does_not_matter_to_the_last_bit(tmp_path: Path, labelled: bool) -> None:
    shape = (9, 40, 37)
    data = np.random.default_rng(5).lognormal(8, 3, (*shape, len(FRAMES))).astype(np.float32)
    data[:2] = 0
    held = PetImage(
        data=data,
        affine=np.eye(4),
        frames=FRAMES,
        unit="Bq/mL",
        tracer=Tracer.of("F18"),
        decay_corrected_to=0.0,
    )
    write_image(tmp_path / "a_pet.nii.gz", held)
    write_zarr_image(tmp_path / "b_pet.zarr", held)
    regions = None
    if labelled:
        values = np.random.default_rng(6).integers(0, 4, shape)
        regions = labels(tmp_path, values)
    images = [held, load(tmp_path / "a_pet.nii.gz"), load(tmp_path / "b_pet.zarr")]
    found = [survey_image(image, None, regions) for image in images]
    for other in found[1:]:
        np.testing.assert_array_equal(other.mask, found[0].mask)
        np.testing.assert_array_equal(other.curves, found[0].curves)
        assert other.names == found[0].names
    if labelled:
        inside = data[(values == 2) & found[0].mask].astype(np.float64)
        np.testing.assert_allclose(found[0].curves[1], inside.mean(0), rtol=1e-12)


def test_nan_counts_only_inside_the_mask() -> None:
    spoilt = image()
    spoilt.data[2, 3, 1, 4] = np.nan
    with pytest.raises(InputError, match=r"nan at voxel \(2, 3, 1\) in frame 5"):
        survey_image(spoilt, None, None)
    mask = np.ones(SHAPE, dtype=bool)
    mask[2, 3, 1] = False
    found = survey_image(spoilt, mask, None)
    assert np.isfinite(found.curves).all() and not found.mask[2, 3, 1]
