"""A scan made ready: maps, misfit, weights, SUV and units, against dense least squares."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.io.images import load_image
from betaplus.io.suv import suv_conversion, to_suv
from betaplus.io.zarr_images import load_zarr_image, write_zarr_image
from betaplus.patlak.study import make_study
from betaplus.patlak.study_start import StartRule

from .scans import FRAMES, HALF_LIFE, SHAPE, basis, blood, maps, scan

DOSE = {"InjectedRadioactivity": 200, "InjectedRadioactivityUnits": "MBq", "BodyWeight": 80}


def found(study):
    return (study.problem.least_squares() * study.problem.scale.reshape(2, 1, 1, 1)).numpy()


def test_without_noise_the_maps_come_back():
    study = make_study(scan(), blood(), t_star=1200.0)
    np.testing.assert_allclose(found(study), maps(), rtol=1e-4)
    expected = basis(FRAMES.start, FRAMES.duration)[FRAMES.start >= 1200]
    assert study.t_star == 1320.0 and len(study.used) == 8
    assert study.rule == (
        "t* = 1320 s: the first frame that starts at or after the 1200 s given (8 frames)"
    )
    np.testing.assert_allclose(study.a, expected[-8:, :1] * np.ones(SHAPE[2]), rtol=1e-5)
    np.testing.assert_allclose(study.b, expected[-8:, 1:] * np.ones(SHAPE[2]), rtol=1e-5)
    assert (study.problem.freedom == 6).all()


def test_parts_add_up_to_the_last_frame():
    image = scan()
    study = make_study(image, blood(), t_star=1200.0)
    u = study.problem.least_squares()
    np.testing.assert_allclose(u.sum(0), image.data[..., -1] / study.suv, rtol=1e-5)


def test_statistics_are_those_of_dense_least_squares():
    """Weights written out; the misfit, and what is left of each frame from a second pass."""
    image = scan(noise=0.01, metadata=DOSE | {"InjectionStart": 0})
    study = make_study(image, blood(), t_star=1200.0)
    late = FRAMES.start >= 1200
    rows = basis(FRAMES.start, FRAMES.duration)[late]
    decay = FRAMES.decay_factors(HALF_LIFE)[late]
    y = image.data[..., late].astype(float)
    weight = FRAMES.duration[late] / decay / y.mean((0, 1, 2))
    weight /= weight.mean()
    np.testing.assert_allclose(study.weights, weight[:, None] * np.ones(SHAPE[2]), rtol=1e-6)
    c = 200e6 / 80e3  # 1 SUV
    assert study.suv == pytest.approx(c) and study.suv_from == "dose, weight and times"
    root = np.sqrt(weight)
    design, data = rows / rows[-1] * root[:, None], y.reshape(-1, 8).T / c * root[:, None]
    values, left = np.linalg.lstsq(design, data, rcond=None)[:2]
    np.testing.assert_allclose(study.problem.misfit.ravel(), left, rtol=2e-4)
    u = study.problem.least_squares()
    np.testing.assert_allclose(u.reshape(2, -1), values, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found(study).reshape(2, -1), values * c / rows[-1][:, None], 1e-3)
    residual = study.residual(torch.from_numpy(values.reshape(2, *SHAPE)))
    np.testing.assert_allclose(residual, np.sqrt(((data - design @ values) ** 2).mean(1)), 1e-4)
    assert (residual**2).sum() == pytest.approx(float(study.problem.misfit.mean()), rel=1e-3)
    alike = make_study(image, blood(), t_star=1200.0, weighted=False)
    np.testing.assert_array_equal(alike.weights, 1.0)
    expected = np.linalg.lstsq(rows, y.reshape(-1, 8).T, rcond=None)[0]
    np.testing.assert_allclose(found(alike).reshape(2, -1), expected, rtol=2e-3)


def test_t_star_by_the_rule():
    """A mean curve above the line before 22 min; and one that never is a line."""
    rise = np.where(FRAMES.start < 1300, 1.4, 1.0)
    image = scan()
    bent = dataclasses.replace(image, data=(image.data * rise).astype(np.float32))
    study = make_study(bent, blood())
    assert study.t_star == 1320.0
    assert "from which no frame of the mean curve of the mask is off Patlak's line by more" in (
        study.rule
    )
    wild = image.data * np.where(np.arange(len(FRAMES)) % 2, 1.5, 0.8)
    study = make_study(dataclasses.replace(image, data=wild.astype(np.float32)), blood())
    assert len(study.used) == 5 and "the last 5 frames, the fewest" in study.rule
    assert any("Patlak's model may not hold" in remark for remark in study.remarks)
    least = make_study(bent, blood(), start_rule=StartRule(least_frames=10))
    assert len(least.used) == 10
    # by the mask: where only straight voxels are wanted, the line begins with the peak
    mask = np.zeros(SHAPE, bool)
    mask[0] = True
    part = np.where(mask[..., None], image.data, bent.data)
    study = make_study(dataclasses.replace(bent, data=part), blood(), mask=mask)
    assert study.t_star < 300 and study.problem.mask.sum() == mask.sum()


def test_mask_by_default_and_voxels_outside():
    image = scan()
    data = image.data.copy()
    data[2] = 0.0
    study = make_study(dataclasses.replace(image, data=data), blood(), t_star=1200.0)
    assert not study.problem.mask[2].any() and study.problem.mask.sum() == 5 * 5 * 8
    data[0, 0, 0] = np.nan
    broken = dataclasses.replace(image, data=data)
    with pytest.raises(InputError, match=r"nan at voxel \(0, 0, 0\) in frame 1"):
        make_study(broken, blood())
    kept = make_study(broken, blood(), mask=data[..., -1] > 0, t_star=1200.0)
    assert (kept.problem.h[:, 0, 0, 0] == 0).all() and torch.isfinite(kept.problem.misfit).all()
    with pytest.raises(InputError, match="no voxel"):
        make_study(image, blood(), mask=np.zeros(SHAPE))
    with pytest.raises(UsageError, match="mask of shape"):
        make_study(image, blood(), mask=np.ones((2, 2, 2)))


def test_files_give_the_same_bits(tmp_path):
    """NIfTI frame by frame, zarr by layers, an array in memory, and the same in SUV."""
    import json

    import nibabel

    image = scan(noise=0.05)
    fields = DOSE | {
        "Units": "Bq/mL",
        "TracerRadionuclide": "F18",
        "FrameTimesStart": FRAMES.start.tolist(),
        "FrameDuration": FRAMES.duration.tolist(),
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
        "InjectionStart": 0,
        "TimeZero": "10:00:00",
    }
    nibabel.save(nibabel.Nifti1Image(image.data, image.affine), tmp_path / "a_pet.nii.gz")
    (tmp_path / "a_pet.json").write_text(json.dumps(fields))
    nifti = load_image(tmp_path / "a_pet.nii.gz")
    write_zarr_image(tmp_path / "a_pet.zarr", nifti)
    stores = [nifti, load_zarr_image(tmp_path / "a_pet.zarr")]
    one = make_study(dataclasses.replace(image, metadata=fields), blood(), t_star=1200.0)
    u = one.problem.least_squares()
    for other in stores:
        study = make_study(other, blood(), t_star=1200.0)
        assert torch.equal(study.problem.h, one.problem.h)
        assert torch.equal(study.problem.misfit, one.problem.misfit)
        np.testing.assert_allclose(study.residual(u), one.residual(u), rtol=1e-12)
    samples = blood()
    in_suv = dataclasses.replace(samples, plasma=samples.plasma / 2500.0, unit="SUV")
    for other in stores:
        suv = to_suv(other, suv_conversion(other))
        study = make_study(suv, in_suv, t_star=1200.0)
        assert study.unit == "SUV" and study.suv == 1.0
        np.testing.assert_allclose(study.problem.h, one.problem.h, rtol=1e-6)
        np.testing.assert_allclose(study.problem.scale, one.problem.scale, rtol=1e-9)


def test_units_and_time_of_decay_correction():
    """kBq/mL, corrected to 10 min after TimeZero: the same Ki and V0."""
    image = scan()
    later = image.data / 1e3 * np.exp(-np.log(2) * 600 / HALF_LIFE)
    other = dataclasses.replace(
        image, data=later.astype(np.float32), unit="kBq/mL", decay_corrected_to=600.0
    )
    study = make_study(other, blood(), t_star=1200.0)
    np.testing.assert_allclose(found(study), maps(), rtol=1e-4)
    with_dose = dataclasses.replace(other, metadata=DOSE | {"InjectionStart": 0})
    assert make_study(with_dose, blood(), t_star=1200.0).suv == pytest.approx(2500.0)


def test_delay():
    samples = blood()
    early = dataclasses.replace(samples, time=samples.time - 20.0, injection=-20.0)
    study = make_study(scan(), early, t_star=1200.0, delay=20.0)
    np.testing.assert_allclose(found(study), maps(), rtol=1e-4)
    with pytest.raises(UsageError, match="delay 700 s"):
        make_study(scan(), blood(), delay=700.0)


def test_suv_without_a_dose():
    """The mean of the body in the last frame is the level; Ki does not depend on it."""
    image = scan()
    study = make_study(image, blood(), t_star=1200.0)
    assert study.suv == pytest.approx(float(image.data[..., -1].mean()), rel=1e-5)
    assert study.suv_from == "level"
    (remark,) = (r for r in study.remarks if "1 SUV is taken" in r)
    assert "InjectedRadioactivity, BodyWeight, InjectionStart missing" in remark
    brain = make_study(image, blood(), t_star=1200.0, level=5.0)
    assert brain.suv == pytest.approx(study.suv / 5)
    np.testing.assert_allclose(found(brain), found(study), rtol=1e-4)
    with pytest.raises(UsageError, match="level 0 SUV"):
        make_study(image, blood(), level=0.0)
    with pytest.raises(InputError, match="BodyWeight is missing"):
        make_study(image, blood(), dose=2e8)
    both = dataclasses.replace(image, metadata={"InjectionStart": 0})
    assert make_study(both, blood(), dose=2e8, weight=80.0).suv == pytest.approx(2500)


def test_frames_with_gaps():
    frames = FrameTiming(np.array([1300.0, 1800, 2500, 3000]), np.array([120.0, 300, 60, 600]))
    study = make_study(scan(frames=frames), blood(), t_star=0.0)
    np.testing.assert_allclose(found(study), maps(), rtol=1e-4)
    chosen = make_study(scan(frames=frames), blood())
    assert len(chosen.used) == 4 and "the last 4 frames, the fewest" in chosen.rule
