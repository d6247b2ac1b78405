"""What the network leaves alone keeps every bit, through any grid, direction, unit and tiling."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.denoising.cases import image, noisy, take_nothing, tiny_bundle

from betaplus.core.tracer import Tracer
from betaplus.denoising import denoise
from betaplus.denoising.bundle import load_denoiser
from betaplus.denoising.mmse import Mmse, MmseSettings
from betaplus.denoising.volume import Volume

BQ = {
    "InjectedRadioactivity": 311e6,
    "InjectedRadioactivityUnits": "Bq",
    "InjectionStart": 0,
    "BodyWeight": 71.3,
    "TracerName": "FDG",
}
GRIDS = [
    ((31, 29, 37), (1.65, 1.65, 1.65)),
    ((23, 40, 17), (4.07, 4.07, 2.03)),
    ((8, 51, 33), (3.0, 2.9999, 3.0001)),
    ((45, 27, 19), (1.3, 2.6, 5.1)),
    ((26, 25, 9), (7.9, 7.9, 7.9)),
]
TILES = [(96, 24), (16, 8), (24, 12), (8, 0)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundles"))


def oblique(affine: np.ndarray, seed: int) -> np.ndarray:
    """Return an affine turned about three axes, one of them flipped."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    out = affine.copy()
    out[:3, :3] = turn @ np.diag([-1, 1, 1]) @ affine[:3, :3]
    return out


@pytest.mark.parametrize("unit", ["SUV", "Bq/mL"])
@pytest.mark.parametrize("seed", range(len(GRIDS)))
def test_nothing_corrected_is_nothing_changed(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, seed: int, unit: str
) -> None:
    take_nothing(monkeypatch)
    (shape, voxel), (tile, overlap) = GRIDS[seed], TILES[seed % len(TILES)]
    frames = [noisy(10 * seed + t, shape) for t in range(3)]
    data = frames[0] if seed % 2 else np.stack([frames[0], 0 * frames[1], frames[2]], axis=-1)
    data = data * np.float32(1.0 if unit == "SUV" else 4321.7)
    fields = {} if unit == "SUV" else {"metadata": BQ, "tracer": Tracer.of("F18")}
    scan = image(data, voxel, unit=unit, decay_corrected_to=0.0, **fields)
    scan = replace(scan, affine=oblique(scan.affine, seed))
    assert scan.voxel_size == pytest.approx(voxel)
    found = denoise(
        scan, bundle=bundle, settings={"high_band": 0.0, "tile": tile, "overlap": overlap}
    )
    assert found.noise[0] is not None  # it went through the network
    kept = np.asarray(found.image.data)
    assert kept.dtype == np.float32
    assert np.array_equal(kept.view(np.uint32), np.ascontiguousarray(data).view(np.uint32))


@pytest.mark.parametrize(("shape", "voxel"), GRIDS)
def test_what_tiles_leave_alone_is_fused_to_itself(
    bundle: Path, shape: tuple[int, int, int], voxel: tuple[float, float, float]
) -> None:
    denoiser = load_denoiser(explicit=bundle)
    volume = Volume(data=noisy(1, shape), voxel=voxel, grid_voxel=3.0, high_band=0.0)
    z = torch.randn(volume.coarse.shape, generator=torch.Generator().manual_seed(0))
    whole = volume.corrected(z)
    scale = float(np.abs(whole).max())
    for tile, overlap in TILES:
        method = Mmse(MmseSettings(tile=tile, overlap=overlap, high_band=0.0, kept=0.0), denoiser)
        plan = method._plan(volume)
        pieces = [plan.cut(z, i).numpy() for i in range(len(plan))]
        found = method.combine(volume, pieces).mean
        assert np.abs(found - whole).max() <= 1e-6 * scale
    assert np.abs(whole - volume.data).max() > 0.01 * scale  # there was something to fuse
