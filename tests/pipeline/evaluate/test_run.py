"""The numbers in the tables, against arithmetic on the arrays that were written."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from betaplus.evaluation.images import ssim
from betaplus.io.tsv import column_numbers, read_table
from betaplus.pipeline.evaluate import EvaluateRequest, run_evaluate

SHAPE = (10, 9, 8)
AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


def save(path: Path, values: np.ndarray, unit: str | None = "Bq/mL", **fields: object) -> Path:
    image = nibabel.Nifti1Image(values, AFFINE)
    image.set_sform(AFFINE, 1)
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)
    if unit:
        beside = path.with_name(path.name.removesuffix(".nii.gz") + ".json")
        beside.write_text(json.dumps({"Units": unit, **fields}))
    return path


def numbers(path: Path) -> dict[str, np.ndarray]:
    """The columns of a table that hold numbers."""
    table = read_table(path)
    return {
        k: column_numbers(v, k, path.name) for k, v in table.items() if k not in ("image", "region")
    }


@pytest.fixture
def dynamic() -> tuple[np.ndarray, np.ndarray]:
    """Reference and image of three frames, the first of them empty."""
    rng = np.random.default_rng(0)
    reference = rng.random((*SHAPE, 3)).astype(np.float32) * np.float32([0, 1, 5])
    reference[:2] = 0
    image = reference + 0.1 * rng.standard_normal(reference.shape).astype(np.float32)
    return reference, image


def test_frames_are_measured_one_by_one(dynamic, tmp_path: Path) -> None:
    reference, image = dynamic
    request = EvaluateRequest(
        reference=save(tmp_path / "truth_pet.nii.gz", reference),
        images=(save(tmp_path / "a.nii.gz", image), save(tmp_path / "b.nii.gz", 2 * reference)),
        out=tmp_path / "out",
    )
    result = run_evaluate(request)
    assert any("0 in the mask in frames 1" in text for text in result.remarks)
    table = read_table(tmp_path / "out" / "evaluation.tsv")
    assert table["image"] == ["a.nii.gz"] * 3 + ["b.nii.gz"] * 3
    found = numbers(tmp_path / "out" / "evaluation.tsv")
    np.testing.assert_array_equal(found["frame"], (1, 2, 3) * 2)
    assert found["voxels"][0] == 0 and np.isnan(found["NRMSE"][[0, 3]]).all()
    for t in (1, 2):
        r, x = (v[..., t].astype(np.float64) for v in (reference, image))
        mask = r > 0
        rmse = np.sqrt(np.mean((x - r)[mask] ** 2))
        assert found["voxels"][t] == mask.sum() and found["peak"][t] == r.max()
        nrmse = 100 * np.linalg.norm((x - r)[mask]) / np.linalg.norm(r[mask])
        assert found["NRMSE"][t] == pytest.approx(nrmse)
        assert found["PSNR"][t] == pytest.approx(20 * np.log10(r.max() / rmse))
        assert found["SSIM"][t] == pytest.approx(ssim(x, r, mask), rel=1e-6)
        assert found["bias"][t] == pytest.approx(100 * (x[mask].mean() / r[mask].mean() - 1))
    np.testing.assert_allclose(found["NRMSE"][4:], 100.0)
    np.testing.assert_allclose(found["bias"][4:], 100.0)


def test_other_frame_times_are_refused(dynamic, tmp_path: Path) -> None:
    from betaplus.core.errors import InputError

    reference, image = dynamic
    request = EvaluateRequest(
        reference=save(tmp_path / "truth.nii.gz", reference, FrameTimesStart=[0, 10, 20]),
        images=(save(tmp_path / "a.nii.gz", image, FrameTimesStart=[0, 10, 30]),),
        out=tmp_path / "out",
    )
    with pytest.raises(InputError, match="FrameTimesStart"):
        run_evaluate(request)


def test_regions_and_their_contrast(tmp_path: Path) -> None:
    labels = np.zeros(SHAPE, dtype=np.int16)
    labels[:3], labels[3:5], labels[5:7], labels[7:9] = 7, 2, 3, 4
    reference = np.choose(np.searchsorted([0, 2, 3, 4, 7], labels), [5, 10, 10, 10, 40])
    image = np.choose(np.searchsorted([0, 2, 3, 4, 7], labels), [5, 9, 10, 11, 25])
    request = EvaluateRequest(
        reference=save(tmp_path / "truth.nii.gz", reference.astype(np.float32)),
        images=(save(tmp_path / "a.nii.gz", image.astype(np.float32)),),
        out=tmp_path / "out",
        regions=save(tmp_path / "labels.nii.gz", labels, unit=None),
        background=("2", "label 3", "4"),
    )
    run_evaluate(request)
    found = numbers(tmp_path / "out" / "evaluation_regions.tsv")
    np.testing.assert_array_equal(found["label"], (2, 3, 4, 7))
    np.testing.assert_allclose(found["bias"], (-10, 0, 10, -37.5))
    np.testing.assert_allclose(found["reference"], (10, 10, 10, 40))
    # The background is 10 in both: (25 / 10 - 1) / (40 / 10 - 1)
    np.testing.assert_allclose(found["CRC"], (np.nan, np.nan, np.nan, 50.0))
    overall = numbers(tmp_path / "out" / "evaluation.tsv")
    assert overall["background-variability"][0] == pytest.approx(10.0)


def test_realisations_by_region_and_sd_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    labels = np.ones(SHAPE, dtype=np.uint8)
    labels[5:] = 2
    reference = np.full(SHAPE, 50.0, dtype=np.float32)
    stack = (reference + 5 * rng.standard_normal((6, *SHAPE)) + (labels == 2)).astype(np.float32)
    request = EvaluateRequest(
        reference=save(tmp_path / "truth.nii.gz", reference),
        images=tuple(save(tmp_path / f"r{k}.nii.gz", v) for k, v in enumerate(stack)),
        std=tuple(save(tmp_path / f"s{k}.nii.gz", np.full_like(v, 5)) for k, v in enumerate(stack)),
        out=tmp_path / "out",
        regions=save(tmp_path / "labels.nii.gz", labels, unit=None),
        realisations=True,
    )
    run_evaluate(request)
    found = numbers(tmp_path / "out" / "evaluation_realisations.tsv")
    assert read_table(tmp_path / "out" / "evaluation_realisations.tsv")["region"][0] == "whole mask"
    values = stack.astype(np.float64)
    for i, part in enumerate((labels > 0, labels == 1, labels == 2)):
        m, s2 = values.mean(0)[part], values.var(0, ddof=1)[part]
        squared = np.sum((m - 50) ** 2 - s2 / 6) / np.sum(50.0**2 * part)
        assert found["bias"][i] == pytest.approx(100 * np.sqrt(max(squared, 0)), abs=1e-6)
        assert found["sd"][i] == pytest.approx(100 * np.sqrt(s2.mean()) / 50)
    overall = numbers(tmp_path / "out" / "evaluation.tsv")
    inside = np.abs(values[2] - 50) <= 1.959964 * 5
    assert overall["coverage-95"][2] == pytest.approx(100 * inside.mean())
    assert overall["z-mean"][2] == pytest.approx((values[2] - 50).mean() / 5, rel=1e-5)


def test_what_is_no_number_outside_the_mask_is_a_remark(tmp_path: Path) -> None:
    reference = np.ones(SHAPE, dtype=np.float32)
    reference[0] = 0
    image = reference.copy()
    image[0, :2] = np.nan
    request = EvaluateRequest(
        reference=save(tmp_path / "truth.nii.gz", reference, unit=None),
        images=(save(tmp_path / "a.nii.gz", image),),
        out=tmp_path / "out",
    )
    result = run_evaluate(request)
    text = "\n".join(result.remarks)
    assert "16 voxels of a.nii.gz outside the mask" in text
    assert "no Units beside truth.nii.gz" in text
    assert "a.nii.gz equals the reference" in text  # PSNR is infinite, which a table cannot hold
    assert read_table(tmp_path / "out" / "evaluation.tsv")["PSNR"] == ["n/a"]
    assert any("16 voxels" in check for check in result.run["checks"])
