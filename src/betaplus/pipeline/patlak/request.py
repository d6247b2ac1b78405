"""What `betaplus patlak` is asked to do, and the checks that need no data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from betaplus.core.errors import BetaplusError, OutputError, UsageError
from betaplus.engine import default_workers, parse_memory
from betaplus.io.derivatives import bids_name
from betaplus.io.jsons import read_json
from betaplus.patlak.options import check_options as check_method
from betaplus.patlak.options import method_settings, t_star_option
from betaplus.pipeline.blood import PLASMA
from betaplus.pipeline.typed_settings import typed_settings

__all__ = ["Names", "Options", "PatlakRequest", "check_options"]


@dataclass(frozen=True, kw_only=True)
class PatlakRequest:
    """The options of the verb, by the same names and with the same defaults.

    Attributes:
        source: The dynamic image.
        out: Folder to write to.
        blood: Files, or ``idif:MASK`` or ``population:FILE``.
        method: Name of a method.
        t_star: ``auto`` or seconds.
        samples: Draws, or None for the method's own number.
        bundle: Folder of a prior, or None for one that is shipped.
        anatomy: ``auto``, ``body`` or ``brain``.
        mask: Image of the voxels wanted, on the grid of the image, or None.
        regions: Image of labels whose means are wanted, likewise, or None.
        delay: Of the tissue after the blood sampler [s].
        relative: Whether to make the relative plot.
        bed_times: TSV of when each bed was seen, ``once``, or None.
        plasma: ``measured``, ``unmetabolised`` or ``whole-blood``.
        blood_unit: Unit of the blood, where its file gives none.
        unit: Activity unit, where the sidecar lacks it.
        radionuclide: Likewise.
        decay_corrected_to: Likewise.
        dose: Activity administered [Bq], likewise.
        weight: Of the body [kg], likewise.
        level: Mean SUV of the body in the last frame, where dose or weight is unknown.
        save_draws: Whether to keep the draws.
        settings: Texts NAME=VALUE.
        config: TOML file with settings.
        seed: Seed of the run.
        engine: ``threads`` or ``inline``.
        workers: Threads, or None for the cores available.
        max_memory: Bound on memory, such as ``4G``, or None.
        resume: Start a run again that was stopped.
        overwrite: Replace earlier outputs.
        device: ``auto`` or ``cpu``.
        command: The command line, for the record.
    """

    source: Path
    out: Path
    blood: tuple[str, ...] = ()
    method: str = "hqs"
    t_star: str = "auto"
    samples: int | None = None
    bundle: Path | None = None
    anatomy: str = "auto"
    mask: Path | None = None
    regions: Path | None = None
    delay: float = 0.0
    relative: bool = False
    bed_times: str | None = None
    plasma: str = "measured"
    blood_unit: str | None = None
    unit: str | None = None
    radionuclide: str | None = None
    decay_corrected_to: str | None = None
    dose: float | None = None
    weight: float | None = None
    level: float = 1.0
    save_draws: bool = False
    settings: tuple[str, ...] = ()
    config: Path | None = None
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
        settings: `Settings` of the method.
        max_memory: [bytes], or None.
        workers: Threads wanted.
    """

    settings: Any
    max_memory: int | None
    workers: int


@dataclass(frozen=True)
class Names:
    """Where the outputs go.

    Attributes:
        out: The folder.
        src: The source's name up to its suffix.
        relative: Whether slope and intercept are those of the relative plot.
    """

    out: Path
    src: str
    relative: bool

    def map(self, name: str, stat: str = "mean") -> Path:
        """Return the path of a map: of ``Ki`` or ``V0``."""
        meas = f"{name}rel" if self.relative else name
        entities = {"model": "Patlak", "meas": meas, "stat": stat}
        return self.out / bids_name(self.src, entities, "mimap", ".nii.gz")

    @property
    def draws(self) -> Path:
        """The posterior draws."""
        return self.out / bids_name(self.src, {"model": "Patlak"}, "draws", ".zarr")

    @property
    def kinpar(self) -> Path:
        """Means of regions."""
        return self.out / bids_name(self.src, {"model": "Patlak"}, "kinpar", ".tsv")

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.out / f"{self.src}_patlak_report.html"

    @property
    def record(self) -> Path:
        """The run record, which is written last."""
        return self.out / f"{self.src}_patlak_run.json"


def check_options(request: PatlakRequest) -> Options:
    """Check the options against each other.

    Raises:
        UsageError: If one is unknown or contradicts another.
        InputError: If the file of settings cannot be read.
        OutputError: If the folder to write to is a file, or holds another kind of thing.
    """
    _check_out(Path(request.out))
    if request.resume and request.overwrite:
        raise UsageError("--resume and --overwrite are both given", "they exclude each other")
    if not request.blood:
        raise UsageError("no input function", "expected --blood FILE", "name one")
    if request.plasma not in PLASMA:
        raise UsageError(f"--plasma is {request.plasma!r}", f"expected {', '.join(PLASMA)}")
    t_star_option(request.t_star)
    typed = typed_settings(request.config, request.settings)
    settings = method_settings(request.method, typed, request.samples)
    check_method(request.method, request.bundle, request.anatomy, request.engine, request.workers)
    if request.save_draws and request.method != "gibbs":
        raise UsageError(f"--save-draws with --method {request.method}", "expected gibbs")
    _check_device(request.device)
    workers = 1 if request.engine == "inline" else request.workers or default_workers()
    return Options(
        settings=settings,
        max_memory=None if request.max_memory is None else parse_memory(request.max_memory),
        workers=workers,
    )


def _check_device(device: str) -> None:
    if device.partition(":")[0] == "cuda":
        raise UsageError(
            f"--device is {device}", "Patlak maps are made on the CPU", "give --device auto or cpu"
        )
    if device not in ("auto", "cpu"):
        raise UsageError(f"--device is {device!r}", "expected auto or cpu")


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file", "expected a folder", "choose another -o")
    description = out / "dataset_description.json"
    if description.exists():
        try:
            read_json(description)
        except BetaplusError as error:
            raise OutputError(f"{out}: {error}", todo="choose another -o") from error
