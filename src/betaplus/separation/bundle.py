"""A trained network of separation from its bundle, and whether it was trained for a scan."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from betaplus.core.errors import InputError
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.generative.bundle import Bundle, find_bundle, load_bundle, load_into
from betaplus.generative.bundle_config import outside
from betaplus.separation.ced import CedNetwork, CedSize
from betaplus.separation.cnn3d import Cnn3dNetwork, Cnn3dSize
from betaplus.separation.network import SeparationNetwork, SeparationSize
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.published import PublishedNetwork, PublishedSize

__all__ = ["DELAY", "NETWORKS", "NOISE", "PAIR", "VOXEL", "TrainedSeparation", "load_separation"]

PAIR = "tracers, in the order of injection"
"""Name of the known pairs in a bundle's validity, such as FMZ+FDG."""

DELAY = "delay [min]"
"""Name of the range of delays, likewise."""

VOXEL = "voxel [mm]"
"""Name of the range of voxel edges, likewise."""

NOISE = "noise"
"""Name of the range of noise levels, likewise: SD of a frame of weight 1, median over voxels, over
the root mean square of the expected mixture."""

_SAME_FRAMES = 2.0  # s

NETWORKS: dict[str, tuple[type[nn.Module], type[Any]]] = {
    "inn": (SeparationNetwork, SeparationSize),
    "inn-published": (PublishedNetwork, PublishedSize),
    "ced": (CedNetwork, CedSize),
    "cnn3d": (Cnn3dNetwork, Cnn3dSize),
}
"""Method to its network and what that is built from."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedSeparation:
    """A network and where it holds.

    Attributes:
        network: In evaluation mode.
        bundle: Where it is from; None for one that was made on the spot.
        bf16: Whether to compute in bfloat16.
    """

    network: nn.Module
    bundle: Bundle | None = None
    bf16: bool = False

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    def cast(self) -> torch.autocast:
        """Return what to compute within."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def remarks(self, problem: SeparationProblem) -> list[str]:
        """Return what of a scan the network was not trained on, in sentences; none if all is well.

        Args:
            problem: The scan; its noise is looked at where it has spaces of curves.
        """
        if self.bundle is None:
            return []
        from betaplus.separation.known import relative_noise

        known = self.bundle.config.validity
        first, second = (tracer.name for tracer in problem.tracers)
        values: dict[str, float | tuple[float, float] | str] = {PAIR: f"{first}+{second}"}
        if DELAY in known:
            values[DELAY] = round(problem.delay / SECONDS_PER_MINUTE, 2)
        if VOXEL in known:
            edges = [round(float(edge), 3) for edge in problem.voxel]
            values[VOXEL] = (min(edges), max(edges))
        if NOISE in known and problem.spaces is not None:
            values[NOISE] = float(f"{relative_noise(problem):.3g}")
        said = outside(known, values)
        frames = self.bundle.config.settings.get("frame_end")
        ends = problem.frames.end
        if frames is not None and len(frames) == len(ends):
            apart = float(np.abs(np.asarray(frames) - ends).max())
            if apart > _SAME_FRAMES:
                said.append(f"frames end up to {apart:.0f} s from those of training")
        return [f"outside what the network was trained on: {one}" for one in said]


def load_separation(
    method: str, explicit: Path | None = None, *, device: str = "cpu", bf16: bool = False
) -> TrainedSeparation:
    """Read the network of a method from its bundle.

    Args:
        method: One of `NETWORKS`; also the bundle's name.
        explicit: The bundle itself, from ``--bundle``.
        device: Where to put it.
        bf16: Whether to compute in bfloat16.

    Raises:
        InputError: If the bundle is damaged, of another task or of another method.
        UsageError: If there is none.
    """
    network, size = NETWORKS[method]
    command = "betaplus train separation" + ("" if method == "inn" else f" --kind {method}")
    bundle = load_bundle(find_bundle("separation", method, explicit, command), "separation")
    built = dict(bundle.config.architecture)
    kind = built.pop("network", None)
    if kind != method:
        raise InputError(
            f"the network in {bundle.path} is of method {kind}",
            f"expected {method}",
            f"give a bundle of {command}",
        )
    names = {field.name for field in dataclasses.fields(size)}
    try:
        if built.keys() != names:
            raise ValueError(f"it has {', '.join(sorted(built))}")
        made = network(size(**built))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"bundle {bundle.path} does not describe a network of {method}: {error}",
            todo=f"get the bundle again, or train one with {command}",
        ) from error
    load_into(made, bundle)
    made = made.to(device).eval().requires_grad_(False)
    return TrainedSeparation(network=made, bundle=bundle, bf16=bf16)
