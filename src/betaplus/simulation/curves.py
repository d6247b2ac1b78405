"""Time-activity curves drawn from a prior, with the parameters they came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.seeds import generator
from betaplus.core.tacs import TacTable
from betaplus.core.units import PARAMETER_UNITS
from betaplus.simulation.dynamic import frame_means
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.noise import noise_at_dose, noise_sd
from betaplus.simulation.tracers import find_profile

if TYPE_CHECKING:
    from betaplus.physics.response import InputResponse

__all__ = ["PUBLISHED_BOX", "BoxPrior", "draw_tacs", "simulate_tacs"]

BoxPrior = Mapping[str, tuple[str, float, float]]
"""Parameter to (``uniform`` or ``loguniform``, low, high)."""

PUBLISHED_BOX: BoxPrior = {
    "K1": ("uniform", 0.01, 1.0),
    "k2": ("uniform", 0.01, 2.0),
    "k3": ("uniform", 0.01, 0.5),
    "k4": ("uniform", 0.0, 0.1),
    "VB": ("uniform", 0.03, 0.2),
    "delay": ("uniform", 0.0, 0.0),
    "noise": ("uniform", 2.9, 7.1),
}
"""The box of PET-TRACER's MCMC reference (arXiv 2509.13614) with k4 at or above 0."""

_ORDER = ("K1", "k2", "k3", "k4", "VB", "delay", "noise")
_NEEDED = ("K1", "k2", "VB", "noise")


def draw_tacs(
    response: InputResponse,
    prior: BoxPrior = PUBLISHED_BOX,
    n: int = 100,
    seed: int = 0,
    *,
    dose_fraction: float = 1.0,
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Draw parameters from a prior and the curves they give.

    Every curve has its own generator: the first curves of a long table are those of a short one.

    Args:
        response: Input function and frames [Bq/mL].
        prior: Distribution of K1, k2, VB and noise, and of k3, k4 and delay where they vary; low =
            high fixes a parameter.
        n: Number of curves.
        seed: Seed.
        dose_fraction: Fraction of the counts that is kept; noise is divided by its root.

    Returns:
        Parameters (name to shape (n,); ``noise`` is l at the dose of the curves), noise-free frame
        means (n, T) and noisy ones (n, T) [Bq/mL].

    Raises:
        InputError: If the prior lacks a parameter, or an entry is no distribution.
        UsageError: If a number is out of range.
    """
    from betaplus.physics.noise import noise_floor, noise_gain

    if n < 1:
        raise UsageError(f"{n} curves", "expected at least 1")
    names = _checked(prior)
    uniform = np.array([generator(seed, i, draw=0).random(len(_ORDER)) for i in range(n)])
    parameters = {
        name: _at(prior[name], uniform[:, column])
        for column, name in enumerate(_ORDER)
        if name in names
    }
    parameters["noise"] = parameters["noise"] * noise_at_dose(1.0, dose_fraction)
    rates = {name: parameters[name] for name in names if name not in ("delay", "noise")}
    clean = frame_means(response, rates, parameters.get("delay", 0.0))
    gain, floor = noise_gain(response.frames, response.half_life), noise_floor(response)
    sd = noise_sd(clean, parameters["noise"][:, None], gain, floor)
    size = clean.shape[1]
    white = np.array([generator(seed, i, draw=1).standard_normal(size) for i in range(n)])
    return parameters, clean, clean + sd * white


def simulate_tacs(
    out: str | Path,
    *,
    prior: BoxPrior = PUBLISHED_BOX,
    n: int = 100,
    tracer: str = "FDG",
    dose_fraction: float = 1.0,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, Path]:
    """Simulate curves from a prior and write them, the blood and the truth.

    Args:
        out: Folder to write to.
        prior: As for `draw_tacs`.
        n: Number of curves.
        tracer: ``FDG`` or ``PBR28``: half-life, frames and blood.
        dose_fraction: Fraction of the counts that is kept.
        seed: Chooses the blood, the parameters and the noise.
        overwrite: Replace files of an earlier simulation.

    Returns:
        What was written: ``tacs``, ``blood``, ``description`` and ``truth/kinpar``, name to path.

    Raises:
        InputError: If the prior is no prior.
        UsageError: If a name is unknown or a number is out of range.
        OutputError: If the files exist or cannot be written.
    """
    from betaplus.io.derivatives import (
        write_blood,
        write_dataset_description,
        write_table,
        write_tacs,
    )
    from betaplus.physics.response import InputResponse
    from betaplus.simulation.dataset import pet_fields, refuse_existing

    out = Path(out)
    refuse_existing(out, overwrite)
    profile = find_profile(tracer)
    frames = profile.frames
    end = float(frames.end[-1])
    rng = generator(seed, item=0, draw=5)
    blood = draw_blood(profile.blood, profile.activity_per_gram, end, rng)
    response = InputResponse(blood.curve(end), frames, profile.tracer.half_life)
    parameters, _, noisy = draw_tacs(response, prior, n, seed, dose_fraction=dose_fraction)
    names = tuple(f"curve-{i + 1:0{max(4, len(str(n)))}d}" for i in range(n))
    table = TacTable(
        values=noisy,
        frames=frames,
        unit="Bq/mL",
        names=names,
        tracer=profile.tracer,
        decay_corrected_to=0.0,
        metadata=pet_fields(profile),
    )
    paths = {
        "description": out / "dataset_description.json",
        "blood": out / "sub-01_recording-manual_blood.tsv",
        "tacs": out / "sub-01_tacs.tsv",
        "truth/kinpar": out / "truth" / "sub-01_kinpar.tsv",
    }
    truth: dict[str, Any] = {**parameters, **_macro(parameters)}
    units = {name: {"Units": PARAMETER_UNITS[name]} for name in truth}
    write_dataset_description(out, f"Simulated {profile.tracer.name} curves")
    write_blood(paths["blood"], blood)
    write_table(paths["truth/kinpar"], {"region": names, **truth}, units)
    write_tacs(paths["tacs"], table)
    return paths


def _checked(prior: BoxPrior) -> list[str]:
    missing = [name for name in _NEEDED if name not in prior]
    unknown = [name for name in prior if name not in _ORDER]
    if missing or unknown:
        found = f"no {', '.join(missing)}" if missing else f"an unknown {unknown[0]!r}"
        raise InputError(f"{found} in the prior of curves", f"expected {', '.join(_ORDER)}")
    if "k4" in prior and "k3" not in prior:
        raise InputError("k4 without k3 in the prior of curves", "expected both or neither")
    for name, (kind, low, high) in prior.items():
        if kind not in ("uniform", "loguniform") or not -np.inf < low <= high < np.inf:
            raise InputError(
                f"prior of {name} is {kind} from {low:g} to {high:g}",
                "expected uniform or loguniform with low at most high",
            )
        if kind == "loguniform" and low <= 0:
            raise InputError(f"loguniform prior of {name} from {low:g}", "expected low above 0")
    return [name for name in _ORDER if name in prior]


def _at(entry: tuple[str, float, float], u: np.ndarray) -> np.ndarray:
    kind, low, high = entry
    return low * (high / low) ** u if kind == "loguniform" else low + (high - low) * u


def _macro(p: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Ki and VT; VT is n/a where k4 is not above 0."""
    if "k3" not in p:
        return {"VT": p["K1"] / p["k2"]}
    out = {"Ki": p["K1"] * p["k3"] / (p["k2"] + p["k3"])}
    if "k4" in p:
        k4 = np.where(p["k4"] > 0, p["k4"], np.nan)
        out["VT"] = p["K1"] / p["k2"] * (1 + p["k3"] / k4)
    return out
