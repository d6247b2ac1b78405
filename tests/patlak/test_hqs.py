"""`hqs` and `red-diff` with a Gaussian prior, whose steps and fixed points are in closed form."""

import numpy as np
import pytest
import torch
from tests.patlak.gaussian import MEAN, SD, denoiser, noise_of, problem

from betaplus.core.errors import UsageError
from betaplus.patlak.hqs import Hqs
from betaplus.patlak.noise_map import noise_map
from betaplus.patlak.red_diff import RedDiff


def _solved(scan, z: np.ndarray, r: float, coupled: bool = True) -> np.ndarray:
    """The data step, voxel by voxel."""
    normal = scan.normal.numpy()[:, :, 0]
    if not coupled:
        normal = np.diag(1.0 / np.diag(np.linalg.inv(normal)))
    fit = scan.least_squares().double().numpy().reshape(2, -1)
    precision = 1.0 / noise_map(scan).double().numpy().ravel()
    out = [
        np.linalg.solve(normal * p + r * np.eye(2), p * normal @ u + r * s)
        for p, u, s in zip(precision, fit.T, z.reshape(2, -1).T, strict=True)
    ]
    return np.array(out).T.reshape(z.shape)


@pytest.mark.parametrize("coupled", [True, False])
def test_the_steps_of_hqs_are_those_of_the_equations(coupled: bool) -> None:
    scan = problem()
    settings = Hqs.Settings(
        weight=0.7, first=2.0, last=0.5, steps=3, correlated=False, coupled=coupled, twicing=False
    )
    found = Hqs(settings, denoiser).fit(scan).u.numpy()
    u, mean = scan.least_squares().numpy(), np.reshape(MEAN, (2, 1, 1, 1))
    for share in (2.0, 1.0, 0.5):
        sigma = share * noise_of(scan)
        z = mean + SD**2 / (SD**2 + sigma**2) * (u - mean)
        u = _solved(scan, z, 0.7 / sigma**2, coupled)
    np.testing.assert_allclose(found, np.maximum(u, 0.0), atol=2e-4)


@pytest.mark.parametrize(("steps", "axes"), [(1, ()), (3, (2,)), (5, (1, 2)), (8, (1, 2, 3))])
def test_each_step_of_hqs_sees_a_mirrored_image(steps: int, axes: tuple[int, ...]) -> None:
    """A prior that wants one lopsided image, whatever it sees: the last step decides."""
    scan = problem()
    wanted = torch.rand((2, *scan.shape), generator=torch.Generator().manual_seed(3))
    settings = Hqs.Settings(weight=1e6, steps=steps, correlated=False, twicing=False)
    found = Hqs(settings, lambda u, sigma: wanted).fit(scan).u
    torch.testing.assert_close(found, wanted.flip(axes), atol=1e-3, rtol=0)


def test_red_diff_ends_where_both_gradients_cancel() -> None:
    scan = problem()
    settings = RedDiff.Settings(
        weight=0.5, first=1.0, last=1.0, steps=300, rate=0.5, correlated=False
    )
    found = RedDiff(settings, denoiser).fit(scan, seed=2).u.double().numpy()
    noise, mean = noise_of(scan), np.reshape(MEAN, (2, 1, 1, 1))
    kept = SD**2 / (SD**2 + noise**2)
    # M p (u - fit) + r (u - D(u)) = 0 with D(u) = mean + kept (u - mean)
    r = 0.5 / noise**2 * (1.0 - kept)
    expected = _solved(scan, np.broadcast_to(mean, found.shape), r)
    inside = expected > 0.3  # far from the bound at 0
    assert float(np.abs(found - expected)[inside].mean()) < 0.02
    assert abs(float((found - expected)[inside].mean())) < 0.005


def test_maps_are_not_below_nothing() -> None:
    scan = problem(noise=1.5)
    for method in (Hqs, RedDiff):
        assert float(method(prior=denoiser).fit(scan).u.min()) >= 0.0


@pytest.mark.parametrize("method", [Hqs, RedDiff])
def test_what_makes_no_sense_is_refused(method: type) -> None:
    with pytest.raises(UsageError, match="--bundle"):
        method()
    for wrong in ({"weight": 0.0}, {"first": 0.1, "last": 0.5}, {"steps": 0}):
        with pytest.raises(UsageError, match="expected"):
            method.Settings(**wrong)
