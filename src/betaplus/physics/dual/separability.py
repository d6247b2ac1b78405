r"""How well two tracers of one scan can be told apart at all: the Cramer-Rao bound.

With J the derivatives of the mixture by the kinetic parameters of both tracers and W the precision
of the frames, no unbiased estimate of a parameter has less variance than its entry on the diagonal
of :math:`(J^T W J)^{-1}` (Kay, Fundamentals of Statistical Signal Processing: Estimation Theory,
1993, chapter 3; for a function of them, by its gradient). For one tracer alone in the same frames J
has that tracer's columns only. The ratio of the two SDs is what the second tracer costs, however
the scan is analysed.

The bound is one of unbiased estimators. A method with a prior can have less error, at the price of
answering with its prior where the ratio is large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.core.tracer import Tracer
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.physics.compartments import find_model, macro_parameters, predict
from betaplus.physics.dual.mixing import Mixing
from betaplus.physics.response import InputResponse

__all__ = ["Separability", "TracerKinetics", "macro_gradients", "separability"]

_SINGULAR = 1e-13  # of the scaled information: an eigenvalue below it is none


@dataclass(frozen=True, eq=False, kw_only=True)
class TracerKinetics:
    """One tracer of a protocol.

    Attributes:
        tracer: Radionuclide and name.
        injection: Its injection [s from TimeZero].
        curve: Its input, in its own time and decay-corrected to its injection.
        model: Compartment model, of `betaplus.physics.compartments.MODELS`.
        values: Parameters of the model; K1 [mL/cm3/min], rates [1/min], VB.
        arrival: Arrival at the tissue after the blood sampler [s].
        fixed: Parameters that are known, such as VB.
    """

    tracer: Tracer
    injection: float
    curve: InputCurve
    model: str
    values: Mapping[str, float]
    arrival: float = 0.0
    fixed: tuple[str, ...] = ()

    @property
    def free(self) -> tuple[str, ...]:
        """Parameters that are estimated, in the order of the model."""
        return tuple(p for p in find_model(self.model).parameters if p not in self.fixed)


@dataclass(frozen=True, eq=False, kw_only=True)
class Separability:
    """Bounds for each tracer: parameter or macro-parameter to what no unbiased estimate beats.

    Attributes:
        names: Names of the tracers.
        values: True values, one mapping per tracer.
        dual: SD with both tracers in the scan.
        alone: SD with that tracer alone in the same frames.
        inflation: The ratio of the two.
        means: Noise-free mixture, shape (T,).
    """

    names: tuple[str, ...]
    values: tuple[dict[str, float], ...]
    dual: tuple[dict[str, float], ...]
    alone: tuple[dict[str, float], ...]
    means: np.ndarray
    inflation: tuple[dict[str, float], ...] = field(init=False)

    def __post_init__(self) -> None:
        ratio = tuple(
            {name: sd / one[name] if one[name] > 0 else np.inf for name, sd in both.items()}
            for both, one in zip(self.dual, self.alone, strict=True)
        )
        object.__setattr__(self, "inflation", ratio)


def separability(
    frames: FrameTiming,
    parts: Sequence[TracerKinetics],
    *,
    level: float = 5.0,
    floor: float = 0.0,
    noise: str = "mixture",
    precision: np.ndarray | None = None,
) -> Separability:
    """Return the bounds of a protocol.

    Args:
        frames: Frame timing from TimeZero.
        parts: The tracers.
        level: l of the noise, whose variance is l^2 (m + floor) / D with m the activity in the
            frame, not decay-corrected, and D its duration [min] (`betaplus.physics.noise`). Ratios
            do not depend on it.
        floor: Activity that is added to m [unit of the inputs].
        noise: What a tracer alone is measured with: ``mixture``, the noise of the dual scan, so
            that the ratio is the cost of not knowing which is which; or ``own``, the noise of its
            own activity, so that the counts of the other tracer count as well.
        precision: One over the variance of each frame, shape (T,), in place of that model.

    Raises:
        UsageError: If a setting is out of range, or a frame would have no noise.
    """
    if noise not in ("mixture", "own"):
        raise UsageError(f"noise {noise!r} is unknown", "expected mixture or own")
    mixing = Mixing(frames, [p.tracer for p in parts], [p.injection for p in parts])
    curves, slopes = [], []
    for i, part in enumerate(parts):
        mean, slope = _curve(part, mixing, i)
        curves.append(mean)
        slopes.append(slope)
    mixture = np.sum(curves, axis=0)
    minutes = frames.duration / SECONDS_PER_MINUTE

    def weights(mean: np.ndarray) -> np.ndarray:
        if precision is not None:
            return np.asarray(precision, dtype=np.float64)
        activity = np.maximum(mean, 0.0) + floor
        seen = activity > 0
        out = np.zeros(activity.shape)
        out[seen] = minutes[seen] / (level**2 * activity[seen])
        return out

    covariance = _inverse_information(np.concatenate(slopes), weights(mixture))
    dual, alone, values = [], [], []
    first = 0
    for i, part in enumerate(parts):
        size = len(slopes[i])
        own = mixture if noise == "mixture" else curves[i]
        single = _inverse_information(slopes[i], weights(own))
        truth, gradients = macro_gradients(part)
        values.append(truth)
        block = covariance[first : first + size, first : first + size]
        dual.append(_deviations(block, gradients))
        alone.append(_deviations(single, gradients))
        first += size
    return Separability(
        names=tuple(p.tracer.name or p.tracer.radionuclide for p in parts),
        values=tuple(values),
        dual=tuple(dual),
        alone=tuple(alone),
        means=mixture,
    )


def macro_gradients(part: TracerKinetics) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Return parameters and macro-parameters, and their gradients by the free parameters."""
    model = find_model(part.model)
    free = torch.tensor([part.values[p] for p in part.free], dtype=torch.float64)

    def macros(theta: Tensor) -> dict[str, Tensor]:
        values = _parameters(part, theta)
        return {**{p: values[p] for p in part.free}, **macro_parameters(model, values)}

    truth = {name: float(value) for name, value in macros(free).items()}
    gradients = {}
    for name in truth:
        leaf = free.clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(macros(leaf)[name], leaf)
        gradients[name] = slope.numpy()
    return truth, gradients


def _curve(part: TracerKinetics, mixing: Mixing, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a tracer's share of the mixture (T,) and its derivatives by parameters (P, T)."""
    seen = mixing.seen[i]
    response = InputResponse(part.curve, mixing.own_frames(i), part.tracer.half_life)
    theta = torch.tensor([part.values[p] for p in part.free], dtype=torch.float64)

    rows = theta.repeat(len(response.frames), 1).requires_grad_(True)
    curves = predict(response, _parameters(part, rows))  # the same curve in every row
    (slope,) = torch.autograd.grad(curves.diagonal().sum(), rows)  # frame f by row f
    decay = mixing.decay[i, seen]
    means = np.zeros(seen.size)
    means[seen] = decay * curves[0].detach().numpy()
    slopes = np.zeros((theta.numel(), seen.size))
    slopes[:, seen] = decay * slope.numpy().T
    return means, slopes


def _parameters(part: TracerKinetics, free: Tensor) -> dict[str, Tensor]:
    values = dict(zip(part.free, free.unbind(-1), strict=True))
    for name in part.fixed:
        values[name] = free.new_full(free.shape[:-1], part.values[name])
    return {**values, "delay": free.new_full(free.shape[:-1], part.arrival)}


def _inverse_information(slopes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return (J'WJ)^-1, shape (P, P); infinite where the frames leave a parameter open."""
    scaled = slopes * np.sqrt(weights)
    size = np.linalg.norm(scaled, axis=1)
    if (size <= 0).any():
        return np.full((len(slopes), len(slopes)), np.inf)
    # by singular values of J, whose condition is the root of that of the information
    _, s, vt = np.linalg.svd((scaled / size[:, None]).T, full_matrices=False)
    if len(s) < len(slopes) or s[-1] ** 2 < _SINGULAR * s[0] ** 2:
        return np.full((len(slopes), len(slopes)), np.inf)
    root = vt.T / s / size[:, None]
    return np.asarray(root @ root.T)


def _deviations(covariance: np.ndarray, gradients: Mapping[str, np.ndarray]) -> dict[str, float]:
    if not np.isfinite(covariance).all():
        return dict.fromkeys(gradients, float("inf"))
    return {name: float(np.sqrt(g @ covariance @ g)) for name, g in gradients.items()}
