"""`mmse` through any grid, tiling and number of workers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.denoising.cases import SHAPE, image, noisy, take_nothing, tiny_bundle

from betaplus.core.errors import InputError, UsageError
from betaplus.core.tracer import Tracer
from betaplus.denoising import denoise
from betaplus.denoising.bundle import load_denoiser
from betaplus.denoising.mmse import Mmse, MmseSettings
from betaplus.denoising.volume import Volume

TILES = {"tile": 16, "overlap": 8}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundles"))


@pytest.mark.parametrize(
    "voxel", [(3.0, 3.0, 3.0), (1.65, 1.65, 1.65), (2.1, 2.7, 4.3), (5.0, 4.0, 3.5)]
)
@pytest.mark.parametrize("unit", ["SUV", "kBq/mL"])
def test_a_network_that_takes_nothing_leaves_every_bit(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, voxel: tuple[float, ...], unit: str
) -> None:
    take_nothing(monkeypatch)
    data = noisy() * np.float32(1.0 if unit == "SUV" else 3.7)
    fields = {"InjectedRadioactivity": 311e6, "InjectedRadioactivityUnits": "Bq",
              "InjectionStart": 0, "BodyWeight": 71.3, "SUVType": "SUVbw"}  # fmt: skip
    scan = image(
        data, voxel, unit=unit, metadata=fields, decay_corrected_to=0.0,
        tracer=Tracer.of("F18"),
    )  # fmt: skip
    found = denoise(scan, bundle=bundle, settings={"high_band": 0.0, **TILES})
    assert np.array_equal(found.image.data, data)
    assert found.image.unit == unit and found.std is None


def test_what_the_grid_cannot_hold_is_part_of_the_correction(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_nothing(monkeypatch)
    fine = image(noisy(), (1.5, 1.5, 1.5))
    changed = denoise(fine, bundle=bundle).image.data - fine.data
    assert changed.std() > 0.02  # noise that voxels of 3 mm do not hold
    one = image(noisy(), (3.0, 3.0, 3.0))
    assert np.array_equal(denoise(one, bundle=bundle).image.data, one.data)


def test_the_order_of_tiles_does_not_matter(bundle: Path) -> None:
    volume = Volume(data=noisy(), voxel=(2.4, 2.4, 3.0), grid_voxel=3.0)
    method = Mmse(MmseSettings(**TILES), load_denoiser(explicit=bundle))
    count = method.pieces(volume)
    assert count > 8
    torch.set_num_threads(1)
    backwards = [method.compute(volume, i) for i in reversed(range(count))]
    again = Volume(data=noisy(), voxel=(2.4, 2.4, 3.0), grid_voxel=3.0)
    forwards = [method.compute(again, i) for i in range(count)]
    one = method.combine(volume, backwards[::-1]).mean
    other = method.combine(again, forwards).mean
    assert np.array_equal(one, other) and not np.array_equal(one, volume.data)


@pytest.mark.parametrize("bf16", [False, True])
def test_workers_do_not_matter(bundle: Path, bf16: bool) -> None:
    found = [
        denoise(image(), bundle=bundle, settings=TILES, engine=engine, workers=n, bf16=bf16)
        for engine, n in (("inline", 1), ("threads", 1), ("threads", 3))
    ]
    for other in found[1:]:
        assert np.array_equal(found[0].image.data, other.image.data)


def test_threads_of_torch_do_not_matter(bundle: Path) -> None:
    found = []
    before = torch.get_num_threads()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found.append(denoise(image(), bundle=bundle, settings=TILES).image.data)
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert np.array_equal(*found)


def test_frames_are_denoised_one_by_one(bundle: Path) -> None:
    flat = np.full(SHAPE, 0.5, np.float32)
    frames = np.stack([noisy(1), 0 * flat, noisy(2), flat], axis=-1)
    found = denoise(image(frames), bundle=bundle)
    assert found.image.frames is not None and len(found.image.frames) == 4
    for t in (0, 2):
        alone = denoise(image(frames[..., t]), bundle=bundle)
        assert np.array_equal(found.image.data[..., t], alone.image.data)
    assert not found.image.data[..., 1].any() and found.noise[1] is None
    assert np.array_equal(found.image.data[..., 3], flat)
    assert "frame 2 is 0 everywhere: left as it is" in found.remarks
    assert "frame 4 has no noise that can be measured: left as it is" in found.remarks


def test_units_do_not_matter_beyond_rounding(bundle: Path) -> None:
    fields = {"InjectedRadioactivity": 300, "InjectedRadioactivityUnits": "MBq",
              "InjectionStart": 0}  # fmt: skip
    factor = 75e3 / 300e6
    scan = image(
        noisy() / np.float32(factor), unit="Bq/mL", metadata=fields, decay_corrected_to=0.0,
        tracer=Tracer.of("F18"),
    )  # fmt: skip
    found = denoise(scan, bundle=bundle, weight=75.0)
    suv = denoise(image(), bundle=bundle).image.data
    assert found.settings["suv"]["SUVType"] == "SUVbw"
    assert np.allclose(found.image.data * factor, suv, atol=1e-4)
    with pytest.raises(InputError, match="BodyWeight is missing"):
        denoise(scan, bundle=bundle)


def test_outside_the_mask_is_nothing(bundle: Path) -> None:
    mask = np.zeros(SHAPE, bool)
    mask[8:30, 8:30, 5:40] = True
    found = denoise(image(), bundle=bundle, mask=mask).image.data
    assert np.array_equal(found[mask], denoise(image(), bundle=bundle).image.data[mask])
    assert not found[~mask].any()


def test_what_the_network_was_not_trained_on_is_said(bundle: Path) -> None:
    def said(**fields: object) -> str:
        return " | ".join(denoise(image(**fields), bundle=bundle).remarks)

    assert "tracer" not in said(metadata={"SUVType": "SUVbw", "TracerName": "[18F]FDG"}).lower()
    assert "tracer is DOTATATE" in said(metadata={"SUVType": "SUVbw", "TracerName": "DOTATATE"})
    assert "TracerName is missing" in said(metadata={"SUVType": "SUVbw"})
    assert "coarser than the 4.5 mm" in said(voxel=(4.6, 4.6, 4.6))
    assert "post-filter [mm] is 12" in said(
        metadata={"SUVType": "SUVbw", "TracerName": "FDG", "ReconFilterSize": 12}
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "magic"}, "method 'magic' is unknown"),
        ({"samples": 4}, "draws none"),
        ({"dose_fraction": 0.0}, "above 0 and at most 1"),
        ({"dose_fraction": 1.5}, "above 0 and at most 1"),
        ({"settings": {"tiles": 3}}, "setting 'tiles' is unknown"),
        ({"settings": {"tile": 30, "overlap": 28}}, "tiles of 30 voxels"),
        ({"settings": {"high_band": 2}}, "expected 0 to 1"),
        ({"engine": "mpi"}, "there are threads, inline"),
        ({"workers": 0}, "expected 1 or more"),
        ({"device": "tpu"}, "expected auto, cpu"),
        ({"max_memory": 1 << 20}, "is too small"),
        ({"method": "gaussian", "dose_fraction": 0.1}, "has no network"),
        ({"method": "gaussian", "settings": {"fwhm": "wide"}}, "expected a number"),
    ],
)
def test_options_that_do_not_fit(bundle: Path, options: dict, words: str) -> None:
    weights = {} if options.get("method") == "gaussian" else {"bundle": bundle}
    with pytest.raises(UsageError, match=words.replace("(", r"\(")):
        denoise(image(), **weights, **options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: np.where(x > 5, np.nan, x), "are NaN or infinite"),
        (lambda x: np.where(x > 5, np.inf, x), "are NaN or infinite"),
        (lambda x: x - 0.5, "voxels below 0"),
        (lambda x: 0 * x, "is 0 everywhere"),
        (lambda x: x[:, :, :1], "three axes of at least 8"),
        (lambda x: np.ones_like(x), "no noise can be measured"),
    ],
)
def test_images_that_cannot_be_denoised(bundle: Path, change: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        denoise(image(change(noisy()).astype(np.float32)), bundle=bundle)  # type: ignore[operator]


def test_voxels_that_no_grid_stands_for(bundle: Path) -> None:
    for voxel in ((2.0, 2.0, 10.0), (1.0, 1.0, 6.0)):
        with pytest.raises(InputError, match="the denoiser needs edges"):
            denoise(image(voxel=voxel), bundle=bundle)
    assert denoise(image(voxel=(2.0, 2.0, 10.0)), method="gaussian").image.shape == SHAPE
