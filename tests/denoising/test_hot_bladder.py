"""An SUV of 60 in a bladder stays what it is, with the network that ships."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import zoom

from betaplus.core.image import PetImage
from betaplus.denoising import denoise
from betaplus.pipeline.training.corpus import FIRST_TEST
from betaplus.simulation.static import draw_static, make_anatomy
from betaplus.simulation.surrogate.styles import QUADRA
from betaplus.simulation.surrogate.surrogate import Surrogate

UPTAKE = 60.0
VOLUME = 200e3  # mm3
RADIUS = (3 * VOLUME / (4 * np.pi)) ** (1 / 3)
VOXEL = 3.0
AROUND = 130.0  # mm of the body above and below


@pytest.fixture(scope="module")
def pelvis() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Activity, attenuation and place of the bladder in a pelvis that no training saw, 3 mm."""
    phantom = make_anatomy("body", FIRST_TEST, voxel=VOXEL)
    scan = draw_static(phantom, "FDG", FIRST_TEST)
    bladder = next(label for label, name in phantom.names.items() if name == "Bladder")
    centre = np.argwhere(phantom.labels == bladder).mean(0)
    low = max(round(centre[2] - AROUND / VOXEL), 0)
    part = (..., slice(low, round(centre[2] + AROUND / VOXEL)))
    return scan.activity[part], scan.mu[part], centre - (0, 0, low)


@pytest.mark.slow
@pytest.mark.parametrize("voxel", [3.0, 2.0])
def test_sixty_stays_sixty(pelvis: tuple[np.ndarray, np.ndarray, np.ndarray], voxel: float) -> None:
    activity, mu, centre = pelvis
    if voxel != VOXEL:
        activity, mu = (
            zoom(x, VOXEL / voxel, order=n, grid_mode=True, mode="nearest")
            for x, n in ((activity, 0), (mu, 1))
        )
        centre = (centre + 0.5) * VOXEL / voxel - 0.5
    places = np.stack(np.meshgrid(*map(np.arange, activity.shape), indexing="ij"), axis=-1)
    distance = voxel * np.linalg.norm(places - centre, axis=-1)
    bladder, inner = distance < RADIUS, distance < RADIUS - 8.0
    assert bladder.sum() * voxel**3 == pytest.approx(VOLUME, rel=0.01)
    activity = np.where(bladder, np.float32(UPTAKE), activity)
    scanner = Surrogate(activity, mu, (voxel,) * 3, QUADRA)
    reference = scanner.mean_image()
    assert reference[inner].mean() == pytest.approx(UPTAKE, rel=0.01)
    for dose in (1 / 4, 1 / 20):
        scan = PetImage(
            data=scanner.image(dose, seed=1),
            affine=np.diag([voxel, voxel, voxel, 1.0]),
            unit="SUV",
            metadata={"SUVType": "SUVbw", "TracerName": "FDG"},
        )
        found = np.asarray(denoise(scan).image.data)
        assert found[inner].mean() == pytest.approx(UPTAKE, rel=0.02)
        assert found[bladder].mean() == pytest.approx(reference[bladder].mean(), rel=0.02)
        error = [np.sqrt(np.mean((x - reference)[bladder] ** 2)) for x in (found, scan.data)]
        assert error[0] < error[1]
        print(f"{voxel:g} mm, 1/{1 / dose:.0f}: {found[inner].mean():.2f} inside,"
              f" {100 * (found[bladder].mean() / reference[bladder].mean() - 1):+.2f} % of all,"
              f" RMSE {error[1]:.2f} to {error[0]:.2f}")  # fmt: skip
