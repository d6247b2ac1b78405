"""Networks applied to whole volumes: tiles that are blended, or slice by slice."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from betaplus.denoising.tiles import even_tiles
from betaplus.generative.keyed_noise import keyed_noises
from betaplus.generative.samplers import dpm_solver
from betaplus.generative.schedules import log_levels
from betaplus.generative.slice_denoiser import SliceDenoiser
from betaplus.generative.tiling import fuse, plan_tiles
from betaplus.pipeline.benchmark.denoise.learned_baselines.ddpm2d import LEVELS, SliceModel
from betaplus.pipeline.benchmark.denoise.learned_baselines.units import to_suv, to_units, told_of

__all__ = ["around_signal", "denoise_tiles", "draw_slices"]

_TILE, _OVERLAP = 96, 24  # voxels, as of `mmse`
_MICROBATCH = 16
_LEAST = 0.01  # SUV
_AROUND = 8  # voxels


def around_signal(image: np.ndarray) -> tuple[slice, slice, slice]:
    """Return the box around all of an image (X, Y, Z) that is above 0.01 SUV, and some more."""
    there, box = image > _LEAST, []
    for axis in range(3):
        line = np.flatnonzero(there.any(axis=tuple(a for a in range(3) if a != axis)))
        first, last = (int(line[0]), int(line[-1])) if line.size else (0, image.shape[axis] - 1)
        box.append(slice(max(first - _AROUND, 0), min(last + 1 + _AROUND, image.shape[axis])))
    return box[0], box[1], box[2]


@torch.no_grad()
def denoise_tiles(network: nn.Module, image: Tensor, dose: float, *, bf16: bool) -> Tensor:
    """Return what a 3-D network makes of an image, shape (1, 1, X, Y, Z) [SUV].

    Args:
        network: (units, told) to units; its ``size`` is that of its U-Net.
        image: Noisy, shape (1, 1, X, Y, Z) [SUV].
        dose: Fraction of the counts.
        bf16: Whether to compute in bfloat16.
    """
    device, multiple = next(network.parameters()).device, network.size.multiple
    units, told = to_units(image), told_of([dose]).to(device)
    shape = tuple(units.shape[2:])
    plan = plan_tiles(shape, even_tiles(shape, _TILE, _OVERLAP, multiple), _OVERLAP, multiple)

    def tile(index: int) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            found: Tensor = network(plan.cut(units, index).to(device), told)
            return found.float().cpu()

    return to_suv(fuse(plan, ((index, tile(index)) for index in range(len(plan)))))


@torch.no_grad()
def draw_slices(
    model: SliceModel, image: Tensor, dose: float, *, calls: int, seed: int, draw: int, bf16: bool
) -> Tensor:
    """Return a draw of the clean image by DPM-Solver++, shape (1, 1, X, Y, Z) [SUV].

    Every voxel has noise of its own: neighbouring slices are drawn independently.

    Args:
        model: The network of axial slices.
        image: Noisy, shape (1, 1, X, Y, Z) [SUV].
        dose: Fraction of the counts.
        calls: Of the network.
        seed: Of the noise.
        draw: Number of the draw.
        bf16: Whether to compute in bfloat16.
    """
    device, told = next(model.parameters()).device, told_of([dose])
    units = to_units(image)

    def denoised(z: Tensor, sigma: Tensor, noisy: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            given = z.to(device), sigma.float().to(device), noisy.to(device)
            found: Tensor = model(*given, told.expand(len(z), -1).to(device))
            return found.float().cpu()

    slices = SliceDenoiser(
        denoised=denoised,
        microbatch=min(_MICROBATCH, image.shape[-1]),
        multiple=model.size.multiple,
        condition=units,
    )
    noises = keyed_noises(seed, draw, (0, 0, 0), tuple(image.shape[2:]))
    z = dpm_solver(slices, log_levels(calls, LEVELS.low, LEVELS.high), noises)
    return to_suv(units + z)
