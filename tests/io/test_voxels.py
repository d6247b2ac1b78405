"""Masks and curves from images."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.io.open import load
from betaplus.io.voxels import default_mask, load_mask, voxel_curves

SHAPE = (4, 5, 3, 6)


def scan_of(folder, data, name="a_pet.nii.gz"):
    nibabel.save(nibabel.Nifti1Image(data, np.diag([2, 2, 2, 1.0])), folder / name)
    duration = [60] * data.shape[3]
    fields = {
        "Units": "Bq/mL",
        "FrameTimesStart": [60 * i for i in range(data.shape[3])],
        "FrameDuration": duration,
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
    }
    (folder / "a_pet.json").write_text(json.dumps(fields))
    return load(folder / name)


def numbers():
    rng = np.random.default_rng(1)
    data = rng.normal(5, 1, SHAPE).astype(np.float32)
    data[rng.random(SHAPE[:3]) < 0.4] = 0
    data[2, 2, 2] = [0, 0, 0, 0, 0, -1]
    return data


@pytest.mark.parametrize("kind", ["a_pet.nii", "a_pet.nii.gz", "memory"])
def test_curves_are_in_the_order_of_the_mask(tmp_path, kind):
    data = numbers()
    if kind == "memory":
        scan = PetImage(data=data, affine=np.eye(4), unit="Bq/mL")
    else:
        scan = scan_of(tmp_path, data, kind)
    mask = default_mask(scan)
    np.testing.assert_array_equal(mask, (data != 0).any(axis=3))
    assert mask[2, 2, 2] and not mask.all()
    curves = voxel_curves(scan, mask)
    assert curves.dtype == np.float32 and curves.flags.c_contiguous
    np.testing.assert_array_equal(curves, data[mask])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_voxels_that_are_no_numbers(tmp_path, value):
    data = numbers()
    data[1, 4, 0, 3] = value
    scan = scan_of(tmp_path, data)
    mask = default_mask(scan)
    assert mask[1, 4, 0]
    with pytest.raises(InputError, match=r"a_pet.nii.gz holds .* at voxel \(1, 4, 0\) in frame 4"):
        voxel_curves(scan, mask)
    mask[1, 4, 0] = False
    np.testing.assert_array_equal(voxel_curves(scan, mask), data[mask])


def test_an_empty_image(tmp_path):
    with pytest.raises(InputError, match="zero everywhere"):
        default_mask(scan_of(tmp_path, np.zeros(SHAPE, np.float32)))


@pytest.mark.parametrize(
    ("mask", "shift", "says"),
    [
        (np.ones(SHAPE[:3]), 0.0, None),
        (np.ones((*SHAPE[:3], 1)) * 0.996, 0.1, None),
        (np.arange(60).reshape(SHAPE[:3]), 0.0, None),
        (np.ones((4, 5, 4)), 0.0, r"shape \(4, 5, 4\) but the image has \(4, 5, 3\)"),
        (np.ones(SHAPE), 0.0, "has 6 frames"),
        (np.ones(SHAPE[:3]), 0.5, "0.5 mm away"),
        (np.linspace(0, 1, 60).reshape(SHAPE[:3]), 0.0, "fractions"),
        (np.full(SHAPE[:3], np.nan), 0.0, "fractions or NaN"),
        (np.zeros(SHAPE[:3]), 0.0, "0 everywhere"),
    ],
)
def test_masks(tmp_path, mask, shift, says):
    scan = scan_of(tmp_path, numbers())
    affine = np.array(scan.affine)
    affine[1, 3] += shift
    path = tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(mask.astype(np.float32), affine), path)
    if says is None:
        np.testing.assert_array_equal(load_mask(path, scan), mask.reshape(SHAPE[:3]) != 0)
    else:
        with pytest.raises(InputError, match=rf"mask\.nii\.gz.*{says}"):
            load_mask(path, scan)


def test_a_mask_for_another_image(tmp_path):
    with pytest.raises(InputError, match="same grid"):
        voxel_curves(scan_of(tmp_path, numbers()), np.ones((2, 2, 2), bool))
