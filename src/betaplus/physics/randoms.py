r"""Randoms from delayed coincidences.

Delayed coincidences of two crystals have the mean :math:`r_i r_j`; a bin of the sinogram collects
the ring pairs of its plane, :math:`\bar y_b = \sum_{(i, j) \in b} r_i r_j`. Rates are those of
maximum likelihood, by fan sums (Casey and Hoffman, J Comput Assist Tomogr 1986, 10:845-850; Hogg et
al., IEEE NSS 2001; Panin et al., IEEE TNS 2008, 55:2490-2497, for compressed data):

- E: the counts of a bin are shared among its ring pairs in proportion to their means, which gives
  each crystal a fan sum :math:`F_i = r_i \sum_b (y_b / \bar y_b) r_{j(b)}`.
- M: :math:`\sum F_i \ln r_i - \sum_{ij} r_i r_j` is maximised by repeating
  :math:`r_i \leftarrow r_i \sqrt{F_i / (r_i S_i)}` with :math:`S_i = \sum_j r_j` over the fan,
  the maximum of the minorant from :math:`2 r_i r_j \le r_i^2 r_j' / r_i' + r_j^2 r_i' / r_j'`.

Neither step ever loses likelihood. Without axial compression one E step is all it takes.

With few counts, crystals borrow from each other: rates are gamma distributed about a separable mean
:math:`\mu_i` (ring x block around the ring x place in the block), which is fitted first, and the M
step maximises :math:`\sum (F_i + \kappa) \ln r_i - \kappa r_i / \mu_i - \sum r_i r_j`, whose
minorant asks for the root of a quadratic. The relative spread :math:`\sigma^2 = 1 / \kappa` comes
from the data (empirical Bayes, by moments): at :math:`\mu` the score :math:`s_i = F_i - \mu_i S_i`
has :math:`E |s|^2 = \mathrm{tr} I + \sigma^2 \mathrm{tr} I^2` with the Fisher information I of the
logarithms, whose traces one random vector of signs gives (Hutchinson 1990). That has a variance of
:math:`2 / \mathrm{tr} I^2`, by which it is averaged with what is usual, .01 give or take .01.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.scanner import Scanner
from betaplus.core.seeds import generator
from betaplus.physics.randoms_model import CrystalPairs

__all__ = ["estimate_singles", "randoms_from_delayeds", "randoms_mean"]

_INNER = 12  # repeats of the M step; each halves what is left
_SMOOTH = 3  # passes through the data for the separable mean
_LEAST_SPREAD = 1e-3
_USUAL_SPREAD = 0.1  # of crystals in their blocks: its square is expected, give or take as much
_ROUNDING = 1e-12
_FARTHEST = 1.0  # that a leap takes a logarithm
_STEP = 0.01  # of the logarithms in the derivative for the traces

Watch = Callable[[int, np.ndarray], None]
"""Called with the number of passes done and the rates (rings, detectors)."""


def randoms_from_delayeds(
    delayeds: np.ndarray,
    scanner: Scanner,
    *,
    iterations: int = 14,
    smooth: bool = True,
    threads: int | None = None,
) -> np.ndarray:
    """Return the mean of randoms among the prompts that delayeds speak for.

    Arguments and errors are those of `estimate_singles`.

    Returns:
        Shape (view, radial, plane), float32, all time-of-flight bins together; 0 on gaps. It has as
        many counts as the delayeds.
    """
    rates = estimate_singles(
        delayeds, scanner, iterations=iterations, smooth=smooth, threads=threads
    )
    return randoms_mean(rates, scanner, threads=threads)


def randoms_mean(rates: np.ndarray, scanner: Scanner, *, threads: int | None = None) -> np.ndarray:
    """Return the mean of randoms in each bin, pairs of rings added up.

    Args:
        rates: Of the crystals, shape (rings, detectors), in roots of counts.
        scanner: The scanner.
        threads: Threads; the cores available if None. Results do not depend on it.

    Returns:
        Shape (view, radial, plane), float32; 0 on gaps.
    """
    expected = (scanner.rings, scanner.detectors)
    if rates.shape != expected:
        raise InputError(f"rates of shape {rates.shape}", f"expected {expected}")
    model = CrystalPairs(scanner, threads)
    return model.mean(np.ascontiguousarray(rates.T, dtype=np.float64))


def estimate_singles(
    delayeds: np.ndarray,
    scanner: Scanner,
    *,
    iterations: int = 14,
    smooth: bool = True,
    spread: float | None = None,
    tolerance: float = 1e-3,
    threads: int | None = None,
    watch: Watch | None = None,
) -> np.ndarray:
    """Return the rates of crystals that explain the delayeds.

    Args:
        delayeds: Counts, shape (view, radial, plane).
        scanner: The scanner.
        iterations: Passes through the data at most, after those for the separable mean.
        smooth: Whether crystals borrow from each other; plain maximum likelihood if False.
        spread: Relative spread of crystals about the separable mean; from the data if None.
        tolerance: End when a pass gains less log-likelihood per crystal; noise is worth about .5.
        threads: Threads; the cores available if None. Results do not depend on it.
        watch: Told of the rates after each pass that leads on.

    Returns:
        Shape (rings, detectors), float64, in roots of counts; 0 on gaps. Their mean sinogram has as
        many counts as the delayeds.

    Raises:
        InputError: If there are counts on gaps, negative ones or some that are not numbers.
        UsageError: If iterations or spread are out of range.
    """
    if iterations < 1:
        raise UsageError(f"{iterations} iterations", "expected 1 or more")
    if spread is not None and not 0.0 < spread <= 10.0:
        raise UsageError(f"a spread of crystals of {spread:g}", "expected above 0 up to 10")
    counts = _checked(delayeds, scanner)
    total = float(counts.sum(dtype=np.float64))
    model = CrystalPairs(scanner, threads)
    rates = model.uniform(total)
    kappa, centre = 0.0, rates
    if smooth and rates.any():
        rates = centre = _separable(counts, model, rates)
        if spread is None:
            spread = _spread(counts, model, centre)
        kappa = 1.0 / spread**2
    if rates.any():
        rates = _climb(counts, model, rates, kappa, centre, iterations, tolerance, watch)
    return np.ascontiguousarray(model.scaled(rates, total).T)


def _climb(
    counts: np.ndarray,
    model: CrystalPairs,
    rates: np.ndarray,
    kappa: float,
    centre: np.ndarray,
    iterations: int,
    tolerance: float,
    watch: Watch | None,
) -> np.ndarray:
    """Return the rates after some EM steps and leaps along them, never downhill."""
    trail: list[np.ndarray] = []  # points since the last leap, each the EM step of the one before
    safe, best = rates, -np.inf
    for n in range(iterations):
        fans, fit = model.fans_and_fit(counts, rates)
        height = fit - model.total(rates) + _log_prior(rates, kappa, centre)
        if n > 0 and not height >= best - _ROUNDING * abs(best):
            rates, trail = safe, []
            continue
        enough = height - best <= tolerance * np.count_nonzero(rates)
        before, best = rates, height
        for _ in range(_INNER):
            rates = _step(fans, rates, model.partners(rates), kappa, centre)
        if kappa == 0.0:
            rates = model.scaled(rates, 0.5 * float(fans.sum()))
        safe = rates
        if watch is not None:
            watch(n + 1, rates.T.copy())
        if enough:
            break
        trail = [*trail, rates] if trail else [before, rates]
        if len(trail) == 3 and n + 1 < iterations:
            rates, trail = _leap(*trail), []
    return safe


def _leap(one: np.ndarray, two: np.ndarray, three: np.ndarray) -> np.ndarray:
    """Extrapolate the logarithms of three points (Varadhan and Roland, Scand J Stat 2008)."""
    positive = (one > 0.0) & (two > 0.0) & (three > 0.0)
    a, b, c = (np.log(x[positive]) for x in (one, two, three))
    first, bend = b - a, (c - b) - (b - a)
    size = float(np.linalg.norm(bend))
    stride = max(1.0, float(np.linalg.norm(first)) / size) if size > 0.0 else 1.0
    change = a + 2.0 * stride * first + stride * stride * bend - c
    out = three.copy()
    out[positive] *= np.exp(np.clip(change, -_FARTHEST, _FARTHEST))
    return out


def _log_prior(rates: np.ndarray, kappa: float, centre: np.ndarray) -> float:
    """Return the logarithm of the gamma density of the rates' logarithms, but for a constant."""
    if kappa == 0.0:
        return 0.0
    share = rates[centre > 0.0] / centre[centre > 0.0]
    return kappa * float(np.sum(np.log(share) - share))


def _step(
    fans: np.ndarray, rates: np.ndarray, partners: np.ndarray, kappa: float, centre: np.ndarray
) -> np.ndarray:
    """Return the maximum of the minorant at some rates."""
    pull = np.zeros_like(rates)
    np.divide(kappa * rates, centre, out=pull, where=centre > 0.0)
    top = fans + kappa * (centre > 0.0)
    below = pull + np.sqrt(pull * pull + 4.0 * partners * rates * top)
    out = np.zeros_like(rates)
    np.divide(2.0 * top * rates, below, out=out, where=below > 0.0)
    return out


def _separable(counts: np.ndarray, model: CrystalPairs, rates: np.ndarray) -> np.ndarray:
    """Return the rates, a product of ring, block and place in the block, of most likelihood."""
    detectors, rings = rates.shape
    size = model.scanner.block + model.scanner.gap
    shape = (detectors // size, size, rings)  # block, place, ring
    for _ in range(_SMOOTH):
        fans = model.fans(counts, rates).reshape(shape)
        for _ in range(_INNER):
            for axes in ((0, 1), (1, 2), (0, 2)):
                found = (rates * model.partners(rates)).reshape(shape).sum(axes, keepdims=True)
                factor = np.zeros_like(found)
                np.divide(fans.sum(axes, keepdims=True), found, out=factor, where=found > 0.0)
                rates = (rates.reshape(shape) * np.sqrt(factor)).reshape(detectors, rings)
    return rates


def _spread(counts: np.ndarray, model: CrystalPairs, centre: np.ndarray) -> float:
    """Return the relative spread of crystals about the separable mean, by moments of the score."""
    expected = centre * model.partners(centre)
    score = model.fans(counts, centre) - expected
    signs = generator(0).choice([-1.0, 1.0], centre.shape)
    moved = model.mean(centre * np.exp(_STEP * signs))
    information = (model.fans(moved, centre) - expected) / _STEP  # times the signs
    excess = float(np.sum(score * score) - np.sum(signs * information))
    square = float(np.sum(information * information))
    precision, usual = 0.5 * square, _USUAL_SPREAD**-4
    variance = (0.5 * excess + usual * _USUAL_SPREAD**2) / (precision + usual)
    return float(np.sqrt(np.clip(variance, _LEAST_SPREAD**2, 1.0)))


def _checked(delayeds: np.ndarray, scanner: Scanner) -> np.ndarray:
    if delayeds.shape != scanner.shape[:3]:
        raise InputError(
            f"delayeds of shape {delayeds.shape}",
            f"expected {scanner.shape[:3]} as {scanner.name} has",
        )
    counts = np.ascontiguousarray(delayeds, dtype=np.float32)
    low = float(counts.min(initial=0.0))  # NaN where anything is
    if not low >= 0.0 or not np.isfinite(counts.max(initial=0.0)):
        what = "negative values" if low < 0.0 else "values that are not numbers"
        raise InputError(f"delayeds with {what}", "expected counts from 0")
    astray = float(counts[~scanner.live].sum(dtype=np.float64))
    if astray > 0.0:
        raise InputError(
            f"{astray:g} delayeds on lines of {scanner.name} without crystals",
            "expected none there",
            "check that the sinogram is in the scanner's order of views and bins",
        )
    return counts
