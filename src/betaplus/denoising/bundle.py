"""A trained denoiser from its bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from betaplus.core.errors import InputError, UsageError
from betaplus.denoising.inputs import Shown
from betaplus.denoising.network import CorrectionNetwork
from betaplus.generative.bundle import Bundle, find_bundle, load_bundle, load_into

__all__ = ["GIVES", "TrainedDenoiser", "load_denoiser"]

GIVES = {"body": "mean", "draws": "draws", "fast": "fast"}
"""Bundle to what its network is trained for: the mean, draws, or draws in a few calls."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedDenoiser:
    """A network and where it holds.

    Attributes:
        network: In evaluation mode.
        voxel: Edge of its voxels [mm].
        bundle: Where it is from.
        bf16: Whether to compute in bfloat16.
    """

    network: CorrectionNetwork
    voxel: float
    bundle: Bundle
    bf16: bool = False

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    def mean(self, shown: Shown, told: Tensor) -> Tensor:
        """Return E[z | noisy image], without gradients; see `CorrectionNetwork`."""
        with torch.no_grad(), self._cast():
            return self.network.mean(shown, told)

    def estimate(self, z: Tensor, sigma: Tensor, shown: Shown, told: Tensor) -> Tensor:
        """Return the estimate of z at a noise level, without gradients."""
        with torch.no_grad(), self._cast():
            found: Tensor = self.network(z, sigma, shown, told)
            return found

    def _cast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def load_denoiser(
    name: str = "body", explicit: Path | None = None, *, device: str = "cpu", bf16: bool = False
) -> TrainedDenoiser:
    """Read a denoiser from its bundle.

    Args:
        name: Of the bundle: one of `GIVES`.
        explicit: The bundle itself, from ``--bundle``.
        device: Where to put it.
        bf16: Whether to compute in bfloat16.

    Raises:
        InputError: If the bundle is damaged or not a denoiser.
        UsageError: If there is none of that name, or the one given is trained for something else.
    """
    command = f"betaplus train denoiser --kind {GIVES[name]}"
    bundle = load_bundle(find_bundle("denoiser", name, explicit, command), "denoiser")
    built, known = bundle.config.architecture, bundle.config.settings
    try:
        network = CorrectionNetwork(tuple(int(w) for w in built["widths"]), int(built["blocks"]))
        voxel = float(known["voxel"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"bundle {bundle.path} does not describe a denoiser: {error}",
            todo="get the bundle again, or train one with betaplus train denoiser",
        ) from error
    gives = known.get("gives", [GIVES[name]])
    if GIVES[name] not in gives:
        raise UsageError(
            f"the network in {bundle.path} is trained for {' and '.join(map(str, gives))}",
            f"expected {GIVES[name]}",
            f"give a bundle of {command}",
        )
    load_into(network, bundle)
    return TrainedDenoiser(
        network=network.to(device).eval().requires_grad_(False),
        voxel=voxel,
        bundle=bundle,
        bf16=bf16,
    )
