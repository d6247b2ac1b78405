"""PET images as the toolkit handles them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer
from betaplus.core.views import view_of

__all__ = ["PetImage"]


@dataclass(frozen=True, eq=False, kw_only=True)
class PetImage:
    """A static or dynamic PET image with everything needed to compute with it.

    Attributes:
        data: Array-like of shape (X, Y, Z) or (X, Y, Z, T), float32 once read; may be lazy
            (anything that slices like an array).
        affine: Voxel to world matrix, shape (4, 4) [mm].
        frames: Timing of the T frames, or None for an image without frame times.
        unit: ``Bq/mL``, ``kBq/mL``, ``MBq/mL`` or ``SUV``.
        tracer: Radionuclide and half-life, or None where the sidecar does not say.
        decay_corrected_to: Time the voxel values are decay-corrected to [s from TimeZero], or
            None if they are not decay-corrected.
        injection: Injection start [s from TimeZero].
        metadata: The sidecar as read.
        source: The file it came from.
        remarks: What was found untidy and what was done about it.
    """

    data: Any
    affine: np.ndarray
    unit: str
    frames: FrameTiming | None = None
    tracer: Tracer | None = None
    decay_corrected_to: float | None = None
    injection: float = 0.0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: Path | None = None
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = tuple(self.data.shape)
        if len(shape) not in (3, 4):
            raise InputError(f"image of shape {shape}", "expected (X, Y, Z) or (X, Y, Z, T)")
        if self.frames is not None and len(self.frames) != self.n_frames:
            raise InputError(
                f"{len(self.frames)} frame times but the image has {self.n_frames} frames",
                "expected as many times as frames",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data, (X, Y, Z) or (X, Y, Z, T)."""
        return tuple(self.data.shape)

    @property
    def n_frames(self) -> int:
        """Number of frames; 1 for a 3-D image."""
        return self.shape[3] if len(self.shape) == 4 else 1

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel [mm]."""
        x, y, z = np.linalg.norm(np.asarray(self.affine)[:3, :3], axis=0)
        return float(x), float(y), float(z)

    def _repr_html_(self) -> str:
        return str(view_of("facts")(self))

    def plot(self, frame: int | None = None) -> Any:
        """Return a picture of three slices; notebooks show it, and it has ``save``.

        Args:
            frame: Of a dynamic image; the mean over its time if None.
        """
        return view_of("plot_image")(self, frame)

    def view(self, frame: int | None = None) -> Any:
        """Return the viewer of the reports, with slices to move through, for a notebook.

        Args:
            frame: As for `plot`; the curve of any voxel is shown beside it.
        """
        return view_of("slices")(self, frame)

    def to_xarray(self) -> Any:
        """Return an ``xarray.DataArray`` with dimensions x, y, z and time; reads all voxels.

        Raises:
            UsageError: If xarray is not installed.
        """
        return view_of("xarray")(self)
