"""Curves that a single-input compartment model does and does not describe, at a known noise.

Region curves have a relative SD of 1 to 3 % in late frames, voxels 15 % and more; every curve here
has its own noise level l, so that the root mean square of the relative SD of its last four frames
is the one asked for.

The liver drinks from two vessels. Three quarters and more of its blood comes through the portal
vein, late and smeared out by the gut, and a fit with the artery alone cannot follow the first
minutes (Munk et al., Am J Physiol Gastrointest Liver Physiol 2001; Winterdahl et al., Eur J Nucl
Med Mol Imaging 2011). With a gut of one well-mixed pool the portal curve is the arterial one
convolved with beta exp(-beta t), and its responses follow from the arterial ones exactly:
exp(-alpha t) convolved with it is beta (exp(-alpha t) - exp(-beta t)) / (beta - alpha).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from betaplus.core.input_function import InputCurve
from betaplus.core.seeds import generator
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse
from betaplus.simulation.dynamic import frame_means
from betaplus.simulation.noise import noise_sd

__all__ = [
    "HEPATIC_BLOOD",
    "TISSUES",
    "draw_tissue",
    "frame_shifted",
    "level_at",
    "liver_curves",
    "noisy_curves",
    "sample_shifted",
    "tissue_curves",
]

TISSUES: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "grey matter": {
        "K1": (0.096, 0.119, 0.158),
        "k2": (0.080, 0.163, 0.257),
        "k3": (0.064, 0.108, 0.165),
        "k4": (0.005, 0.012, 0.018),
        "VB": (0.022, 0.027, 0.037),
        "delay": (3.0, 4.0, 5.0),
    },
    "muscle": {
        "K1": (0.026, 0.044, 0.072),
        "k2": (0.19, 0.30, 0.57),
        "k3": (0.017, 0.026, 0.034),
        "k4": (0.009, 0.014, 0.022),
        "VB": (0.0, 0.003, 0.024),
        "delay": (-10.0, -4.0, 1.0),
    },
    "liver": {
        "K1": (0.38, 0.52, 0.74),
        "k2": (0.48, 0.64, 0.96),
        "k3": (0.004, 0.007, 0.011),
        "k4": (0.0, 0.013, 0.028),
        "VB": (0.0, 0.0, 0.002),
        "delay": (3.0, 4.0, 5.0),
    },
}
"""FDG in 80 healthy adults, total-body, 5, 50 and 95 % quantiles [per minute, s]. The liver's
delay is that of its artery here; the table's 7 to 16 s come from fits with one input."""

HEPATIC_BLOOD = (0.10, 0.30)
"""Range of the liver's blood volume where it has one: single-input fits find none."""

_TRANSIT = (20.0, 60.0)  # mean transit through the gut [s]
_PORTAL = (0.75, 0.80)  # of the liver's blood
_LATE = 4
_Z95 = 1.6448536269514722


def draw_tissue(name: str, n: int, seed: int) -> dict[str, np.ndarray]:
    """Draw K1, k2, k3, k4, VB and delay of `n` people from the quantiles of `TISSUES`.

    Two halves of normals that meet at the median have exactly those quantiles; of the logarithm
    for rates, of the number itself where a quantile is 0 and for the delay. VB and k4 stop at 0.
    """
    table = TISSUES[name]
    z = np.array([generator(seed, i, draw=11).standard_normal(len(table)) for i in range(n)])
    out = {}
    for column, (parameter, (low, middle, high)) in enumerate(table.items()):
        score = z[:, column] / _Z95
        log = parameter != "delay" and low > 0
        low, middle, high = np.log((low, middle, high)) if log else (low, middle, high)
        value = middle + np.where(score < 0, (middle - low) * score, (high - middle) * score)
        out[parameter] = np.exp(value) if log else value
        if not log and parameter != "delay":
            out[parameter] = np.maximum(out[parameter], 0.0)
    return out


def liver_curves(
    response: InputResponse, n: int, seed: int, *, blood_volume: bool = False
) -> np.ndarray:
    """Return noise-free liver curves with two inputs, shape (n, T) [input unit].

    Args:
        response: Artery and frames.
        n: Number of curves.
        seed: Seed.
        blood_volume: Whether VB comes from `HEPATIC_BLOOD` (of mixed blood) and not the table.
    """
    import torch

    from betaplus.physics.compartments import exponentials

    drawn = draw_tissue("liver", n, seed)
    u = np.array([generator(seed, i, draw=12).random(3) for i in range(n)])
    beta = SECONDS_PER_MINUTE / (_TRANSIT[0] + (_TRANSIT[1] - _TRANSIT[0]) * u[:, 0])
    share = _PORTAL[0] + (_PORTAL[1] - _PORTAL[0]) * u[:, 1]
    if blood_volume:
        drawn["VB"] = HEPATIC_BLOOD[0] + (HEPATIC_BLOOD[1] - HEPATIC_BLOOD[0]) * u[:, 2]
    curve = response.curve
    of_blood = InputResponse(
        InputCurve(curve.time, curve.whole_blood, curve.whole_blood, curve.unit),
        response.frames,
        response.half_life,
    )
    p = {name: torch.tensor(value) for name, value in drawn.items()}
    rate, portal = torch.tensor(beta), torch.tensor(share)[:, None]
    a1, a2, w1, w2 = exponentials(p["k2"], p["k3"], p["k4"])
    smeared = response.tissue(rate, p["delay"])
    tissue = torch.zeros_like(smeared)
    for alpha, weight in ((a1, w1), (a2, w2)):
        apart = torch.where((rate - alpha).abs() < 1e-6, alpha + 1e-6, alpha)
        artery = response.tissue(apart, p["delay"])
        vein = (rate / (rate - apart))[:, None] * (artery - smeared)
        tissue += weight[:, None] * ((1 - portal) * artery + portal * vein)
    vein = rate[:, None] * of_blood.tissue(rate, p["delay"])
    blood = (1 - portal) * response.blood(p["delay"]) + portal * vein
    VB = p["VB"][:, None]
    return (p["K1"][:, None] * (1 - VB) * tissue + VB * blood).numpy()


def tissue_curves(response: InputResponse, name: str, n: int, seed: int) -> np.ndarray:
    """Return noise-free curves of a tissue with one input, shape (n, T) [input unit]."""
    drawn = draw_tissue(name, n, seed)
    delay = drawn.pop("delay")
    return frame_means(response, drawn, delay)


def level_at(response: InputResponse, clean: np.ndarray, late_sd: float) -> np.ndarray:
    """Return the noise level l at which late frames have a relative SD of `late_sd`, shape (n,)."""
    unit = _unit_sd(response, clean)[:, -_LATE:] / clean[:, -_LATE:]
    return late_sd / np.sqrt((unit**2).mean(axis=1))


def noisy_curves(
    response: InputResponse, clean: np.ndarray, late_sd: float, seed: int
) -> np.ndarray:
    """Return curves with the noise of the model at `late_sd`, shape (n, T) [input unit]."""
    sd = level_at(response, clean, late_sd)[:, None] * _unit_sd(response, clean)
    white = [generator(seed, i, draw=13).standard_normal(clean.shape[1]) for i in range(len(clean))]
    return clean + sd * np.array(white)


def frame_shifted(noisy: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return curves whose every value stands one frame too late, shape (n, T).

    Args:
        noisy: Curves, shape (n, T).
        first: What stands in the first frame then, shape (n,): a frame from before injection.
    """
    return np.concatenate([np.reshape(first, (-1, 1)), noisy[:, :-1]], axis=1)


def sample_shifted(curve: InputCurve) -> InputCurve:
    """Return an input function whose every value stands one sample too late."""

    def later(values: np.ndarray) -> np.ndarray:
        return np.r_[0.0, values[:-1]]

    return InputCurve(curve.time, later(curve.plasma), later(curve.whole_blood), curve.unit)


def _unit_sd(response: InputResponse, clean: np.ndarray) -> np.ndarray:
    gain = noise_gain(response.frames, response.half_life)
    return noise_sd(clean, 1.0, gain, noise_floor(response))
