"""A tiny network with random weights, and small noisy bodies, for tests of methods and verb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.denoising.bundle import NETWORKS
from betaplus.denoising.draw_network import DrawNetwork
from betaplus.denoising.network import CorrectionNetwork
from betaplus.pipeline.training.denoiser.kinds import KINDS
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.pipeline.training.denoiser.publish import write_denoiser_bundle

SHAPE = (40, 36, 44)
VOXEL = (2.4, 2.4, 3.0)
WIDTHS = (4, 4)
SUV = {"SUVType": "SUVbw", "TracerName": "FDG"}


def tiny_bundle(folder: Path, kind: str | None = None) -> Path:
    """Write a bundle of a network with random weights; return its folder.

    Without a kind it is one of draws, which serves as the mean too, where that is looked for.
    """
    bundle = "body" if kind is None else KINDS[kind].bundle
    kind = kind or "draws"
    torch.manual_seed(3)
    network = NETWORKS[KINDS[kind].network](WIDTHS, 1)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.05 * torch.randn_like(weights))
    plan = DenoiserPlan(widths=WIDTHS, version=1)
    return write_denoiser_bundle(
        folder, bundle, plan, network, checksum="0" * 64, seed=0, command="test",
        result={"minutes": 0.0, "steps": 0}, figures={"score": 1.0}, noise=(0.01, 3.0),
        kind=KINDS[kind],
    )  # fmt: skip


def noisy(seed: int = 0, shape: tuple[int, ...] = SHAPE, level: float = 0.3) -> np.ndarray:
    """Return a cylinder with a hot ball in air, noise of Gamma's kind, shape (X, Y, Z) [SUV]."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    mean = np.where(np.hypot(x, y) < 0.8, 1.0, 0.0)
    mean[(x - 0.2) ** 2 + y**2 + z**2 < 0.06] = 6.0
    shape_of_gamma = 1.0 / level**2
    noise = np.random.default_rng(seed).gamma(shape_of_gamma, 1.0 / shape_of_gamma, shape)
    return (mean * noise).astype(np.float32)


def image(
    data: np.ndarray | None = None, voxel: tuple[float, ...] = VOXEL, **fields: Any
) -> PetImage:
    """Return a PET image in SUV, or as the fields say."""
    given = {"unit": "SUV", "metadata": SUV, **fields}
    data = noisy() if data is None else data
    if data.ndim == 4:
        starts = 60.0 * np.arange(data.shape[3])
        given["frames"] = FrameTiming(starts, np.full(data.shape[3], 60.0))
    affine = np.diag([*voxel, 1.0])
    affine[:3, 3] = (-30.0, 12.0, 5.0)
    return PetImage(data=data, affine=affine, **given)


def take_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every network say that there is nothing to correct."""
    monkeypatch.setattr(
        CorrectionNetwork, "forward", lambda self, shown, told: 0.0 * shown.images[:, :1]
    )
    monkeypatch.setattr(
        DrawNetwork, "forward", lambda self, z, sigma, shown, told: torch.zeros_like(z)
    )
