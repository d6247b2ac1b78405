"""The patch prior against a plain sum over patches, autograd and its own surrogate's promises."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from betaplus.core.errors import InputError, UsageError
from betaplus.physics.priors.patch import PatchPrior

SHAPE = (6, 5, 7)


def _image(seed: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 5.0, shape).astype(np.float32)


def _shifted(x: torch.Tensor, offset: tuple[int, ...]) -> torch.Tensor:
    """Return x at p + offset, NaN beyond the edge."""
    pad = max(abs(o) for o in offset)
    padded = torch.nn.functional.pad(x, (pad,) * 6, value=float("nan"))
    return padded[tuple(slice(pad + o, pad + o + n) for o, n in zip(offset, x.shape, strict=True))]


def _plain(x: torch.Tensor, prior: PatchPrior) -> torch.Tensor:
    """The formula as printed, ordered pair by ordered pair, patch element by patch element."""
    inside = torch.ones_like(x) if prior.mask is None else torch.tensor(prior.mask).double()
    n, r = prior.neighbourhood // 2, prior.patch // 2
    elements = list(itertools.product(range(-r, r + 1), repeat=3))
    ends = list(itertools.product(range(-n - r, n + r + 1), repeat=3))
    values = {e: _shifted(x, e).nan_to_num() for e in ends}
    masks = {e: _shifted(inside, e).nan_to_num() > 0 for e in ends}
    total = torch.zeros((), dtype=torch.float64)
    for o in itertools.product(range(-n, n + 1), repeat=3):
        if not any(o):
            continue
        squared = torch.zeros_like(x)
        for e in elements:
            end = (e[0] + o[0], e[1] + o[1], e[2] + o[2])
            d = torch.where(masks[e] & masks[end], values[e] - values[end], 0.0)
            squared = squared + d**2 / len(elements)
        pair = masks[(0, 0, 0)] & masks[o]
        t = torch.where(pair, squared, 1.0).clamp_min(1e-30).sqrt()
        psi = t - prior.delta * torch.log1p(t / prior.delta)
        total = total + 0.25 * psi[pair].sum()
    return total


def _settings() -> dict[str, dict[str, Any]]:
    mask = np.random.default_rng(5).random(SHAPE) > 0.3
    return {
        "plain": {},
        "voxels": {"patch": 1},
        "wide neighbourhood": {"neighbourhood": 5},
        "wide patch": {"patch": 5},
        "mask": {"mask": mask},
        "sharp": {"delta": 0.05},
        "quadratic": {"delta": 500.0},
    }


@pytest.mark.parametrize("setting", _settings().values(), ids=_settings().keys())
def test_value_and_gradient_against_autograd(setting: dict[str, Any]) -> None:
    prior = PatchPrior(**{"delta": 2.0, **setting})
    image = _image(1)
    x = torch.tensor(image, dtype=torch.float64, requires_grad=True)
    value = _plain(x, prior)
    (expected,) = torch.autograd.grad(value, x)
    scale = expected.abs().max().item()
    assert prior.value(image) == pytest.approx(value.item(), rel=1e-5)
    np.testing.assert_allclose(prior.gradient(image), expected, atol=2e-6 * scale)
    regular, weight = prior.surrogate(image)
    np.testing.assert_allclose(weight * (image - regular), expected, atol=1e-5 * scale)


@pytest.mark.parametrize("setting", _settings().values(), ids=_settings().keys())
def test_surrogate_bounds_the_prior(setting: dict[str, Any]) -> None:
    prior = PatchPrior(**{"delta": 2.0, **setting})
    rng = np.random.default_rng(7)
    for seed in range(4):
        image = _image(seed)
        regular, weight = (a.astype(np.float64) for a in prior.surrogate(image))
        here = 0.5 * float(np.sum(weight * (image - regular) ** 2))
        value = prior.value(image)
        for size in (0.05, 0.3, 1.0, 3.0):
            for direction in (
                rng.normal(size=SHAPE),
                _image(seed + 50) - image,
                # the bound's worst case: neighbours that move against each other
                (-1.0) ** np.indices(SHAPE).sum(axis=0),
            ):
                other = (image + size * direction).astype(np.float32)
                bound = 0.5 * float(np.sum(weight * (other - regular) ** 2)) - here
                rise = prior.value(other) - value
                assert rise <= bound + 1e-5 * value


def test_two_voxels_in_closed_form() -> None:
    """Two voxels, patch of one: U = psi(|d|) / 2, and omega = 1 / (delta + |d|)."""
    image = np.array([1.0, 4.0], np.float32).reshape(1, 2, 1)
    prior = PatchPrior(delta=2.0, patch=1)
    assert prior.value(image) == pytest.approx(0.5 * (3 - 2 * np.log(2.5)), rel=1e-6)
    regular, weight = prior.surrogate(image)
    np.testing.assert_allclose(weight.ravel(), 1 / 5, rtol=1e-6)
    np.testing.assert_allclose(regular.ravel(), 2.5, rtol=1e-6)


def test_the_bound_is_reached() -> None:
    """Far below delta, two voxels that move against each other meet the bound exactly."""
    image = np.array([1.0, 4.0], np.float32).reshape(1, 2, 1)
    prior = PatchPrior(delta=1e4, patch=1)
    regular, weight = prior.surrogate(image)
    for step in (-2.0, 0.5, 3.0):
        other = image + np.array([step, -step], np.float32).reshape(1, 2, 1)
        bound = 0.5 * np.sum(weight * ((other - regular) ** 2 - (image - regular) ** 2))
        assert prior.value(other) - prior.value(image) == pytest.approx(float(bound), rel=5e-3)


def test_invariance() -> None:
    image, prior = _image(3), PatchPrior(delta=2.0)
    assert prior.value(image + np.float32(8)) == pytest.approx(prior.value(image), rel=1e-5)
    scaled = PatchPrior(delta=2.0 * 64)
    assert scaled.value(64 * image) == pytest.approx(64 * prior.value(image), rel=1e-6)
    for axis in range(3):
        turned = np.flip(prior.gradient(np.flip(image, axis)), axis)
        np.testing.assert_allclose(turned, prior.gradient(image), atol=1e-5)
    turned = prior.gradient(image.transpose(2, 1, 0)).transpose(2, 1, 0)
    np.testing.assert_allclose(turned, prior.gradient(image), atol=1e-5)


def test_lonely_voxels_stay() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[2, 2, 2] = True
    image = _image(0)
    regular, weight = PatchPrior(delta=1.0, mask=mask).surrogate(image)
    np.testing.assert_array_equal(regular, image)
    assert not weight.any()


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("edges", [(3, 3), (5, 3), (3, 5)])
def test_threads_and_slabs_do_not_matter(mask: bool, edges: tuple[int, int]) -> None:
    image = _image(6, (40, 6, 7))

    def results(threads: int) -> list[np.ndarray]:
        prior = PatchPrior(
            delta=1.0,
            neighbourhood=edges[0],
            patch=edges[1],
            mask=image > 5 if mask else None,
            threads=threads,
        )
        return [np.array(prior.value(image)), *prior.surrogate(image)]

    for threads in (2, 7, 40):
        for one, many in zip(results(1), results(threads), strict=True):
            np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 6, 1), (9, 1, 2), (2, 3, 1)])
def test_thin_images(shape: tuple[int, ...]) -> None:
    prior, image = PatchPrior(delta=1.0, neighbourhood=5, patch=3), _image(2, shape)
    x = torch.tensor(image, dtype=torch.float64, requires_grad=True)
    value = _plain(x, prior)
    assert prior.value(image) == pytest.approx(value.item(), rel=1e-5)
    if image.size > 1:
        (expected,) = torch.autograd.grad(value, x)
        np.testing.assert_allclose(prior.gradient(image), expected, rtol=1e-4, atol=1e-5)


def test_bad_settings() -> None:
    for bad in ({"delta": 0.0}, {"delta": 1.0, "patch": 2}, {"delta": 1.0, "neighbourhood": 1}):
        with pytest.raises(UsageError):
            PatchPrior(**bad)
    with pytest.raises(InputError, match="three axes"):
        PatchPrior(delta=1.0).value(np.ones((2, 2), np.float32))
    with pytest.raises(InputError, match="mask of shape"):
        PatchPrior(delta=1.0, mask=np.ones((2, 2, 2), bool)).value(_image(0))
