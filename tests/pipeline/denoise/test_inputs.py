"""The same voxels from NIfTI, zarr and DICOM give the same output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from tests.denoising.cases import image, noisy
from tests.io.dicom.cases import write_series

from betaplus.core.errors import InputError
from betaplus.io.derivatives import write_image
from betaplus.io.open import load
from betaplus.io.zarr_images import write_zarr_image
from betaplus.pipeline.denoise import DenoiseRequest, DenoiseRun, run_denoise


def filtered(source: Path, out: Path, **fields: Any) -> DenoiseRun:
    request = DenoiseRequest(source=source, out=out, method="gaussian", **fields)
    result = run_denoise(request)
    assert result is not None
    return result


def test_kinds_of_files(tmp_path: Path) -> None:
    # edges that NIfTI's single precision holds
    frames = np.stack([noisy(1), noisy(2)], axis=-1)
    scan = image(frames, (2.5, 2.5, 3.0), decay_corrected_to=0.0)
    write_image(tmp_path / "a_pet.nii.gz", scan)
    write_image(tmp_path / "b_pet.nii", scan)
    write_zarr_image(tmp_path / "c_pet.zarr", scan)
    found = [
        np.asarray(filtered(tmp_path / name, tmp_path / name[0]).image.data)
        for name in ("a_pet.nii.gz", "b_pet.nii", "c_pet.zarr")
    ]
    for other in found[1:]:
        assert np.array_equal(found[0], other)


def test_a_dicom_series(tmp_path: Path) -> None:
    stored = (noisy(shape=(16, 18, 20))[..., None] * 1500).astype(np.int16)
    folder = write_series(tmp_path / "series", stored, np.full((20, 1), 0.5))
    result = filtered(folder, tmp_path / "out")
    source = load(folder)
    assert result.image.shape == source.shape and result.run["unit"] == "Bq/mL"
    assert result.run["suv"]["SUVType"] == "SUVbw"
    sidecar = json.loads((tmp_path / "out" / "series_desc-denoised_pet.json").read_text())
    assert sidecar["Units"] == "Bq/mL" and "PatientName" not in sidecar
    again = load(result.names.image)
    assert np.allclose(again.affine, source.affine, atol=1e-4)  # type: ignore[union-attr]
    weight = filtered(folder, tmp_path / "none", unit_out="SUV")
    factor = result.run["suv"]["SUVFactor"]
    assert np.allclose(weight.image.data, result.image.data * np.float32(factor), rtol=1e-6)


def test_masks(tmp_path: Path) -> None:
    scan = image()
    write_image(tmp_path / "a_pet.nii.gz", scan)
    mask = np.zeros(scan.shape, np.uint8)
    mask[10:30, 10:30, 10:30] = 1

    def written(name: str, values: np.ndarray, affine: np.ndarray) -> Path:
        nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / name)
        return tmp_path / name

    good = written("m.nii.gz", mask, scan.affine)
    found = filtered(tmp_path / "a_pet.nii.gz", tmp_path / "out", mask=good)
    assert np.array_equal(np.asarray(found.image.data) != 0, mask != 0)
    assert found.run["mask"] == "m.nii.gz"
    for name, values, affine, words in (
        ("empty", 0 * mask, scan.affine, "is 0 everywhere"),
        ("other", mask[1:], scan.affine, "has shape"),
        ("moved", mask, scan.affine + np.eye(4), "mm away from the image"),
    ):
        path = written(f"{name}.nii.gz", values, affine)
        with pytest.raises(InputError, match=words):
            filtered(tmp_path / "a_pet.nii.gz", tmp_path / name, mask=path)


def test_curves_are_no_image(tmp_path: Path) -> None:
    (tmp_path / "x_tacs.tsv").write_text("frame_start\tframe_end\tliver\n0\t60\t1.0\n")
    (tmp_path / "x_tacs.json").write_text(
        '{"Units": "Bq/mL", "ImageDecayCorrected": false, "TracerRadionuclide": "F18"}'
    )
    with pytest.raises(InputError, match="expected an image"):
        filtered(tmp_path / "x_tacs.tsv", tmp_path / "out")
