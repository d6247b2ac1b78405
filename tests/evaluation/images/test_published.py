"""The published script's scores against their definition, and those in the body."""

from __future__ import annotations

import math

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.evaluation.images import nrmse, psnr, ssim
from betaplus.evaluation.images.published import body_scores, published_scores


def plain_ssim(x, y, top, width=7):
    """Every window by itself."""
    c1, c2 = (0.01 * top) ** 2, (0.03 * top) ** 2
    found = []
    for corner in np.ndindex(*(n - width + 1 for n in x.shape)):
        box = tuple(slice(c, c + width) for c in corner)
        a, b = x[box].ravel(), y[box].ravel()
        ((va, cov), (_, vb)) = np.cov(a, b)
        ma, mb = a.mean(), b.mean()
        found.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return np.mean(found)


def pair():
    rng = np.random.default_rng(0)
    reference = rng.gamma(2.0, 1.5, (12, 10, 11))
    reference[5, 5, 5] = 60.0
    return reference + 0.4 * rng.standard_normal(reference.shape), reference


def test_is_the_definition():
    image, reference = pair()
    found = published_scores(image, reference)
    x, r = np.clip(image, 0, 16), np.clip(reference, 0, 16)
    assert found.peak == 60.0
    assert found.psnr == pytest.approx(10 * math.log10(60**2 / np.mean((x - r) ** 2)))
    assert found.ssim == pytest.approx(plain_ssim(x, r, 16.0))


def test_a_hot_bladder_and_air_raise_the_published_score_alone():
    rng = np.random.default_rng(1)
    reference = np.zeros((20, 20, 20))
    reference[5:15, 5:15, 5:15] = 4.0
    reference[9, 9, 9] = 16.0
    body = reference > 0
    image = reference + np.where(body, 0.5 * rng.standard_normal(body.shape), 0.0)
    image[9, 9, 9] = 16.0
    hot, noisy = reference.copy(), image.copy()
    hot[9, 9, 9] = noisy[9, 9, 9] = 60.0
    before, after = published_scores(image, reference), published_scores(noisy, hot)
    assert after.psnr - before.psnr == pytest.approx(20 * math.log10(60 / 16))
    assert after.ssim == before.ssim
    ours = body_scores(image, reference, body)
    error = np.mean((image - reference)[body] ** 2)
    assert ours.psnr == pytest.approx(10 * math.log10(16**2 / error))
    # air is 7 of 8 voxels: 9 dB more
    assert before.psnr - ours.psnr == pytest.approx(10 * math.log10(8), abs=0.1)
    stated = body_scores(noisy, hot, body, top=16.0)
    assert stated.psnr == pytest.approx(ours.psnr) and stated.peak == 16.0


def test_body_scores_are_those_of_this_package():
    image, reference = pair()
    body = reference > 2
    found = body_scores(image, reference, body)
    assert found.peak == 60.0
    assert found.psnr == psnr(image, reference, body)
    assert found.ssim == ssim(image, reference, body)
    assert found.nrmse == nrmse(image, reference, body)


def test_limits():
    image, reference = pair()
    equal = published_scores(reference, reference)
    assert equal.psnr == 100.0 and equal.ssim == pytest.approx(1.0)
    assert math.isnan(published_scores(image, 0 * reference).psnr)
    with pytest.raises(InputError, match="one grid"):
        published_scores(image[1:], reference)
    with pytest.raises(InputError, match="7 voxels"):
        published_scores(image[:5], reference[:5])
    with pytest.raises(InputError, match="finite"):
        published_scores(image * np.nan, reference)
