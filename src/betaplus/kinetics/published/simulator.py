"""The published simulator: parameters, input functions and noisy curves to learn from.

What the description leaves open is chosen here: the spread of Feng's input functions about the
population's FDG curve (log-normal, with the injected activity), their arrival, and the scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.seeds import generator
from betaplus.kinetics.published.curves import MINUTES, feng_response, noise_sd

__all__ = [
    "HIGH",
    "LOW",
    "SCALE",
    "Simulated",
    "from_standard",
    "simulate",
    "to_standard",
    "within",
]

SCALE = 1e4
"""What curves and input functions are divided by [Bq/mL]; half the dose is another distribution."""

LOW = np.array([0.02, 0.1, 0.02, -0.1, 0.03])
HIGH = np.array([1.0, 2.0, 0.5, 0.1, 0.2])
"""Bounds of the uniform priors of K1, k2, k3, k4, VB."""

_CENTRE, _SPREAD = 0.5 * (LOW + HIGH), (HIGH - LOW) / np.sqrt(12.0)
_LEVEL = (3.0, 6.0)  # l [sqrt(Bq/mL min)]

_AMPLITUDES = np.array([140.6, 3.615, 3.438])  # A1 [SUV/min], A2, A3 [SUV], FDG
_RATES = np.array([4.134, 0.1191, 0.01043])  # [1/min]
_AMPLITUDE_SPREAD = np.array([0.5, 0.3, 0.2])  # SD of logarithms
_RATE_SPREAD = np.array([0.3, 0.3, 0.2])
_ACTIVITY, _ACTIVITY_SPREAD = 2000.0, 0.5  # 1 SUV [Bq/mL]
_ARRIVAL = (5 / 60, 45 / 60)  # [min]


@dataclass(frozen=True, eq=False)
class Simulated:
    """Simulated curves.

    Attributes:
        theta: K1, k2, k3, k4, VB, shape (n, 5).
        clean: Without noise, shape (n, 35) [Bq/mL].
        curves: With noise, likewise.
        blood: The input function at frame ends, likewise.
        level: l, shape (n,).
    """

    theta: np.ndarray
    clean: np.ndarray
    curves: np.ndarray
    blood: np.ndarray
    level: np.ndarray

    def condition(self) -> np.ndarray:
        """Return what the network sees, [TAC, AIF] over the scale, shape (n, 70) float32."""
        return np.concatenate([self.curves, self.blood], axis=1).astype(np.float32) / SCALE


def to_standard(theta: np.ndarray) -> np.ndarray:
    """Return parameters with mean 0 and SD 1 under the simulator's uniform priors, (..., 5)."""
    return (theta - _CENTRE) / _SPREAD


def from_standard(x: np.ndarray) -> np.ndarray:
    """Return the parameters of standardised ones, (..., 5)."""
    return _CENTRE + _SPREAD * x


def within(theta: np.ndarray) -> np.ndarray:
    """Return parameters moved into the simulator's box, (..., 5)."""
    return np.clip(theta, LOW, HIGH)


def simulate(n: int, seed: int, item: int = 0) -> Simulated:
    """Return n curves, each with an input function of its own.

    Args:
        n: How many.
        seed: Seed of the set.
        item: Which block of the set.
    """
    rng = generator(seed, item, draw=50)
    theta = rng.uniform(LOW, HIGH, (n, 5))
    level = rng.uniform(*_LEVEL, n)
    activity = _ACTIVITY * np.exp(_ACTIVITY_SPREAD * rng.standard_normal((n, 1)))
    amplitudes = activity * _AMPLITUDES * np.exp(_AMPLITUDE_SPREAD * rng.standard_normal((n, 3)))
    rates = _RATES * np.exp(_RATE_SPREAD * rng.standard_normal((n, 3)))
    arrival = rng.uniform(*_ARRIVAL, n)
    clean, blood = feng_response(theta, amplitudes, rates, arrival)
    sd = noise_sd(clean, level[:, None])
    noisy = clean + sd * rng.standard_normal((n, MINUTES.size))
    return Simulated(theta, clean, noisy, blood, level)
