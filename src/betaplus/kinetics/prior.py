"""Priors of kinetic parameters.

``default`` is wide and log-uniform; ``published`` is the box of PET-TRACER's MCMC reference (Zhao
et al., arXiv 2509.13614) with k4 at or above 0; ``published-signed`` has its negative k4. A TOML
file may replace any of the default's: ``K1 = {dist = "loguniform", low = 0.01, high = 5}``; a
number alone fixes a parameter: ``VB = 0.05``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtr, ndtri

from betaplus.core.errors import InputError, UsageError
from betaplus.core.limits import read_toml

__all__ = ["PRIORS", "Distribution", "Prior", "find_prior"]

_KINDS = ("uniform", "loguniform", "normal", "lognormal", "fixed")


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A distribution on [low, high]; `mean` and `sd` (of the logarithm for lognormal) if normal.

    One that is ``fixed`` has low = high: the parameter is known.
    """

    dist: str
    low: float
    high: float
    mean: float = 0.0
    sd: float = 1.0

    def __post_init__(self) -> None:
        if self.dist not in _KINDS:
            raise InputError(
                f"dist {self.dist!r} in a prior", f"expected one of {', '.join(_KINDS)}"
            )
        numbers = (self.low, self.high, self.mean, self.sd)
        if not all(isinstance(v, int | float) and np.isfinite(v) for v in numbers):
            raise InputError(f"{self.dist} prior with {numbers}", "expected finite numbers")
        if self.fixed:
            if self.low != self.high:
                raise InputError(
                    f"fixed prior from {self.low:g} to {self.high:g}", "expected low = high"
                )
            return
        if not self.low < self.high:
            raise InputError(f"prior from {self.low:g} to {self.high:g}", "expected low < high")
        if self.sd <= 0:
            raise InputError(f"prior with sd {self.sd:g}", "expected sd above 0")
        if self.dist in ("loguniform", "lognormal") and self.low <= 0:
            raise InputError(f"{self.dist} prior from {self.low:g}", "expected low above 0")

    @classmethod
    def at(cls, value: float) -> Distribution:
        """Return a parameter that is known."""
        return cls(dist="fixed", low=value, high=value)

    @property
    def fixed(self) -> bool:
        """Whether the parameter is known."""
        return self.dist == "fixed"

    def at_probit(self, z: np.ndarray) -> np.ndarray:
        """Return the quantiles at probability Phi(z)."""
        if self.fixed:
            return np.full(np.shape(z), float(self.low))
        p = ndtr(z)
        if self.dist == "uniform":
            return self.low + p * (self.high - self.low)
        if self.dist == "loguniform":
            return self.low * (self.high / self.low) ** p
        log = self.dist == "lognormal"
        low, high = (np.log(self.low), np.log(self.high)) if log else (self.low, self.high)
        edge = ndtr((low - self.mean) / self.sd), ndtr((high - self.mean) / self.sd)
        x = self.mean + self.sd * ndtri(edge[0] + p * (edge[1] - edge[0]))
        x = np.clip(x, low, high)
        return np.exp(x) if log else x

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Return the log density up to a constant; -inf outside [low, high]."""
        inside = (x >= self.low) & (x <= self.high)
        safe = np.where(inside, x, self.low if self.low > 0 else self.high)
        if self.dist in ("uniform", "fixed"):
            value = np.zeros_like(safe, dtype=np.float64)
        elif self.dist == "loguniform":
            value = -np.log(safe)
        elif self.dist == "normal":
            value = -0.5 * ((safe - self.mean) / self.sd) ** 2
        else:
            value = -0.5 * ((np.log(safe) - self.mean) / self.sd) ** 2 - np.log(safe)
        return np.where(inside, value, -np.inf)

    def amplitude(self) -> tuple[int, float, float, float, float, float]:
        """Return kind, centre, width, low, high and what normalises the density, as numbers."""
        kind = _KINDS.index(self.dist)
        numbers = float(self.mean), float(self.sd), float(self.low), float(self.high)
        return kind, *numbers, self._normaliser()

    def _normaliser(self) -> float:
        if self.fixed:
            return 1.0
        if self.dist == "uniform":
            return 1.0 / (self.high - self.low)
        low, high = self.low, self.high
        if self.dist != "normal":
            low, high = float(np.log(low)), float(np.log(high))
        if self.dist == "loguniform":
            return 1.0 / (high - low)
        mass = ndtr((high - self.mean) / self.sd) - ndtr((low - self.mean) / self.sd)
        return float(1.0 / (mass * self.sd * np.sqrt(2.0 * np.pi)))


class Prior(Mapping[str, Distribution]):
    """Independent priors by parameter name: K1, k2, k3, k4, VB, R1, BPND, delay [s] and noise.

    Attributes:
        name: What it is called.
        known_delay: Delay [s] that goes with this prior unless one is asked for, or None.
    """

    def __init__(
        self,
        name: str,
        parameters: Mapping[str, Distribution],
        known_delay: float | None = None,
    ) -> None:
        self.name = name
        self.known_delay = known_delay
        self._parameters = dict(parameters)

    def __getitem__(self, key: str) -> Distribution:
        return self._parameters[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def replaced(self, **parameters: Distribution) -> Prior:
        """Return the prior with some distributions replaced."""
        return Prior(self.name, {**self._parameters, **parameters}, self.known_delay)


def _uniform(low: float, high: float) -> Distribution:
    return Distribution(dist="uniform", low=low, high=high)


def _loguniform(low: float, high: float) -> Distribution:
    return Distribution(dist="loguniform", low=low, high=high)


_DEFAULT = {
    "K1": _loguniform(0.01, 5.0),
    "k2": _loguniform(0.02, 10.0),
    "k3": _loguniform(0.001, 2.0),
    "k4": _loguniform(0.0005, 0.5),
    "VB": _uniform(0.0, 1.0),
    "R1": _uniform(0.1, 3.0),
    "BPND": _uniform(-0.5, 20.0),
    "delay": _uniform(-30.0, 60.0),
    "noise": _loguniform(1e-3, 1e6),
}
_PHYSICAL = {
    "K1": (0.0, 100.0),
    "k2": (0.0, 100.0),
    "k3": (0.0, 100.0),
    "k4": (-1.0, 100.0),
    "VB": (0.0, 1.0),
    "R1": (0.0, 100.0),
    "BPND": (-0.99, 1000.0),
    "delay": (-600.0, 600.0),
    "noise": (0.0, np.inf),
}
_PUBLISHED = _DEFAULT | {
    "K1": _uniform(0.01, 1.0),
    "k2": _uniform(0.01, 2.0),
    "k3": _uniform(0.01, 0.5),
    "k4": _uniform(0.0, 0.1),
    "VB": _uniform(0.03, 0.2),
    "noise": _uniform(2.9, 7.1),
}
PRIORS = {
    "default": Prior("default", _DEFAULT),
    "published": Prior("published", _PUBLISHED, known_delay=0.0),
    "published-signed": Prior(
        "published-signed", _PUBLISHED | {"k4": _uniform(-0.1, 0.1)}, known_delay=0.0
    ),
}


def find_prior(name: str | Path | Prior) -> Prior:
    """Return a prior by name, or read one from a TOML file.

    Raises:
        UsageError: If the name is neither a prior nor a TOML file.
        InputError: If the file holds something other than priors.
    """
    if isinstance(name, Prior):
        return name
    if str(name) in PRIORS:
        return PRIORS[str(name)]
    path = Path(name)
    if path.suffix != ".toml":
        raise UsageError(
            f"prior {str(name)!r} is unknown", f"expected {', '.join(PRIORS)} or a .toml file"
        )
    try:
        table = read_toml(path)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"prior file {path.name} cannot be read: {error}") from error
    parameters = dict(_DEFAULT)
    for key, entry in table.items():
        number = isinstance(entry, int | float) and not isinstance(entry, bool)
        if key not in parameters or not (number or isinstance(entry, dict)):
            raise InputError(
                f"entry {key!r} in {path.name}",
                f"expected {', '.join(parameters)} with dist, low, high, or a number to fix one",
            )
        try:
            parameters[key] = Distribution.at(entry) if number else Distribution(**entry)
        except (TypeError, InputError) as error:
            raise InputError(f"{key} in {path.name}: {error}") from error
        low, high = _PHYSICAL[key]
        if parameters[key].low < low or parameters[key].high > high:
            raise InputError(
                f"{key} in {path.name} runs from {parameters[key].low:g} to"
                f" {parameters[key].high:g}",
                f"expected it within {low:g} to {high:g}",
            )
    return Prior(path.name, parameters)
