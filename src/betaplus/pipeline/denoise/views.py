"""Slices and projections of a frame before and after, small enough to be kept for the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["KINDS", "PLANES", "Views", "make_views"]

KINDS = ("noisy", "denoised", "difference", "SD")
PLANES = ("coronal", "axial", "projection")
"""Coronal and axial slice through the middle of the activity, largest value along the view."""

_BODY = 0.1  # of the 99th percentile: what is cropped to
_MARGIN = 3  # voxels


@dataclass(frozen=True, eq=False, kw_only=True)
class Views:
    """Pictures of a frame, before and after.

    Attributes:
        frame: Its index.
        images: By plane and kind, shape (across, up): the left of the array is the left of the
            world, its first row the lowest (inferior, or posterior).
        size: Of each plane, (across, up) [mm].
        place: Where the slices are, text by plane.
        ends: Ends of the colours by kind, of the unit of the image.
    """

    frame: int
    images: dict[tuple[str, str], np.ndarray]
    size: dict[str, tuple[float, float]]
    place: dict[str, str]
    ends: dict[str, tuple[float, float]]


def make_views(
    frame: int,
    noisy: np.ndarray,
    denoised: np.ndarray,
    std: np.ndarray | None,
    affine: np.ndarray,
) -> Views:
    """Return the pictures of a frame.

    Args:
        frame: Its index.
        noisy: Shape (X, Y, Z).
        denoised: Likewise.
        std: Likewise, or None.
        affine: Voxel to world matrix, shape (4, 4) [mm].
    """
    from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

    axes = io_orientation(affine)
    turned = np.asarray(affine, np.float64) @ inv_ornt_aff(axes, noisy.shape)
    voxel = np.linalg.norm(turned[:3, :3], axis=0)
    before, after = (apply_orientation(x, axes) for x in (noisy, denoised))
    top = float(np.percentile(after, 99.0)) or float(after.max())
    box, middle = _box(after > _BODY * top)
    at = turned[:3, :3] @ middle + turned[:3, 3]
    spread = None if std is None else apply_orientation(std, axes)
    volumes = {"noisy": before, "denoised": after}
    images: dict[tuple[str, str], np.ndarray] = {}
    cuts = {
        "coronal": (box[0], int(middle[1]), box[2]),
        "axial": (box[0], box[1], int(middle[2])),
    }
    for plane, cut in cuts.items():
        for kind, volume in volumes.items():
            images[plane, kind] = np.array(volume[cut])
        images[plane, "difference"] = images[plane, "denoised"] - images[plane, "noisy"]
        if spread is not None:
            images[plane, "SD"] = np.array(spread[cut])
    for kind, volume in volumes.items():
        images["projection", kind] = volume[tuple(box)].max(axis=1)
    if spread is not None:
        images["projection", "SD"] = spread[tuple(box)].max(axis=1)
    sizes = [(part.stop - part.start) * float(v) for part, v in zip(box, voxel, strict=True)]
    high = float(np.percentile(images["projection", "denoised"], 95.0)) or 1.0
    apart = float(np.percentile(np.abs(images["coronal", "difference"]), 99.0)) or 1.0
    ends = {"noisy": (0.0, high), "denoised": (0.0, high), "difference": (-apart, apart)}
    if spread is not None:
        ends["SD"] = (0.0, float(np.percentile(images["coronal", "SD"], 99.5)) or 1.0)
    return Views(
        frame=frame,
        images=images,
        size={
            "coronal": (sizes[0], sizes[2]),
            "axial": (sizes[0], sizes[1]),
            "projection": (sizes[0], sizes[2]),
        },
        place={
            "coronal": f"coronal, y = {at[1]:.0f} mm",
            "axial": f"axial, z = {at[2]:.0f} mm",
            "projection": "projection",
        },
        ends=ends,
    )


def _box(body: np.ndarray) -> tuple[list[slice], np.ndarray]:
    """Return the slices that hold a body with a margin, and the middle of its mass."""
    box, middle = [], []
    for axis, n in enumerate(body.shape):
        line = body.sum(axis=tuple(a for a in range(3) if a != axis), dtype=np.float64)
        full = np.flatnonzero(line)
        if full.size == 0:
            return [slice(0, m) for m in body.shape], (np.array(body.shape) - 1) // 2
        box.append(slice(max(int(full[0]) - _MARGIN, 0), min(int(full[-1]) + 1 + _MARGIN, n)))
        middle.append(round(float(line @ np.arange(n) / line.sum())))
    return box, np.array(middle)
