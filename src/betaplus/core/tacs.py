"""Tables of time-activity curves."""

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

__all__ = ["TacTable"]


@dataclass(frozen=True, eq=False, kw_only=True)
class TacTable:
    """Time-activity curves of regions; a block of voxels is a TacTable without names.

    Attributes:
        values: Frame means, shape (N, T) [unit].
        frames: Timing of the T frames.
        unit: ``Bq/mL``, ``kBq/mL``, ``MBq/mL`` or ``SUV``.
        names: Names of the N regions, or None for voxels.
        tracer: Radionuclide and half-life, or None where the file does not say.
        decay_corrected_to: Time the values are decay-corrected to [s from TimeZero], or None if
            they are not.
        metadata: The JSON beside the table as read.
        source: The file it came from.
        remarks: What was found untidy and what was done about it.
    """

    values: np.ndarray
    frames: FrameTiming
    unit: str
    names: tuple[str, ...] | None = None
    tracer: Tracer | None = None
    decay_corrected_to: float | None = 0.0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: Path | None = None
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim != 2 or values.shape[1] != len(self.frames):
            raise InputError(
                f"curves of shape {values.shape} for {len(self.frames)} frames",
                "expected (curve, frame)",
            )
        if self.names is not None and len(self.names) != len(values):
            raise InputError(
                f"{len(self.names)} region names for {len(values)} curves",
                "expected one name per curve",
            )
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return len(self.values)

    def _repr_html_(self) -> str:
        return str(view_of("facts")(self))

    def plot(self, *names: str) -> Any:
        """Return a picture of curves; notebooks show it, and it has ``save``.

        Args:
            names: Regions to draw; the first eight if none is named.

        Raises:
            UsageError: If there is no such region.
        """
        return view_of("plot_curves")(self, names)

    def to_xarray(self) -> Any:
        """Return an ``xarray.DataArray`` with dimensions region and time.

        Raises:
            UsageError: If xarray is not installed.
        """
        return view_of("xarray")(self)
