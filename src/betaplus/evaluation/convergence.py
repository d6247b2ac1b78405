r"""Convergence of Markov chains: split R-hat and effective sample size.

Rank-normalised as in Vehtari, Gelman, Simpson, Carpenter and Buerkner, "Rank-normalization,
folding, and localization: an improved R-hat", Bayesian Analysis 2021, 16:667-718. Chains have
shape (..., M, N): M chains of N draws; leading axes are separate quantities.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

__all__ = [
    "bulk_ess",
    "effective_draws",
    "ensemble_ess",
    "ensemble_sd_error",
    "rank_normalise",
    "split_rhat",
]


def rank_normalise(chains: np.ndarray, axes: int = 2) -> np.ndarray:
    """Return the normal scores of the draws, ranked together over the last `axes` axes."""
    lead = chains.shape[: chains.ndim - axes]
    flat = chains.reshape(*lead, -1)
    scores = ndtri((rankdata(flat, axis=-1) - 0.375) / (flat.shape[-1] + 0.25))
    return scores.reshape(chains.shape)


def split_rhat(chains: np.ndarray) -> np.ndarray:
    """Return the rank-normalised split R-hat, the larger of bulk and folded, shape (...).

    Args:
        chains: Shape (..., M, N); every chain is split into halves.
    """
    halves = _split(chains)
    centre = np.median(halves, axis=(-2, -1), keepdims=True)
    bulk = _rhat(rank_normalise(halves))
    return np.maximum(bulk, _rhat(rank_normalise(np.abs(halves - centre))))


def bulk_ess(chains: np.ndarray) -> np.ndarray:
    """Return the bulk effective sample size of M chains of N draws, shape (...)."""
    return effective_draws(rank_normalise(_split(chains)))


def effective_draws(chains: np.ndarray) -> np.ndarray:
    """Return M N / tau of chains (..., M, N), neither split nor rank-normalised.

    tau is Geyer's initial monotone sequence over the autocorrelation combined from all chains
    (equations 10 to 14 of the paper); the result is at most M N log10(M N).
    """
    within, total = _variances(chains)
    return total / _variance_of_mean(chains, within, total)


def ensemble_ess(chains: np.ndarray) -> np.ndarray:
    """Return the bulk effective sample size of ensembles whose walkers are not independent.

    The walkers of an ensemble move each other, so they do not count as chains. What is a chain is
    the average of the normal scores over an ensemble (Goodman and Weare 2010, section 4): the
    variance of its mean says how many independent draws all walkers are worth.

    Args:
        chains: Shape (..., E, W, N): independent ensembles, walkers, steps.
    """
    scores = rank_normalise(chains, axes=3)
    average = _split(scores.mean(axis=-2))
    within, total = _variances(average)
    return scores.var(axis=(-3, -2, -1)) / _variance_of_mean(average, within, total)


def ensemble_sd_error(chains: np.ndarray) -> np.ndarray:
    """Return the relative Monte Carlo standard error of the SD, shape (...).

    From the squared deviations themselves, not their ranks: a few walkers shut up in a far region
    of negligible mass hardly move ranks, but they do inflate the SD, and differ between ensembles.

    Args:
        chains: Shape (..., E, W, N): independent ensembles, walkers, steps.
    """
    square = (chains - chains.mean(axis=(-3, -2, -1), keepdims=True)) ** 2
    average = _split(square.mean(axis=-2))
    error = np.sqrt(_variance_of_mean(average, *_variances(average)))
    return 0.5 * error / square.mean(axis=(-3, -2, -1))


def _split(chains: np.ndarray) -> np.ndarray:
    half = chains.shape[-1] // 2
    return np.concatenate([chains[..., :half], chains[..., -half:]], axis=-2)


def _variances(chains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance within chains, and of the target as estimated from within and between."""
    n = chains.shape[-1]
    within = chains.var(axis=-1, ddof=1).mean(axis=-1)
    total = within * (n - 1) / n
    if chains.shape[-2] > 1:
        total = total + chains.mean(axis=-1).var(axis=-1, ddof=1)
    return within, total


def _rhat(chains: np.ndarray) -> np.ndarray:
    within, total = _variances(chains)
    return np.sqrt(total / within)


def _variance_of_mean(chains: np.ndarray, within: np.ndarray, total: np.ndarray) -> np.ndarray:
    m, n = chains.shape[-2:]
    covariance = _autocovariance(chains).mean(axis=-2) * n / (n - 1)
    rho = 1.0 - (within[..., None] - covariance) / total[..., None]
    rho[..., 0] = 1.0
    tau = np.empty(rho.shape[:-1])
    for index in np.ndindex(tau.shape):
        tau[index] = _geyer(rho[index])
    return total * np.maximum(tau, 1.0 / np.log10(max(m * n, 10))) / (m * n)


def _autocovariance(chains: np.ndarray) -> np.ndarray:
    """Biased autocovariance at every lag, by Fourier transform."""
    n = chains.shape[-1]
    centred = chains - chains.mean(axis=-1, keepdims=True)
    size = 1 << int(2 * n - 1).bit_length()
    spectrum = np.fft.rfft(centred, size, axis=-1)
    return np.fft.irfft(np.abs(spectrum) ** 2, size, axis=-1)[..., :n] / n


def _geyer(rho: np.ndarray) -> float:
    """-1 + 2 x the sum of the initial positive pairs, made monotone."""
    pairs = rho[: rho.size // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    pairs = pairs[: negative[0]] if negative.size else pairs
    return float(-1.0 + 2.0 * np.minimum.accumulate(pairs).sum()) if pairs.size else 0.0
