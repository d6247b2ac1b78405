"""The search for the best strength, against known optima."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.denoising.nlm import NlmSettings
from betaplus.denoising.tune import TuningCase, best_strength, tune_gaussian, tune_nlm


def case(seed=0, sd=0.5):
    rng = np.random.default_rng(seed)
    clean = np.full((24, 24, 24), 2.0, np.float32)
    clean[8:16, 8:16, 8:16] = 6.0
    noisy = (clean + sd * rng.standard_normal(clean.shape)).astype(np.float32)
    return TuningCase(
        noisy=noisy,
        reference=clean,
        sd=sd,
        mask=np.ones(clean.shape, bool),
        voxel=(4.0, 4.0, 4.0),
    )


@pytest.mark.parametrize("at", [0.15, 0.8, 2.9])
def test_finds_the_optimum_of_a_known_error(at):
    """An error of (1 + ln^2(s / s0)) times that of the noisy image, over 2."""

    def denoise(c, s):
        share = 0.5 * (1 + np.log(s / at) ** 2)
        return c.reference + share * (c.noisy - c.reference)

    found = best_strength(denoise, [case(0), case(1, 1.0)], 0.1, 4.0, tolerance=0.01)
    assert found.strength == pytest.approx(at, rel=0.02)
    assert found.gain == pytest.approx(20 * np.log10(2), abs=1e-3)
    assert max(gain for _, gain in found.tried) == found.gain
    assert [s for s, _ in found.tried] == sorted(s for s, _ in found.tried)


def test_non_local_means_is_better_than_the_gaussian_filter_on_blocks():
    cases = [case(0), case(1)]
    narrow, gauss = tune_gaussian(cases)
    given = [NlmSettings(search=s) for s in (1.2, 1.6)]
    settings, best = tune_nlm(cases, settings=given, tolerance=0.1)
    assert 0 < gauss.gain < best.gain - 2.0
    assert narrow.fwhm is None and narrow.strength == gauss.strength
    assert settings == NlmSettings(strength=best.strength, search=settings.search)


def test_what_cannot_be_used():
    with pytest.raises(UsageError, match="0 cases"):
        tune_gaussian([])
    with pytest.raises(UsageError, match="rising"):
        best_strength(lambda c, s: c.noisy, [case()], 2.0, 1.0)
    with pytest.raises(UsageError, match="no settings"):
        tune_nlm([case()], settings=())
