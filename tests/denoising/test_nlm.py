"""Non-local means against a plain double loop and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from betaplus.core.errors import InputError, UsageError
from betaplus.denoising import nlm as module
from betaplus.denoising.gaussian import matched_fwhm, noise_left
from betaplus.denoising.nlm import NlmSettings, matched, nlm, reach, search_shifts

VOXEL = (2.0, 3.0, 5.0)


def plain(image, guide, sd, voxel, strength, fwhm, half, reach=1.0):
    """The definition, voxel by voxel."""
    s = fwhm / math.sqrt(8 * math.log(2))
    y = np.pad(guide.astype(float), [(h, h) for h in half], mode="symmetric")
    v = np.pad(sd.astype(float) ** 2, [(h, h) for h in half], mode="symmetric")
    patch = tuple(2 * h + 1 for h in half)
    out = np.empty(image.shape)
    for i in np.ndindex(image.shape):
        here = tuple(slice(a, a + p) for a, p in zip(i, patch, strict=True))
        total = weight = 0.0
        for j in np.ndindex(image.shape):
            away = sum(((a - b) * e) ** 2 for a, b, e in zip(i, j, voxel, strict=True))
            if away > (reach * fwhm) ** 2 * (1 + 1e-6):
                continue
            there = tuple(slice(a, a + p) for a, p in zip(j, patch, strict=True))
            d = np.mean((y[here] - y[there]) ** 2 / (v[here] + v[there]))
            w = math.exp(-d / strength**2 - away / (2 * s * s))
            total += w * image[j]
            weight += w
        out[i] = total / weight
    return out


@pytest.mark.parametrize(("patch", "guide"), [(6.0, 0.0), (10.0, 4.0)])
def test_is_the_definition(monkeypatch, patch, guide):
    rng = np.random.default_rng(0)
    image = rng.gamma(4.0, 0.5, (7, 6, 5)).astype(np.float32)
    sd = rng.uniform(0.3, 1.0, image.shape).astype(np.float32)
    half = (1, 1, 1) if patch == 6 else (2, 1, 1)
    seen = image.astype(float)
    for axis, edge in enumerate(VOXEL):
        sigma = max(guide, 1e-9) / edge / math.sqrt(8 * math.log(2))
        seen = gaussian_filter1d(seen, sigma, axis=axis)
    h = 1.1 * math.sqrt(noise_left(VOXEL, guide))
    expected = plain(image, seen, sd, VOXEL, h, 9.0, half)
    settings = NlmSettings(
        strength=1.1, fwhm=6.0, search=1.5, spacing=0.1, patch=patch, guide=guide / 6.0
    )
    monkeypatch.setattr(module, "_BLOCK", (4, 3, 5))
    found = nlm(image, sd, VOXEL, settings)
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    monkeypatch.setattr(module, "_BLOCK", (100, 100, 100))
    np.testing.assert_array_equal(nlm(image, sd, VOXEL, settings), found)
    np.testing.assert_array_equal(nlm(image, sd, VOXEL, settings, threads=3), found)


def test_shifts_are_half_a_ball_in_mm():
    found = set(search_shifts(VOXEL, 10.0))
    for d in np.ndindex(13, 9, 7):
        d = tuple(int(k) for k in np.subtract(d, (6, 4, 3)))
        near = sum((k * v) ** 2 for k, v in zip(d, VOXEL, strict=True)) <= 100
        opposite = tuple(-k for k in d)
        assert (d in found) + (opposite in found) == int(near and any(d))


@pytest.mark.parametrize("sd", [0.0, 0.7])
def test_a_constant_image_stays(sd):
    image = np.full((12, 11, 10), 3.3, np.float32)
    found = nlm(image, sd, VOXEL, NlmSettings(strength=2.0, fwhm=8.0))
    np.testing.assert_array_equal(found, image)


def test_edges_without_noise_stay():
    image = np.ones((20, 12, 12), np.float32)
    image[10:] = 4.0
    found = nlm(image, 0.5, (2.0, 2.0, 2.0), NlmSettings(strength=0.5, fwhm=8.0))
    np.testing.assert_allclose(found, image, atol=0.005)
    blurred = nlm(image, 0.5, (2.0, 2.0, 2.0), NlmSettings(strength=50.0, fwhm=8.0))
    assert np.abs(blurred - image).max() > 0.5


def test_small_strength_is_the_image_and_large_strength_a_gaussian_filter():
    rng = np.random.default_rng(1)
    image = rng.normal(5.0, 1.0, (30, 28, 26)).astype(np.float32)
    np.testing.assert_array_equal(nlm(image, 1.0, VOXEL, NlmSettings(strength=0.01)), image)
    found = nlm(
        image, 1.0, VOXEL, NlmSettings(strength=1e3, fwhm=8.0, search=1.0, reach=1.7, spacing=0.1)
    )
    expected = image
    for axis, edge in enumerate(VOXEL):
        sigma = 8.0 / math.sqrt(8 * math.log(2)) / edge
        expected = gaussian_filter1d(expected, sigma, axis=axis, truncate=6)
    inner = (slice(8, -8), slice(6, -6), slice(4, -4))
    assert np.abs(found - expected)[inner].max() < 0.01


def test_noise_levels_from_place_to_place_are_all_smoothed_alike():
    rng = np.random.default_rng(2)
    sd = np.repeat(np.array([0.2, 2.0], np.float32), 20)[:, None, None] * np.ones((40, 24, 24))
    found = nlm(3.0 + sd * rng.standard_normal(sd.shape), sd, (4.0, 4.0, 4.0))
    left = [(found[s] - 3.0).std() / level for s, level in ((slice(4, 14), 0.2),
                                                            (slice(26, 36), 2.0))]  # fmt: skip
    assert left[0] == pytest.approx(left[1], rel=0.12)
    assert left[0] < 0.45


def test_dose_does_not_matter_where_the_sd_follows():
    rng = np.random.default_rng(3)
    image = rng.normal(5.0, 1.0, (14, 14, 14)).astype(np.float32)
    one = nlm(image, 1.0, VOXEL)
    np.testing.assert_allclose(nlm(7 * image, 7.0, VOXEL), 7 * one, rtol=1e-5)


@pytest.mark.parametrize("relative", [0.2, 0.6])
def test_means_of_skewed_noise_are_kept(relative):
    """Noise of OSEM is skewed: its many low values must not draw the mean down."""
    rng = np.random.default_rng(4)
    shape = relative**-2
    image = rng.gamma(shape, 2.0 / shape, (32, 32, 32)).astype(np.float32)
    found = nlm(image, 2.0 * relative, (4.0, 4.0, 4.0))
    assert found.std() < 0.6 * image.std()
    assert found.mean() == pytest.approx(image.mean(), rel=0.01)


def test_parts_with_what_is_around_them_are_as_the_whole():
    rng = np.random.default_rng(8)
    image = rng.normal(5.0, 1.0, (12, 11, 50)).astype(np.float32)
    sd = rng.uniform(0.5, 1.5, image.shape).astype(np.float32)
    voxel = (3.0, 3.0, 3.0)
    whole = nlm(image, sd, voxel)
    settings = matched(NlmSettings(), image, sd, voxel)
    z = reach(settings, voxel)[2]
    assert z < 20
    part = slice(22 - z, 29 + z)
    found = nlm(image[..., part], sd[..., part], voxel, settings)[..., z:-z]
    np.testing.assert_allclose(found, whole[..., 22:29], rtol=1e-6)
    nearer = slice(22 - z + 4, 29 + z - 4)
    cut = nlm(image[..., nearer], sd[..., nearer], voxel, settings)[..., z - 4 : 4 - z]
    assert np.abs(cut - whole[..., 22:29]).max() > 1e-4
    with pytest.raises(UsageError, match="without a width"):
        reach(NlmSettings(), voxel)


def test_search_may_skip_voxels():
    every = search_shifts((1.5, 1.5, 3.0), 9.0)
    some = search_shifts((1.5, 1.5, 3.0), 9.0, 3.0)
    assert set(some) == {d for d in every if d[0] % 2 == 0 and d[1] % 2 == 0}


def test_widths_follow_the_noise():
    image = np.random.default_rng(7).normal(5.0, 1.0, (16, 15, 14)).astype(np.float32)
    known = nlm(image, 1.0, VOXEL, NlmSettings(fwhm=matched_fwhm(image, 1.0, VOXEL)))
    np.testing.assert_allclose(nlm(image, 1.0, VOXEL), known, rtol=1e-6)
    np.testing.assert_array_equal(nlm(image, 0.0, VOXEL), image)


def test_outside_the_mask_nothing_changes():
    rng = np.random.default_rng(5)
    image = rng.normal(5.0, 1.0, (14, 13, 12)).astype(np.float32)
    mask = rng.uniform(size=image.shape) < 0.5
    mask[:7] = False
    settings = NlmSettings(fwhm=7.0)
    whole = nlm(image, 1.0, VOXEL, settings)
    found = nlm(image, 1.0, VOXEL, settings, mask=mask)
    np.testing.assert_array_equal(found, np.where(mask, whole, image))


def test_thin_volumes():
    image = np.random.default_rng(6).normal(5.0, 1.0, (9, 9, 1)).astype(np.float32)
    assert nlm(image, 1.0, (2.0, 2.0, 10.0)).shape == image.shape


def test_what_cannot_be_used():
    image = np.ones((5, 5, 5), np.float32)
    with pytest.raises(InputError, match="one volume"):
        nlm(image[0], 1.0, VOXEL)
    with pytest.raises(InputError, match="sd"):
        nlm(image, np.ones((5, 5, 4)), VOXEL)
    with pytest.raises(InputError, match="not finite"):
        nlm(image * np.nan, 1.0, VOXEL)
    with pytest.raises(InputError, match="SD of noise"):
        nlm(image, -1.0, VOXEL)
    with pytest.raises(UsageError, match="strength"):
        NlmSettings(strength=0.0)
    with pytest.raises(TypeError):
        NlmSettings(h=1.0)
