"""`gibbs` with a Gaussian prior, whose posterior is in closed form."""

import numpy as np
import pytest
from tests.patlak.gaussian import SHAPE, denoiser, noise_of, posterior, problem

from betaplus.core.errors import UsageError
from betaplus.patlak.gibbs import Gibbs


def _draws(rho: float, samples: int, thin: int, **more: float):
    settings = Gibbs.Settings(
        samples=samples, thin=thin, burn=10, inner=16, first=max(2.0, rho), last=rho,
        correlated=False, **more,
    )  # fmt: skip
    scan = problem()
    return scan, Gibbs(settings, denoiser).fit(scan, seed=1)


@pytest.mark.parametrize("rho", [2.0, 0.7])
def test_at_fixed_rho_draws_are_of_the_augmented_gaussian(rho: float) -> None:
    scan, found = _draws(rho, 200, 2)
    mean, sd = posterior(scan, rho * noise_of(scan))
    off = (found.u.numpy() - mean) / sd
    # The mean of voxels that are alike: each has an error of 1 / sqrt(200 / tau).
    assert np.abs(off.mean((1, 2, 3))).max() < 0.05
    assert off.std() < 0.2
    ratio = found.std.numpy().mean((1, 2, 3)) / sd.mean((1, 2, 3))
    assert ratio == pytest.approx([1.0, 1.0], rel=0.04)


def test_draws_tend_to_the_posterior_as_rho_falls() -> None:
    ratios = []
    for rho in (2.0, 0.5):
        scan, found = _draws(rho, 80, 4)
        _, sd = posterior(scan, 0.0)
        ratios.append(float(found.std.numpy().mean() / sd.mean()))
    assert ratios[0] > ratios[1] > 0.97
    assert ratios[1] == pytest.approx(1.0, abs=0.06)


def test_draws_belong_to_the_seed() -> None:
    settings = Gibbs.Settings(samples=2, burn=1, inner=2)
    one, same, other = (Gibbs(settings, denoiser).fit(problem(), seed=s).draws for s in (3, 3, 4))
    assert one.shape == (2, 2, *SHAPE)
    assert (one == same).all()
    assert not (one == other).any()


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"first": 0.1, "last": 0.5}, {"tolerance": 0.0}])
def test_settings_that_make_no_sense(wrong: dict) -> None:
    with pytest.raises(UsageError, match="expected"):
        Gibbs.Settings(**wrong)


def test_a_prior_is_wanted() -> None:
    with pytest.raises(UsageError, match="--bundle"):
        Gibbs()
