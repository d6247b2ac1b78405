"""The networks that ship, by draws of a phantom whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from betaplus.core.image import PetImage
from betaplus.denoising import denoise

SHAPE, VOXEL, SEED = (48, 48, 48), 3.0, 11
LEVEL = 0.35  # SD of the noise where the uptake is 1 SUV


@pytest.fixture(scope="module")
def phantom() -> tuple[np.ndarray, PetImage]:
    """A cylinder of 1 SUV with a liver and spheres, and an image of it with correlated noise."""
    x, y, z = np.indices(SHAPE) - 23.5
    clean = np.where(np.hypot(x, y) < 21, 1.0, 0.0)
    clean[np.sqrt((x + 7) ** 2 + y**2 + z**2) < 9] = 2.5
    for place, radius, uptake in (((9, 6, 4), 4.0, 6.0), ((8, -8, -6), 3.0, 5.0)):
        clean[
            np.sqrt(sum((c - p) ** 2 for c, p in zip((x, y, z), place, strict=True))) < radius
        ] = uptake
    clean = gaussian_filter(clean, 0.8)
    white = gaussian_filter(np.random.default_rng(SEED).standard_normal(SHAPE), 0.55)
    noise = LEVEL * gaussian_filter(clean, 2.0) ** 0.7 * white / white.std()
    scan = PetImage(
        data=np.maximum(clean + noise, 0.0).astype(np.float32),
        affine=np.diag([VOXEL] * 3 + [1.0]),
        unit="SUV",
        metadata={"SUVType": "SUVbw", "TracerName": "FDG"},
    )
    return clean, scan


@pytest.mark.slow
@pytest.mark.parametrize("method", ["consistency", "ddim"])
def test_draws_hold_the_truth(phantom: tuple[np.ndarray, PetImage], method: str) -> None:
    clean, scan = phantom
    body = clean > 0.5
    found = denoise(scan, method=method, samples=6, seed=1)
    mean = denoise(scan)
    assert found.std is not None

    def error(image: np.ndarray) -> float:
        return float(np.sqrt(np.mean((image - clean)[body] ** 2)))

    noisy, drawn, best = (
        error(np.asarray(x)) for x in (scan.data, found.image.data, mean.image.data)
    )
    assert best < 0.5 * noisy and drawn < 1.1 * best
    # Truth and draws of one distribution: error of the mean of K draws over its expected value.
    spread = float(np.sqrt(np.mean(np.asarray(found.std.data)[body] ** 2) * (1 + 1 / 6)))
    assert 0.5 < drawn / spread < 2.0
