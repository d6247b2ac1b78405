"""The relative difference prior against autograd of a plain double loop over shifts."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from betaplus.core.errors import InputError, UsageError
from betaplus.physics.priors.relative_difference import RelativeDifference

SHAPE = (5, 4, 6)
SPACING = (2.0, 3.0, 2.5)


def _image(seed: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.gamma(1.0, 10.0, shape) * (rng.random(shape) > 0.1)).astype(np.float32)


def _plain(x: torch.Tensor, prior: RelativeDifference) -> torch.Tensor:
    """The formula as printed, for each ordered pair, in double precision."""
    kappa = torch.ones_like(x) if prior.kappa is None else torch.tensor(prior.kappa).double()
    if prior.mask is not None:
        kappa = kappa * torch.tensor(prior.mask).double()
    total = torch.zeros((), dtype=torch.float64)
    for offset in itertools.product((-1, 0, 1), repeat=3):
        if not any(offset) or (prior.neighbours == "axial" and any(offset[:2])):
            continue
        distance = math.sqrt(sum((o * s) ** 2 for o, s in zip(offset, prior.spacing, strict=True)))
        here = tuple(slice(max(0, -o), n - max(0, o)) for o, n in zip(offset, x.shape, strict=True))
        there = tuple(
            slice(max(0, o), n - max(0, -o)) for o, n in zip(offset, x.shape, strict=True)
        )
        d = x[here] - x[there]
        phi = x[here] + x[there] + prior.gamma * d.abs() + prior.eps
        pairs = kappa[here] * kappa[there] * d**2 / phi
        total = total + 0.5 * min(prior.spacing) / distance * pairs.sum()
    return total


def _settings() -> dict[str, dict[str, Any]]:
    rng = np.random.default_rng(5)
    kappa = rng.uniform(0.2, 2.0, SHAPE).astype(np.float32)
    mask = rng.random(SHAPE) > 0.3
    return {
        "plain": {},
        "gamma 0": {"gamma": 0.0},
        "gamma 5": {"gamma": 5.0},
        "kappa": {"kappa": kappa},
        "mask": {"mask": mask},
        "axial": {"neighbours": "axial"},
        "all together": {"neighbours": "axial", "kappa": kappa, "mask": mask, "gamma": 1.0},
    }


@pytest.mark.parametrize("setting", _settings().values(), ids=_settings().keys())
def test_derivatives_against_autograd(setting: dict[str, Any]) -> None:
    prior = RelativeDifference(spacing=SPACING, eps=0.05, **setting)
    image = _image(1)
    x = torch.tensor(image, dtype=torch.float64, requires_grad=True)
    value = _plain(x, prior)
    (gradient,) = torch.autograd.grad(value, x, create_graph=True)
    assert prior.value(image) == pytest.approx(value.item(), rel=1e-6)
    scale = gradient.abs().max().item()
    np.testing.assert_allclose(prior.gradient(image), gradient.detach(), atol=1e-6 * scale)

    hessian = torch.autograd.functional.hessian(
        lambda y: _plain(y, prior), x.detach(), vectorize=True
    )
    hessian = hessian.reshape(image.size, image.size).numpy()
    diagonal = hessian.diagonal().reshape(SHAPE)
    np.testing.assert_allclose(
        prior.hessian_diagonal(image), diagonal, rtol=1e-5, atol=1e-6 * diagonal.max()
    )
    v = np.random.default_rng(2).normal(size=SHAPE).astype(np.float32)
    product = (hessian @ v.ravel().astype(np.float64)).reshape(SHAPE)
    np.testing.assert_allclose(
        prior.hessian_vector(image, v), product, rtol=1e-4, atol=1e-6 * np.abs(product).max()
    )


@pytest.mark.parametrize(("axis", "neighbours"), [(0, "all"), (1, "all"), (2, "all"), (2, "axial")])
def test_two_voxels_in_closed_form(axis: int, neighbours: Any) -> None:
    a, b, eps = 5.0, 2.0, 0.5
    shape = [1, 1, 1]
    shape[axis] = 2
    image = np.array([a, b], np.float32).reshape(shape)
    prior = RelativeDifference(spacing=(2.0, 4.0, 8.0), eps=eps, neighbours=neighbours)
    weight, d, phi = 2.0 / (2.0, 4.0, 8.0)[axis], a - b, a + b + 2 * (a - b) + eps
    assert prior.value(image) == pytest.approx(weight * d**2 / phi, rel=1e-6)
    gradient = weight * d * np.array([a + 3 * b + 2 * d + 2 * eps, -(b + 3 * a + 2 * d + 2 * eps)])
    np.testing.assert_allclose(prior.gradient(image).ravel(), gradient / phi**2, rtol=1e-6)
    diagonal = 2 * weight * np.array([2 * b + eps, 2 * a + eps]) ** 2 / phi**3
    np.testing.assert_allclose(prior.hessian_diagonal(image).ravel(), diagonal, rtol=1e-6)


def test_degree_one_and_symmetries() -> None:
    image = _image(3)
    prior = RelativeDifference(spacing=SPACING, eps=0.1)
    scaled = RelativeDifference(spacing=SPACING, eps=0.1 * 4096)
    assert scaled.value(4096 * image) == pytest.approx(4096 * prior.value(image), rel=1e-6)
    np.testing.assert_allclose(
        scaled.gradient(4096 * image), prior.gradient(image), rtol=1e-5, atol=1e-6
    )
    for axis in range(3):
        turned = np.flip(prior.gradient(np.flip(image, axis)), axis)
        np.testing.assert_allclose(turned, prior.gradient(image), rtol=1e-5, atol=1e-5)
    swapped = RelativeDifference(spacing=(2.5, 3.0, 2.0), eps=0.1)
    turned = swapped.gradient(image.transpose(2, 1, 0)).transpose(2, 1, 0)
    np.testing.assert_allclose(turned, prior.gradient(image), rtol=1e-5, atol=1e-5)


def test_flat_and_empty_images_are_free() -> None:
    prior = RelativeDifference(spacing=SPACING, eps=0.0)
    for level in (0.0, 7.0):
        image = np.full(SHAPE, level, np.float32)
        assert prior.value(image) == 0
        assert not prior.gradient(image).any()
        assert np.isfinite(prior.hessian_diagonal(image)).all()
        assert not prior.hessian_vector(image, image).any()


def test_huge_and_tiny_units() -> None:
    """Single precision must not overflow where the denominator's cube would."""
    image = _image(4)
    one = RelativeDifference(spacing=SPACING, eps=0.1)
    for unit in (1e-18, 1e18):
        prior = RelativeDifference(spacing=SPACING, eps=0.1 * unit)
        scaled = image * np.float32(unit)
        np.testing.assert_allclose(prior.gradient(scaled), one.gradient(image), atol=1e-4)
        np.testing.assert_allclose(
            prior.hessian_diagonal(scaled) * unit, one.hessian_diagonal(image), rtol=1e-4
        )


def test_convex() -> None:
    prior = RelativeDifference(spacing=SPACING, eps=0.01)
    for seed in range(5):
        image = _image(seed)
        v = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)
        assert float(np.vdot(v.astype(float), prior.hessian_vector(image, v))) > 0


def test_threads_do_not_matter() -> None:
    image = _image(6, (11, 8, 10))
    v = np.random.default_rng(1).normal(size=image.shape).astype(np.float32)

    def results(threads: int) -> list[np.ndarray]:
        prior = RelativeDifference(spacing=SPACING, eps=0.01, threads=threads)
        return [
            np.array(prior.value(image)),
            prior.gradient(image),
            prior.hessian_diagonal(image),
            prior.hessian_vector(image, v),
        ]

    for threads in (2, 3, 20):
        for one, many in zip(results(1), results(threads), strict=True):
            np.testing.assert_array_equal(one, many)


def test_bad_settings() -> None:
    good: dict[str, Any] = {"spacing": SPACING, "eps": 0.1}
    for bad in (
        {"spacing": (1.0, 0.0, 1.0)},
        {"eps": -1.0},
        {"eps": math.nan},
        {"gamma": -0.5},
        {"neighbours": "most"},
    ):
        with pytest.raises(UsageError):
            RelativeDifference(**{**good, **bad})
    with pytest.raises(InputError, match="kappa has"):
        RelativeDifference(**good, kappa=np.full(SHAPE, -1.0))
    with pytest.raises(InputError, match="mask of shape"):
        RelativeDifference(**good, mask=np.ones((2, 2, 2), bool)).value(_image(0))
    with pytest.raises(InputError, match="three axes"):
        RelativeDifference(**good).value(np.ones((2, 2), np.float32))
