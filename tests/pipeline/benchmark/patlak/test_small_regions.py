"""Regions of small studies: noise of their means against draws, borders of known steps."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from betaplus.patlak.noise_map import NoiseCorrelation, masked_mean
from betaplus.patlak.problem import PatlakProblem
from betaplus.pipeline.benchmark.patlak.small_regions import (
    Region,
    mean_noise,
    means,
    regions_of,
    structure,
)

SHAPE = (20, 18, 16)
VOXEL = (4.0, 4.0, 5.0)
M = np.array([[1.5, 1.2], [1.2, 1.3]])


def _problem() -> PatlakProblem:
    return PatlakProblem(
        h=torch.zeros(2, *SHAPE),
        normal=torch.from_numpy(np.repeat(M[..., None], SHAPE[2], 2)),
        misfit=torch.ones(SHAPE), noise=torch.zeros(SHAPE), freedom=torch.full((SHAPE[2],), 6.0),
        scale=torch.ones(2, dtype=torch.float64), voxel=VOXEL,
        mask=torch.ones(SHAPE, dtype=torch.bool),
    )  # fmt: skip


def _region() -> Region:
    inside = np.zeros(SHAPE, bool)
    inside[6:12, 6:10, 5:9] = True
    return Region(kind="organ", name="Liver", inside=inside)


def _sd() -> np.ndarray:
    return 0.5 + 0.05 * np.indices(SHAPE)[0]


def test_independent_voxels_are_in_closed_form() -> None:
    region, s = _region(), _sd()
    none = NoiseCorrelation(sigma=(0.0, 0.0, 0.0), voxel=VOXEL)
    found = mean_noise(_problem(), s**2, none, [region])[0]
    n = region.inside.sum()
    alone = np.sqrt((s[region.inside] ** 2).sum()) / n
    assert found == pytest.approx(alone * np.sqrt(np.diag(np.linalg.inv(M))), rel=1e-6)


@pytest.mark.parametrize("fwhm", [0.0, 10.0])
def test_correlated_noise_is_as_draws_have_it(fwhm: float) -> None:
    region, s, sigma = _region(), _sd(), (4.4, 3.2, 5.0)
    known = NoiseCorrelation(sigma=sigma, voxel=VOXEL)
    problem = _problem()
    found = mean_noise(problem, s**2, known, [region], fwhm)[0]
    widths = [a / b for a, b in zip(sigma, VOXEL, strict=True)]
    impulse = np.zeros((41, 41, 41))
    impulse[20, 20, 20] = 1.0
    power = np.sqrt((gaussian_filter(impulse, widths) ** 2).sum())
    root = np.linalg.cholesky(np.linalg.inv(M))
    rng, drawn = np.random.default_rng(0), []
    for _ in range(300):
        white = gaussian_filter(rng.standard_normal((2, 40, 38, 36)), [0, *widths])
        noise = s * white[:, 10:30, 10:28, 10:26] / power
        u = np.einsum("ij,jxyz->ixyz", root, noise)
        inside = np.ones(SHAPE, bool)
        u = np.stack([masked_mean(x.astype(np.float32), inside, problem, fwhm) for x in u])
        drawn.append(means(u, [region])[0])
    assert found == pytest.approx(np.std(drawn, axis=0), rel=0.12)


def test_borders_and_steps_are_measured() -> None:
    labels = np.ones((8, 6, 6), int)
    labels[4:] = 2
    image = np.where(labels == 1, 1.0, 3.5)
    region = Region(kind="organ", name="Liver", inside=labels == 1)
    found = structure(region, image, labels)
    assert found["border"] == pytest.approx(1 / 4)  # one plane of four; not the ends of the box
    assert found["step"] == pytest.approx(2.5)
    assert found["spread"] == 0.0
    alone = structure(region, image, np.ones_like(labels))
    assert alone["border"] == alone["step"] == 0.0


def test_regions_are_organs_spheres_in_one_organ_and_lesions(simulated) -> None:
    mask = simulated.body
    found = regions_of(simulated, mask, 3)
    organs = [r for r in found if r.kind == "organ"]
    spheres = [r for r in found if r.kind == "sphere"]
    assert organs and spheres
    assert not {"BowelGas", "Airways"} & {r.name for r in found}
    assert np.sum([r.inside for r in organs], axis=0).max() == 1
    for region in spheres:
        at = np.argwhere(region.inside) * 8.0
        assert np.linalg.norm(at[:, None] - at[None], axis=-1).max() <= 24.0
        assert len(np.unique(simulated.labels[region.inside])) == 1
    volume = 0.512
    assert all(r.inside.sum() * volume >= 1.0 for r in found)
    again = regions_of(simulated, mask, 3)
    assert all((a.inside == b.inside).all() for a, b in zip(found, again, strict=True))
