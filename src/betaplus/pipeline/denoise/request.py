"""What `betaplus denoise` is asked to do, and the checks that need no data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from betaplus.core.errors import OutputError, UsageError
from betaplus.engine import parse_memory
from betaplus.io.derivatives import bids_name
from betaplus.pipeline.typed_settings import typed_settings

__all__ = ["UNITS_OUT", "DenoiseRequest", "Names", "Options", "check_options"]

UNITS_OUT = ("input", "SUV")
"""Units of the output: that of the input, or SUVbw."""


@dataclass(frozen=True, kw_only=True)
class DenoiseRequest:
    """The options of the verb, by the same names and with the same defaults.

    Attributes:
        source: The image.
        out: Folder to write to.
        method: Name of a method.
        samples: Draws, or None for the method's own number.
        dose_fraction: Counts as a fraction of those of a usual scan, or None.
        bundle: Folder of a network, or None for the one that is shipped.
        unit: Activity unit, where the sidecar lacks it.
        radionuclide: Likewise.
        decay_corrected_to: Likewise.
        dose: Activity administered [Bq], likewise.
        weight: Of the body [kg], likewise.
        unit_out: ``input`` or ``SUV``.
        mask: Image of the voxels to denoise, on the grid of the image, or None.
        regions: Image of labels whose means are wanted, likewise, or None.
        settings: Texts NAME=VALUE.
        config: TOML file with settings.
        bf16: Whether the network computes in bfloat16.
        seed: Seed of the run.
        engine: ``threads`` or ``inline``.
        workers: Pieces at work at a time, or None for the cores available.
        max_memory: Bound on memory, such as ``4G``, or None.
        resume: Continue a run that was stopped.
        overwrite: Replace earlier outputs.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        command: The command line, for the record.
    """

    source: Path
    out: Path
    method: str = "mmse"
    samples: int | None = None
    dose_fraction: float | None = None
    bundle: Path | None = None
    unit: str | None = None
    radionuclide: str | None = None
    decay_corrected_to: str | None = None
    dose: float | None = None
    weight: float | None = None
    unit_out: str = "input"
    mask: Path | None = None
    regions: Path | None = None
    settings: tuple[str, ...] = ()
    config: Path | None = None
    bf16: bool = False
    seed: int = 0
    engine: str = "threads"
    workers: int | None = None
    max_memory: str | None = None
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    command: str = ""


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
class Names:
    """Where the outputs go.

    Attributes:
        out: The folder.
        src: The source's name up to its suffix.
    """

    out: Path
    src: str

    @property
    def image(self) -> Path:
        """The denoised image."""
        return self.out / bids_name(self.src, {"desc": "denoised"}, "pet", ".nii.gz")

    @property
    def std(self) -> Path:
        """The SD of draws."""
        entities = {"desc": "denoised", "stat": "std"}
        return self.out / bids_name(self.src, entities, "pet", ".nii.gz")

    @property
    def regions(self) -> Path:
        """Means of regions."""
        return self.out / bids_name(self.src, {"desc": "denoised"}, "regions", ".tsv")

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.out / f"{self.src}_denoise_report.html"

    @property
    def record(self) -> Path:
        """The run record, which is written last."""
        return self.out / f"{self.src}_denoise_run.json"


def check_options(request: DenoiseRequest, names: Names) -> Options:
    """Check the options against each other.

    Raises:
        UsageError: If one is unknown or contradicts another.
        InputError: If the file of settings cannot be read.
        OutputError: If the folder to write to is a file, or the output would replace the input.
    """
    out = Path(request.out)
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file", "expected a folder", "choose another -o")
    if names.image.resolve() == Path(request.source).resolve():
        raise OutputError(
            f"{names.image} is the input", "expected another output", "choose another -o"
        )
    if request.resume and request.overwrite:
        raise UsageError("--resume and --overwrite are both given", "they exclude each other")
    if request.unit_out not in UNITS_OUT:
        raise UsageError(
            f"--unit-out is {request.unit_out!r}", f"expected one of {', '.join(UNITS_OUT)}"
        )
    return Options(
        settings=typed_settings(request.config, request.settings),
        max_memory=None if request.max_memory is None else parse_memory(request.max_memory),
    )
