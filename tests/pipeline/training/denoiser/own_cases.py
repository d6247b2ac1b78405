"""Small noisy bodies on disk, as a user would have them, and a network to start from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from betaplus.core.image import PetImage
from betaplus.denoising.network import CorrectionNetwork
from betaplus.io.derivatives import write_image
from betaplus.pipeline.training.denoiser.own.plan import OwnPlan
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.pipeline.training.denoiser.publish import write_denoiser_bundle

VOXEL, EDGE, DOSE = 6.0, 32, 0.2
PLAN = OwnPlan(edge=16, margin=4, boxes=2, batch=2, bf16=False)
CONFIG = """
edge = 16
margin = 4
boxes = 4
batch = 2
steps = {steps}
learning_rate = {rate}
bf16 = false
"""


def body(seed: int) -> np.ndarray:
    """Return a clean body, shape (32, 32, 32) [SUV]."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, EDGE)] * 3, indexing="ij")
    mean = np.where(np.hypot(x, y) < 0.85, 1.0, 0.02)
    for _ in range(5):
        middle = rng.uniform(-0.6, 0.6, 3)
        near = sum((a - b) ** 2 for a, b in zip((x, y, z), middle, strict=True)) < 0.05
        mean[near] = rng.uniform(2.0, 5.0)
    return gaussian_filter(mean, 0.8)


def scan(mean: np.ndarray, dose: float, rng: np.random.Generator, fwhm: float = 1.2) -> np.ndarray:
    """Return an image whose noise is Gamma's through a filter: not what the simulator makes."""
    shape = 40.0 * dose
    noise = rng.gamma(shape, 1.0 / shape, mean.shape) - 1.0
    return np.maximum(mean * (1.0 + gaussian_filter(noise, fwhm / 2.355)), 0.0)


def nested(mean: np.ndarray, dose: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image with a part of the counts, and that with all of them."""
    rng = np.random.default_rng(seed)
    low, rest = scan(mean, dose, rng), scan(mean, 1.0 - dose, rng)
    return low, dose * low + (1.0 - dose) * rest


def write(path: Path, values: np.ndarray, voxel: float = VOXEL, **fields) -> None:
    affine = np.diag([voxel] * 3 + [1.0])
    metadata = {"SUVType": "SUVbw", "TracerName": "FDG"}
    data = values.astype(np.float32)
    write_image(path, PetImage(data=data, affine=affine, unit="SUV", metadata=metadata))
    sidecar = path.with_name(path.name.replace(".nii.gz", ".json"))
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | fields))


def own_folder(folder: Path, subjects: int) -> Path:
    for n in range(subjects):
        low, full = nested(body(n), DOSE, 100 + n)
        write(folder / f"sub-{n:02d}" / f"sub-{n:02d}_acq-dose0p2_pet.nii.gz", low)
        write(folder / f"sub-{n:02d}" / f"sub-{n:02d}_desc-full_pet.nii.gz", full)
    return folder


def base_bundle(folder: Path) -> Path:
    """Write a network that was not trained, and is a local Wiener filter."""
    torch.manual_seed(3)
    plan = DenoiserPlan(voxel=VOXEL, widths=(4, 4), version=1)
    return write_denoiser_bundle(
        folder, "body", plan, CorrectionNetwork((4, 4), 1), checksum="0" * 64, seed=0,
        command="test", result={"minutes": 0.0, "steps": 0}, figures={"score": 1.0},
        noise=(0.01, 3.0),
    )  # fmt: skip


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
