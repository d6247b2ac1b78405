"""Maps are kept for their voxels, and what memory does not hold is refused before it is read."""

from __future__ import annotations

import importlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from tests.cli.study import Study, make_blood, write_study

from betaplus.cli.main import main
from betaplus.core.errors import UsageError
from betaplus.core.image import PetImage
from betaplus.core.in_mask import InMask
from betaplus.io.open import load
from betaplus.kinetics import fit
from betaplus.pipeline.kinetics import survey
from betaplus.pipeline.kinetics.survey import survey_image

SHAPE = (40, 50, 60)
VOXELS = 24
SETTINGS = {"coarse": 64, "pilot": 64, "fine": 64, "largest": 64, "least_ess": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("wide"), SHAPE, VOXELS)


@pytest.fixture(scope="module")
def image(folder: Path) -> PetImage:
    found = load(folder / "sub-01_pet.nii.gz")
    assert isinstance(found, PetImage)
    return found


def small_mask() -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask.reshape(-1)[:VOXELS] = True
    return mask


def test_maps_in_a_mask_are_the_volumes_to_the_last_bit(image: PetImage) -> None:
    dense, kept = (
        fit(image, make_blood(), mask=small_mask(), delay=0.0, samples=2, settings=SETTINGS,
            glucose=5.0, lumped_constant=0.8, volumes=volumes)
        for volumes in (True, False)
    )  # fmt: skip
    assert dense.remarks == kept.remarks and "CMRglc" in kept.parameters
    for name, a in dense.parameters.items():
        b = kept.parameters[name]
        pairs = [(a.mean, b.mean), (a.std, b.std), (a.samples, b.samples)]
        pairs += [(a.quantiles[q], b.quantiles[q]) for q in a.quantiles]
        for volume, values in pairs:
            assert isinstance(values, InMask) and len(values.values) == VOXELS
            assert np.asarray(values).dtype == volume.dtype
            np.testing.assert_array_equal(np.asarray(values), volume)
    for name, volume in dense.diagnostics.items():
        np.testing.assert_array_equal(np.asarray(kept.diagnostics[name]), volume)


def test_an_image_whose_dense_maps_are_over_the_limit_is_analysed(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="too small"):
        fit(load(folder / "sub-01_pet.nii.gz"), make_blood(), mask=small_mask(), delay=0.0,
            max_memory=680 << 20)  # fmt: skip
    study = Study(folder)
    study.out = tmp_path / "out"
    with pytest.raises(SystemExit) as stop:
        main([str(item) for item in study.arguments("--max-memory", "680M", "--workers", "1")])
    assert stop.value.code == 0
    path = next(study.out.rglob("*meas-K1_stat-mean_mimap.nii.gz"))
    written = np.asarray(nibabel.load(path).dataobj)
    np.testing.assert_array_equal(written != 0, small_mask())


def test_a_grid_that_is_too_large_is_refused_before_the_image_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study").mkdir()
    study = Study(write_study(tmp_path / "study", SHAPE, VOXELS))
    whole = study.pet.read_bytes()
    study.pet.write_bytes(whole[: len(whole) // 2])  # who reads it says that it is cut off
    cut_off, more = "sub-01_pet.nii.gz", ("--compare-models",)
    for limit, said, options in (
        ("650M", "too small", ()),
        ("680M", cut_off, ()),
        ("680M", "too small", more),
        ("4G", cut_off, more),
    ):
        with pytest.raises(SystemExit) as stop:
            main([str(item) for item in study.arguments("--max-memory", limit, *options)])
        assert stop.value.code == 2 and not study.out.exists()
        assert said in capsys.readouterr().err


def test_voxels_are_counted_after_one_pass(
    image: PetImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    plain = survey.iterate_slabs
    monkeypatch.setattr(survey, "iterate_slabs", lambda data: passes.append(1) or plain(data))
    found = []

    def refuse(voxels: int) -> None:
        found.append((voxels, len(passes)))
        raise UsageError("too many")

    with pytest.raises(UsageError, match="too many"):
        survey_image(image, None, None, refuse)
    assert found == [(VOXELS, 1)] and len(passes) == 1


def test_a_mask_that_is_too_large_is_refused_before_curves_are_read(
    monkeypatch: pytest.MonkeyPatch, image: PetImage
) -> None:
    def unread(*given: object) -> None:
        raise AssertionError("the curves were read")

    monkeypatch.setattr(importlib.import_module("betaplus.kinetics.fit"), "read_curves", unread)
    mask = np.ones(SHAPE, dtype=bool)
    with pytest.raises(UsageError, match="too small"):
        fit(image, make_blood(), mask=mask, max_memory=680 << 20, volumes=False)
    with pytest.raises(AssertionError, match="were read"):
        fit(image, make_blood(), mask=small_mask(), max_memory=680 << 20, volumes=False)
