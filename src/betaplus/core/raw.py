"""What a scanner measured: counts by line of response, and what is known of each line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.scanner import Scanner
from betaplus.core.tracer import Tracer

__all__ = ["RawScan", "Sinogram"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sinogram:
    """Counts of one frame, and the model of their mean: multiplicative * (A image) + additive.

    Attributes:
        scanner: Whose lines these are.
        prompts: Counts, shape `scanner.shape`, float32.
        multiplicative: Attenuation times efficiency, pairs of rings included, shape (view, radial,
            plane), float32; 0 where a line has no detectors.
        additive: Mean of randoms and scatter among the prompts, shape of `prompts`, float32.
    """

    scanner: Scanner
    prompts: np.ndarray
    multiplicative: np.ndarray
    additive: np.ndarray

    def __post_init__(self) -> None:
        flat = self.scanner.shape[:3]
        for name, shape in (
            ("prompts", self.scanner.shape),
            ("multiplicative", flat),
            ("additive", self.scanner.shape),
        ):
            found = getattr(self, name).shape
            if found != shape:
                raise InputError(
                    f"{name} of shape {found}", f"expected {shape} as {self.scanner.name} has"
                )


@dataclass(frozen=True, eq=False, kw_only=True)
class RawScan:
    """Raw data of a scan. Arrays may be lazy: anything that slices along its first axis.

    Attributes:
        scanner: Whose lines these are.
        prompts: Counts, shape (T, view, radial, plane) or (T, view, radial, plane, TOF).
        efficiency: Sensitivity of each line, pairs of rings included, 0 on gaps, shape (view,
            radial, plane); None where it is not known.
        attenuation: Share of photon pairs that get out, shape (view, radial, plane), or None.
        randoms: Their mean among the prompts, shape of `prompts`, or None.
        scatter: Likewise.
        delayeds: Counts in the delayed window, shape (T, view, radial, plane), or None.
        frames: Timing of the T frames, or None.
        tracer: Radionuclide and half-life, or None.
        injection: Injection start [s from TimeZero].
        sensitivity: Prompts per second and Bq/mL on a line of 1 mm with an efficiency of 1, or
            None where images have no unit.
        metadata: The header or sidecar as read.
        source: The file it came from.
        remarks: What was found untidy and what was done about it.
    """

    scanner: Scanner
    prompts: Any
    efficiency: Any = None
    attenuation: Any = None
    randoms: Any = None
    scatter: Any = None
    delayeds: Any = None
    frames: FrameTiming | None = None
    tracer: Tracer | None = None
    injection: float = 0.0
    sensitivity: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: Path | None = None
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape, flat = self.scanner.shape, self.scanner.shape[:3]
        found = tuple(self.prompts.shape)
        if len(found) != len(shape) + 1 or found[1:] != shape:
            raise InputError(
                f"prompts of shape {found}",
                f"expected (frames, {', '.join(map(str, shape))}) as {self.scanner.name} has",
            )
        for name in ("efficiency", "attenuation"):
            self._expect(name, flat)
        for name in ("randoms", "scatter"):
            self._expect(name, found)
        self._expect("delayeds", (found[0], *flat))
        if self.frames is not None and len(self.frames) != found[0]:
            raise InputError(
                f"{len(self.frames)} frame times but the raw data have {found[0]} frames",
                "expected as many times as frames",
            )

    def _expect(self, name: str, shape: tuple[int, ...]) -> None:
        array = getattr(self, name)
        if array is not None and tuple(array.shape) != shape:
            raise InputError(
                f"{name} of shape {tuple(array.shape)}", f"expected {shape} as the prompts have"
            )

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.prompts.shape[0])
