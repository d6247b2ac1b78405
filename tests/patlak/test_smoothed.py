"""Filters against scipy and their formulas."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from tests.patlak import toy

from betaplus.core.crew import ThreadCrew
from betaplus.core.errors import UsageError
from betaplus.core.progress import Silent
from betaplus.patlak.linear import Wls
from betaplus.patlak.non_local import local_means, shifts_within
from betaplus.patlak.smoothed import Gaussian, Nlm


@pytest.fixture(scope="module")
def noisy() -> toy.Toy:
    return toy.make(32, 0.18)


def test_gaussian_inside_is_that_of_scipy(noisy: toy.Toy) -> None:
    u = Gaussian(Gaussian.Settings(fwhm=8.0)).fit(noisy.problem).u.numpy()
    plain = noisy.problem.least_squares().numpy()
    sigma = 8.0 / 2.35482 / 4.0
    for i in range(2):
        expected = gaussian_filter(plain[i], sigma, truncate=3.5)
        np.testing.assert_allclose(u[i, 10:-10, 10:-10, 10:-10],
                                   expected[10:-10, 10:-10, 10:-10], atol=1e-4)  # fmt: skip


def test_gaussian_does_not_darken_the_edge_of_the_mask() -> None:
    t = toy.make(24, 0.0)
    even = dataclasses.replace(t.problem, h=torch.ones_like(t.problem.h))
    u = Gaussian(Gaussian.Settings(fwhm=20.0)).fit(even).u
    expected = Wls().fit(even).u
    np.testing.assert_allclose(u.numpy(), expected.numpy(), rtol=1e-4)


def test_gaussian_without_width_is_wls(noisy: toy.Toy) -> None:
    u = Gaussian(Gaussian.Settings(fwhm=0.0)).fit(noisy.problem).u
    assert torch.equal(u, Wls().fit(noisy.problem).u)


def test_more_noise_asks_for_a_wider_filter() -> None:
    widths = [Gaussian().fit(toy.make(32, s).problem).found["fwhm"] for s in (0.0, *toy.LEVELS)]
    assert widths == sorted(widths)
    assert widths[0] < 2.0 < widths[1]


def test_nlm_without_strength_is_wls(noisy: toy.Toy) -> None:
    plain = Wls().fit(noisy.problem).u
    assert torch.equal(Nlm(Nlm.Settings(strength=0.0)).fit(noisy.problem).u, plain)
    tiny = Nlm(Nlm.Settings(strength=1e-3)).fit(noisy.problem).u
    np.testing.assert_allclose(tiny.numpy(), plain.numpy(), atol=1e-6)


def test_weights_of_nlm_are_those_of_the_formula() -> None:
    rng = np.random.default_rng(0)
    shape, voxel = (9, 8, 7), (2.0, 3.0, 4.0)
    u, g = rng.normal(size=(2, 2, *shape)).astype(np.float32)
    v = rng.uniform(0.5, 2.0, shape).astype(np.float32)
    mask = rng.random(shape) < 0.8
    shifts, at = shifts_within(voxel, 6.0, 0.0), (4, 4, 3)
    mask[at] = True
    u *= mask
    found = local_means(
        torch.tensor(u), torch.tensor(g), torch.tensor(v), torch.tensor(mask), voxel, shifts,
        strength=1.3, width=6.0, crew=ThreadCrew(2), progress=Silent(),
    )  # fmt: skip
    total, sums = 0.0, np.zeros(2)
    for d in [(0, 0, 0), *shifts, *([-a for a in s] for s in shifts)]:
        other = tuple(a + b for a, b in zip(at, d, strict=True))
        if any(a < 1 or a > n - 2 for a, n in zip(other, shape, strict=True)):
            continue  # only whole patches, below
        patch = [tuple(slice(a - 1, a + 2) for a in p) for p in (at, other)]
        one, two = (g[(slice(None), *p)] for p in patch)
        far = np.mean(((one - two) ** 2).sum(0) / 2 / (v[patch[0]] + v[patch[1]]))
        away = sum((a * b) ** 2 for a, b in zip(d, voxel, strict=True))
        w = np.exp(-far / 1.3**2 - away / 2 / (6.0 / 2.35482) ** 2) * mask[other]
        total, sums = total + w, sums + w * u[(slice(None), *other)]
    assert all(a >= 1 + abs(int(6.0 / e)) for a, e in zip(at[:1], voxel[:1], strict=True))
    np.testing.assert_allclose(found[(slice(None), *at)].numpy(), sums / total, rtol=1e-4)


@pytest.mark.parametrize("method", [Gaussian, Nlm])
def test_results_scale_with_the_frames(method: type) -> None:
    one, ten = (method().fit(toy.make(24, gain=k).problem).u for k in (1.0, 10.0))
    np.testing.assert_allclose(ten.numpy() / 10.0, one.numpy(), atol=1e-3)


def test_nlm_beats_the_gaussian_and_keeps_lesions(noisy: toy.Toy) -> None:
    plain, wide, alike = (m().fit(noisy.problem).u for m in (Wls, Gaussian, Nlm))
    errors = [toy.ki_error(noisy, u) for u in (plain, wide, alike)]
    assert errors[0] > errors[1] > errors[2]
    assert toy.lesion_recovery(noisy, alike) > 0.8


def test_threads_change_nothing(noisy: toy.Toy) -> None:
    one, two = (Nlm().fit(noisy.problem, threads=n).u for n in (1, 2))
    assert torch.equal(one, two)


def test_settings_are_checked() -> None:
    with pytest.raises(UsageError, match="fwhm is -1"):
        Gaussian.Settings(fwhm=-1.0)
    with pytest.raises(UsageError, match="strength is nan"):
        Nlm.Settings(strength=float("nan"))
