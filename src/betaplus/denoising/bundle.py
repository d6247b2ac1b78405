"""A trained denoiser from its bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from betaplus.core.errors import InputError, UsageError
from betaplus.denoising.draw_network import DrawNetwork
from betaplus.denoising.inputs import Shown
from betaplus.denoising.network import CorrectionNetwork
from betaplus.generative.bundle import Bundle, find_bundle, load_bundle, load_into

__all__ = ["GIVES", "NETWORKS", "TrainedDenoiser", "load_denoiser"]

GIVES = {"body": "mean", "draws": "draws", "fast": "fast"}
"""Bundle to what its network is trained for: the mean, draws, or draws in a few calls."""

NETWORKS: dict[str, type[CorrectionNetwork] | type[DrawNetwork]] = {
    "mean": CorrectionNetwork,
    "draws around the mean": DrawNetwork,
}
"""What a bundle says its network is, to the network; it is a mean where it says nothing."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedDenoiser:
    """A network and where it holds.

    Attributes:
        network: In evaluation mode.
        voxel: Edge of its voxels [mm].
        bundle: Where it is from.
        bf16: Whether to compute in bfloat16.
    """

    network: CorrectionNetwork | DrawNetwork
    voxel: float
    bundle: Bundle
    bf16: bool = False

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    def mean(self, shown: Shown, told: Tensor) -> Tensor:
        """Return E[z | noisy image], without gradients."""
        with torch.no_grad(), self._cast():
            return self.network.mean(shown, told)

    def estimate(self, z: Tensor, sigma: Tensor, shown: Shown, told: Tensor) -> Tensor:
        """Return the estimate of z at a noise level, without gradients; see `DrawNetwork`."""
        with torch.no_grad(), self._cast():
            found: Tensor = self.network(z, sigma, shown, told)
            return found

    def _cast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def load_denoiser(
    name: str = "body", explicit: Path | None = None, *, device: str = "cpu", bf16: bool = False
) -> TrainedDenoiser:
    """Read a denoiser from its bundle; of one of draws that is asked for the mean, its mean.

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
        kind = NETWORKS[str(built.get("network", "mean"))]
        network = kind(tuple(int(w) for w in built["widths"]), int(built["blocks"]))
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
    if GIVES[name] == "mean" and isinstance(network, DrawNetwork):
        network = network.center
    return TrainedDenoiser(
        network=network.to(device).eval().requires_grad_(False),
        voxel=voxel,
        bundle=bundle,
        bf16=bf16,
    )
