"""Compartment models: rate constants to curves, and the macro-parameters they imply.

1TCM: K1, k2. 2TCM3k: K1, k2, k3 (irreversible). 2TCM: K1, k2, k3, k4. All with a vascular
fraction VB: C = (1 - VB) C_tissue + VB C_whole_blood (Innis et al., J Cereb Blood Flow Metab
2007; Gunn, Gunn and Cunningham, J Cereb Blood Flow Metab 2001).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.physics.response import InputResponse

__all__ = [
    "MODELS",
    "CompartmentModel",
    "exponentials",
    "find_model",
    "macro_parameters",
    "predict",
]


@dataclass(frozen=True)
class CompartmentModel:
    """A model's name, its parameters in order and the macro-parameters it has."""

    name: str
    rates: tuple[str, ...]
    macro: tuple[str, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """K1, the rate constants, VB."""
        return ("K1", *self.rates, "VB")


MODELS = {
    "1TCM": CompartmentModel("1TCM", ("k2",), ("VT",)),
    "2TCM3k": CompartmentModel("2TCM3k", ("k2", "k3"), ("Ki",)),
    "2TCM": CompartmentModel("2TCM", ("k2", "k3", "k4"), ("Ki", "VT", "BPND")),
}


def find_model(name: str) -> CompartmentModel:
    """Return the model called `name`.

    Raises:
        UsageError: If there is none.
    """
    if name not in MODELS:
        raise UsageError(f"model {name!r} is unknown", f"expected one of {', '.join(MODELS)}")
    return MODELS[name]


def exponentials(k2: Tensor, k3: Tensor, k4: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the impulse response per K1 as w1 exp(-a1 t) + w2 exp(-a2 t), with a1 <= a2.

    Args:
        k2: Rate constants [1/min]; k3 = k4 = 0 gives the one-tissue model.
        k3: Likewise.
        k4: Likewise; may be negative (a1 is then negative).

    Returns:
        a1, a2 [1/min], w1, w2 (w1 + w2 = 1), each broadcast.
    """
    total = k2 + k3 + k4
    half_gap = torch.sqrt(torch.clamp(0.25 * total * total - k2 * k4, min=1e-18))
    a2 = 0.5 * total + half_gap
    a1 = k2 * k4 / a2  # stable where k4 is small
    w1 = (k3 + k4 - a1) / (2 * half_gap)
    return a1, a2, w1, 1 - w1


def predict(
    response: InputResponse,
    parameters: Mapping[str, Tensor],
) -> Tensor:
    """Return frame means of the tissue curve, shape (..., T) [input unit].

    Args:
        response: Input function and frames.
        parameters: ``K1`` [mL/cm3/min], ``k2``, ``k3``, ``k4`` [1/min] (absent ones are 0), ``VB``
            and ``delay`` [s] (absent: 0), tensors of one shape (...).
    """
    K1, k2 = parameters["K1"], parameters["k2"]
    zero = torch.zeros_like(k2)
    VB = parameters.get("VB", zero)
    delay = parameters.get("delay", zero)
    if "k3" in parameters:
        a1, a2, w1, w2 = exponentials(k2, parameters["k3"], parameters.get("k4", zero))
        both = response.tissue(torch.stack([a1, a2]), torch.stack([delay, delay]))
        unit = w1[..., None] * both[0] + w2[..., None] * both[1]
    else:
        unit = response.tissue(k2, delay)
    tissue = (K1 * (1 - VB))[..., None] * unit
    return tissue + VB[..., None] * response.blood(delay)


def macro_parameters(model: CompartmentModel, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the macro-parameters of `model`: Ki [mL/cm3/min], VT [mL/cm3], BPND."""
    K1, k2 = values["K1"], values["k2"]
    out = {}
    if "Ki" in model.macro:
        out["Ki"] = K1 * values["k3"] / (k2 + values["k3"])
    if "VT" in model.macro:
        binding = values["k3"] / values["k4"] if "k3" in model.rates else 0.0
        out["VT"] = K1 / k2 * (1 + binding)
    if "BPND" in model.macro:
        out["BPND"] = values["k3"] / values["k4"]
    return out
