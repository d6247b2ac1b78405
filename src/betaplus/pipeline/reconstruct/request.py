"""What `betaplus reconstruct` is asked to do, and the checks that need no data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.core.scanner import Scanner
from betaplus.core.scanners import find_scanner
from betaplus.core.settings import make_settings
from betaplus.engine import Choice, check_engine
from betaplus.io.derivatives import bids_label
from betaplus.io.raw.open_raw import is_list
from betaplus.pipeline.run_names import RunNames
from betaplus.pipeline.run_request import RunRequest, check_cpu, check_run
from betaplus.pipeline.typed_settings import typed_settings
from betaplus.reconstruction.method import SCORE_METHODS, find_any

__all__ = ["Names", "Options", "ReconstructRequest", "check_options"]

_SETTINGS = {
    "iterations": "iterations", "subsets": "subsets", "beta": "beta", "steps": "steps",
    "samples": "draws",
}  # fmt: skip
"""Option to the setting that it is."""


@dataclass(frozen=True, kw_only=True)
class ReconstructRequest(RunRequest):
    """The options of the verb, by the same names and with the same defaults.

    Attributes:
        method: Name of a method, or None for ``dds`` where a prior is valid for the image, else
            ``osem``.
        iterations: Passes through the data, or None for the method's own number.
        subsets: Subsets, or None.
        beta: Strength of the prior, or None.
        steps: Network calls of a draw, or None for the method's own number.
        samples: Draws, or None for the method's own number.
        bundle: Folder of the prior of methods with a score model, or None for one that is shipped.
        bf16: Whether its network computes in bfloat16.
        dose: Activity administered [Bq], for priors in SUV, where the data do not say.
        weight: Body weight [kg], likewise.
        mu: Map of attenuation coefficients [1/cm], or None.
        norm: Siemens normalisation file, or None.
        scanner: Name of the scanner, for a list file without a header.
        voxel: Edge of a voxel across [mm], or None for that of a radial bin.
        matrix: Voxels along x and y, or None for as many as the field of view takes.
        like: Image whose grid to use, or None.
        psf: Resolution of the model, full width at half maximum [mm]; 0 leaves it out, None takes
            the scanner's.
        mask: Image of where activity may be, on any grid, or None.
        list_mode: Whether to reconstruct a list file event by event.
        engine: What frames, or the draws of a frame, are made in.
    """

    method: str | None = None
    iterations: int | None = None
    subsets: int | None = None
    beta: float | None = None
    steps: int | None = None
    samples: int | None = None
    bundle: Path | None = None
    bf16: bool = False
    dose: float | None = None
    weight: float | None = None
    mu: Path | None = None
    norm: Path | None = None
    scanner: str | None = None
    voxel: float | None = None
    matrix: int | None = None
    like: Path | None = None
    psf: float | None = None
    mask: Path | None = None
    list_mode: bool = False
    engine: str = "threads"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options, read.

    Attributes:
        values: Settings of the method, by name.
        scanner: The scanner that was named, or None.
        engine: What frames or draws are made in.
    """

    values: dict[str, Any]
    scanner: Scanner | None
    engine: Choice


@dataclass(frozen=True)
class Names(RunNames):
    """Where the outputs go.

    Attributes:
        method: Name of the method.
    """

    verb = "reconstruct"
    method: str

    @property
    def image(self) -> Path:
        """The image."""
        return self.path({"rec": bids_label(self.method)}, "pet", ".nii.gz")

    def stat(self, name: str) -> Path:
        """What draws of it say: ``std``, or ``cv`` for its share of the mean."""
        return self.path({"rec": bids_label(self.method), "stat": name}, "pet", ".nii.gz")


def check_options(request: ReconstructRequest) -> Options:
    """Check the options against each other.

    Raises:
        UsageError: If one is unknown or contradicts another.
        InputError: If the file of settings cannot be read.
        OutputError: If the folder to write to is a file, or holds another kind of thing.
    """
    check_run(request)
    check_cpu(request.device, "projectors run on the CPU")
    if request.list_mode and not is_list(request.source):
        raise UsageError(
            f"--list-mode with {Path(request.source).name}", "expected a list file (.l)"
        )
    engine = check_engine(request.engine, request.workers)
    if request.like is not None and (request.voxel is not None or request.matrix is not None):
        raise UsageError("--like with --voxel or --matrix", "expected one of the two")
    values = typed_settings(request.config, request.settings)
    for name, setting in _SETTINGS.items():
        given = getattr(request, name)
        if given is None:
            continue
        if setting in values:
            raise UsageError(f"--{name} and a setting {setting}", "expected one of the two")
        values[setting] = given
    if request.method is not None:
        make_settings(find_any(request.method).Settings, values)
        if request.method not in SCORE_METHODS:
            _refuse_prior(request, request.method)
    return Options(
        values=values,
        scanner=None if request.scanner is None else find_scanner(request.scanner),
        engine=engine,
    )


def _refuse_prior(request: ReconstructRequest, method: str) -> None:
    for name in ("bundle", "dose", "weight", "bf16"):
        if getattr(request, name):
            raise UsageError(
                f"--{name} with method {method!r}",
                f"expected it with {', '.join(SCORE_METHODS)}",
            )
