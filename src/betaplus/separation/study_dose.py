r"""How large the curves of tracers are whose blood was not measured.

The curves of a population are those of its usual dose and body. With amplitudes a_i the mean curve
of the tissue is Gaussian, of mean :math:`\sum a_i d_i \mu_i` and covariance
:math:`\sum a_i^2 D_i B_i B_i^T D_i` and what the model is off by; the most probable amplitudes
under a log-normal prior are taken (empirical Bayes: Carlin and Louis, 2000).
"""

from __future__ import annotations

import numpy as np

from betaplus.separation.basis import CurveSpace

__all__ = ["amplitudes"]

_SPREAD = 0.7  # SD of the logarithm of an amplitude, before anything is seen; nominal
_MEAN = 0.1  # variance of the mean of a head over that of its regions' curves; nominal
_OFF = 0.03  # of the largest mean: error of the model in every frame; nominal
_REACH = 2.5  # of the logarithm
_STEPS = 26
_ROUNDS = 3


def amplitudes(
    mean: np.ndarray,
    spaces: tuple[CurveSpace, CurveSpace],
    decay: np.ndarray,
    free: tuple[bool, bool],
) -> tuple[float, float]:
    """Return by how much the curves of each tracer are larger than those of its space.

    Args:
        mean: Of the tissue, not decay-corrected, shape (T,) [unit of the spaces].
        spaces: Of both tracers.
        decay: d, shape (2, T).
        free: Whether a tracer's amplitude is looked for; else it is 1.
    """
    if not any(free):
        return 1.0, 1.0
    centre, reach = np.zeros(2), _REACH
    for _ in range(_ROUNDS):
        steps = np.linspace(-reach, reach, _STEPS + 1)
        first, second = (c + steps if f else np.zeros(1) for c, f in zip(centre, free, strict=True))
        grid = np.stack([g.ravel() for g in np.meshgrid(first, second, indexing="ij")], 1)
        centre = grid[int(np.argmax(_log_posterior(grid, mean, spaces, decay)))]
        reach *= 3.0 / _STEPS
    return float(np.exp(centre[0])), float(np.exp(centre[1]))


def _log_posterior(
    log: np.ndarray, mean: np.ndarray, spaces: tuple[CurveSpace, CurveSpace], decay: np.ndarray
) -> np.ndarray:
    """Return it for amplitudes exp(log), shape (G, 2)."""
    a = np.exp(log)
    shown = [d * s.mean for d, s in zip(decay, spaces, strict=True)]
    spread = [d[:, None] * s.basis for d, s in zip(decay, spaces, strict=True)]
    left = mean - a @ np.stack(shown)
    covariance = _MEAN * sum(a[:, i, None, None] ** 2 * (b @ b.T) for i, b in enumerate(spread))
    covariance = covariance + (_OFF * float(mean.max())) ** 2 * np.eye(len(mean))
    _, size = np.linalg.slogdet(covariance)
    solved = np.linalg.solve(covariance, left[..., None])[..., 0]
    return np.asarray(
        -0.5 * (size + np.sum(left * solved, 1)) - 0.5 * np.sum((log / _SPREAD) ** 2, 1)
    )
