"""How well the image is to explain the counts, step by step: that of OSEM on its way.

Webber, Mizuno, Howes, Hammers, King and Reader, "Likelihood-scheduled score-based generative
modeling for fully 3D PET image reconstruction", IEEE Trans Med Imaging 2025: the likelihood of the
reverse diffusion follows the iterates of one run of MLEM, so that neither the length nor the number
of data steps is to be chosen. Here it is OSEM, judged after each pass and taken to be linear in
between.
"""

from __future__ import annotations

import numpy as np

from betaplus.core.progress import Silent
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.osem import Osem
from betaplus.reconstruction.score.data_steps import DataSteps

__all__ = ["likelihood_targets", "until_likely"]


def likelihood_targets(data: Data, passes: int, steps: int) -> np.ndarray:
    """Return the log-likelihood that each step is to reach, rising, shape (steps,).

    The first step is to reach that of one pass, the last that of all.

    Args:
        data: Counts in subsets.
        passes: Passes of OSEM from a uniform image.
        steps: Steps of the diffusion.
    """
    seen: list[float] = []
    Osem(Osem.Settings(iterations=passes, subsets=len(data.order))).run(
        data, None, Silent(), lambda n, x: seen.append(data.log_likelihood(x))
    )
    places = np.linspace(0.0, passes - 1.0, steps)
    return np.interp(places, np.arange(passes), np.maximum.accumulate(seen))


def until_likely(
    towards: DataSteps, clean: np.ndarray, target: float, first: int, together: int, most: int
) -> tuple[np.ndarray, int]:
    """Return an image that reaches a log-likelihood, and the subsets used for it.

    None are used where the clean estimate reaches it by itself.

    Args:
        towards: The steps.
        clean: Where they start, and what they are pulled to, shape (X, Y, Z).
        target: Log-likelihood.
        first: Subsets used before.
        together: Steps from one look at the likelihood to the next.
        most: Steps at most.
    """
    used, x = 0, towards(clean, first, 0)
    while used < most and towards.data.log_likelihood(x) < target:
        count = min(together, most - used)
        x = towards.go_on(x, clean, first + used, count)
        used += count
    return x, used
