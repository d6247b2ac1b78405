"""A prior of images: a denoiser with the voxels, the unit and the noise levels that it knows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import InputError, UsageError
from betaplus.generative.bundle import Bundle, find_bundle, load_bundle, load_into
from betaplus.generative.image_denoiser import ImageDenoiser
from betaplus.generative.unet import UNetSize

__all__ = ["BRIGHTEST", "ImagePrior", "load_image_prior", "uptake_level"]

BRIGHTEST = 8.0
"""Largest value of the images that a prior is shown beside the noisy one."""


def uptake_level(image: np.ndarray) -> float:
    """Return sum x^2 / sum x over what is above 0: the value of an image of one value.

    The mean weighted by the image itself: air around an object does not lower it, no threshold is
    in it, and it goes with the scale of the image. Noise raises it: take a smooth image.

    Args:
        image: Any shape.

    Raises:
        InputError: If nothing is above 0.
    """
    signal = np.maximum(np.asarray(image, dtype=np.float64), 0.0)
    total = float(signal.sum())
    if not total > 0.0:
        raise InputError("no value of the image is above 0", "expected an image with uptake")
    return float(np.square(signal).sum() / total)


@dataclass(frozen=True, eq=False, kw_only=True)
class ImagePrior:
    """A trained denoiser and where it holds.

    Attributes:
        denoiser: The network, in evaluation mode.
        voxel: Edge of its voxels [mm].
        edge: Of the slices or patches that it was trained on [voxels].
        unit: ``uptake``: images divided by `uptake_level`; or ``SUV``.
        orientations: Names of the slices' orientations, in the order of the context; empty for 3-D.
        images: Names of the images of which it knows what goes with what; empty for one image.
        slab: Slices side by side that are cleaned together.
        sees: Images of the same object that it is shown beside x: OSEM after one pass, smoothed,
            and after each pass as it is; 0 for none.
        around: Slices of each of those that it is shown, the middle one that of x.
        spread: RMSE that is left by what it is shown alone, in its unit; infinite for none.
        bundle: Where it is from.
        bf16: Whether to compute in bfloat16.
    """

    denoiser: ImageDenoiser
    voxel: float
    edge: int
    unit: str
    orientations: tuple[str, ...]
    bundle: Bundle
    bf16: bool = False
    images: tuple[str, ...] = ()
    slab: int = 1
    sees: int = 0
    around: int = 1
    spread: float = math.inf

    @property
    def dimensions(self) -> int:
        """2 for slices, 3 for volumes."""
        return self.denoiser.size.dimensions

    def __call__(
        self,
        x: Tensor,
        sigma: Tensor | float,
        beside: Tensor | None = None,
        *,
        orientation: str | None = None,
    ) -> Tensor:
        """Return the estimate of clean images, without gradients.

        Args:
            x: Shape (B, 1, X, Y[, Z]), (B, images, X, Y, Z) or (B, slab, X, Y), in the prior's unit
                and voxels.
            sigma: Noise level, one or one an item, in the prior's unit.
            beside: What a prior is shown, shape (B, sees * around, X, Y), in its unit, at most
                `BRIGHTEST`: the slices of the first image, then those of the next.
            orientation: Of slices; not told if None.
        """
        context = None
        if self.orientations:
            context = x.new_zeros(len(x), len(self.orientations))
            if orientation is not None:
                context[:, self.orientations.index(orientation)] = 1.0
        with torch.no_grad(), torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
            return self.denoiser(x, sigma, beside, context)


def load_image_prior(
    name: str,
    explicit: Path | None = None,
    *,
    device: str = "cpu",
    bf16: bool = False,
    several: bool = False,
) -> ImagePrior:
    """Read a prior from its bundle.

    Args:
        name: Of the bundle, as ``brain2d``.
        explicit: The bundle itself, from ``--bundle``.
        device: Where to put it.
        bf16: Whether to compute in bfloat16.
        several: Whether a prior of several images at once will do too.

    Raises:
        InputError: If the bundle is damaged or not a prior.
        UsageError: If there is none of that name, or it is one of several images and that will not
            do.
    """
    bundle = load_bundle(find_bundle("prior", name, explicit), "prior")
    config = bundle.config
    size: dict[str, Any] = {**config.architecture}
    try:
        sd, reach = float(size.pop("sd")), int(size.pop("reach"))
        denoiser = ImageDenoiser(UNetSize(**size), sd, reach)
        known = config.settings
        voxel, edge, unit = float(known["voxel"]), int(known["edge"]), str(known["unit"])
        orientations = tuple(str(item) for item in known["orientations"])
        images = tuple(str(item) for item in known.get("images", ()))
        slab = int(known.get("slab", 1))
        sees, around = int(known.get("sees", 0)), int(known.get("around", 1))
        _check_channels(denoiser, images, slab, sees * around)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"bundle {bundle.path} does not describe an image prior: {error}",
            todo="get the bundle again, or train one with betaplus train prior",
        ) from error
    if images and not several:
        raise UsageError(
            f"{bundle.path.name} is a prior of {' and '.join(images)} together",
            "expected a prior of one image",
        )
    load_into(denoiser, bundle)
    return ImagePrior(
        denoiser=denoiser.to(device).eval().requires_grad_(False),
        voxel=voxel,
        edge=edge,
        unit=unit,
        orientations=orientations,
        bundle=bundle,
        bf16=bf16,
        images=images,
        slab=slab,
        sees=sees,
        around=around,
        spread=float(known.get("spread", math.inf)),
    )


def _check_channels(
    denoiser: ImageDenoiser, images: tuple[str, ...], slab: int, beside: int
) -> None:
    """Refuse a network that is not of one channel an image, and one more of its local level."""
    n, size = max(len(images), slab), denoiser.size
    expected = (n * (2 if denoiser.reach else 1) + beside, n)
    if (size.channels, size.outputs) != expected:
        raise ValueError(
            f"{size.channels} channels in and {size.outputs} out, expected {expected[0]} and"
            f" {expected[1]} for {n} image{'s' * (n > 1)}"
        )
