"""What `betaplus denoise` is asked to do, and the checks that need no data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from betaplus.core.errors import OutputError, UsageError
from betaplus.pipeline.run_names import RunNames
from betaplus.pipeline.run_request import ImageRequest, check_run
from betaplus.pipeline.typed_settings import typed_settings

__all__ = ["UNITS_OUT", "DenoiseRequest", "Names", "Options", "check_options"]

UNITS_OUT = ("input", "SUV")
"""Units of the output: that of the input, or SUVbw."""


@dataclass(frozen=True, kw_only=True)
class DenoiseRequest(ImageRequest):
    """The options of the verb, by the same names and with the same defaults.

    Attributes:
        method: Name of a method.
        samples: Draws, or None for the method's own number.
        dose_fraction: Counts as a fraction of those of a usual scan, or None.
        bundle: Folder of a network, or None for the one that is shipped.
        dose: Activity administered [Bq], where the sidecar lacks it.
        weight: Of the body [kg], likewise.
        unit_out: ``input`` or ``SUV``.
        bf16: Whether the network computes in bfloat16.
    """

    method: str = "mmse"
    samples: int | None = None
    dose_fraction: float | None = None
    bundle: Path | None = None
    dose: float | None = None
    weight: float | None = None
    unit_out: str = "input"
    bf16: bool = False


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options, read.

    Attributes:
        settings: Names and values that were typed.
        max_memory: [bytes], or None.
    """

    settings: dict[str, Any]
    max_memory: int | None


@dataclass(frozen=True)
class Names(RunNames):
    """Where the outputs go."""

    verb = "denoise"

    @property
    def image(self) -> Path:
        """The denoised image."""
        return self.path({"desc": "denoised"}, "pet", ".nii.gz")

    @property
    def std(self) -> Path:
        """The SD of draws."""
        return self.path({"desc": "denoised", "stat": "std"}, "pet", ".nii.gz")

    @property
    def regions(self) -> Path:
        """Means of regions."""
        return self.path({"desc": "denoised"}, "regions", ".tsv")


def check_options(request: DenoiseRequest, names: Names) -> Options:
    """Check the options against each other.

    Raises:
        UsageError: If one is unknown or contradicts another.
        InputError: If the file of settings cannot be read.
        OutputError: If the folder to write to is a file, or the output would replace the input.
    """
    check_run(request)
    if names.image.resolve() == Path(request.source).resolve():
        raise OutputError(
            f"{names.image} is the input", "expected another output", "choose another -o"
        )
    if request.unit_out not in UNITS_OUT:
        raise UsageError(
            f"--unit-out is {request.unit_out!r}", f"expected one of {', '.join(UNITS_OUT)}"
        )
    return Options(
        settings=typed_settings(request.config, request.settings),
        max_memory=request.memory_limit,
    )
