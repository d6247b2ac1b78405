"""What all methods with a score model have in common."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reconstruction.cases import COARSE, phantom, simulated

from betaplus.core.errors import UsageError
from betaplus.core.progress import Silent
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.method import SCORE_METHODS, find_score_method
from betaplus.reconstruction.score.prior import ScoreInputs

SHORT = {
    "dds": {"steps": 4, "inner": 2, "draws": 2},
    "dds-published": {"steps": 5, "inner": 2, "stop": 0.0, "draws": 2},
    "lisch": {"steps": 4, "inner": 2, "draws": 2},
    "conditional": {"steps": 4, "draws": 2},
    "gibbs": {"burn": 2, "draws": 2},
    "dps": {"steps": 4, "draws": 2},
}


class Smooth:
    """The denoiser of independent N(.7, .3) in every voxel."""

    def __call__(self, noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
        share = 0.3 / (0.3 + sigma**2)
        return (0.7 + share * (noisy - 0.7)).astype(np.float32)

    def pull(self, noisy: np.ndarray, sigma: float, vector: np.ndarray) -> np.ndarray:
        return (0.3 / (0.3 + sigma**2) * vector).astype(np.float32)


@pytest.mark.parametrize("name", SCORE_METHODS)
def test_images_stay_in_the_mask_and_their_mean_is_returned(name: str) -> None:
    kind, mask = find_score_method(name), phantom(COARSE) > 0
    counts = SinogramData(simulated(grid=COARSE)[0], COARSE, subsets=6, mask=mask)
    method = kind(kind.Settings(subsets=6, **SHORT[name]), ScoreInputs(prior=Smooth(), seed=1))
    seen: list[int] = []
    found = method.draws(counts, None, Silent(), lambda n, x: seen.append(n)).images
    assert found.shape == (2, *COARSE.shape) and found.dtype == np.float32
    assert (found[:, ~mask] == 0).all() and (found >= 0).all() and seen == sorted(set(seen))
    mean = method.run(counts, None, Silent())
    assert np.allclose(mean, found.mean(0), rtol=1e-6) and (mean[mask] > 0).mean() > 0.9


def test_a_name_that_is_none() -> None:
    with pytest.raises(UsageError, match="expected one of dds, dds-published, lisch, conditional"):
        find_score_method("osem")
