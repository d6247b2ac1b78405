"""What `betaplus separate` is asked to do, and the checks that need no data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from betaplus.core.errors import BetaplusError, OutputError, UsageError
from betaplus.engine import default_workers, parse_memory
from betaplus.io.derivatives import bids_name
from betaplus.io.jsons import read_json
from betaplus.pipeline.blood import PLASMA
from betaplus.pipeline.typed_settings import typed_settings
from betaplus.separation.options import check_blood, method_settings
from betaplus.separation.options import check_options as check_method
from betaplus.separation.study_tracers import StudyTracer, parse_tracers

__all__ = ["Names", "Options", "SeparateRequest", "check_options"]


@dataclass(frozen=True, kw_only=True)
class SeparateRequest:
    """The options of the verb, by the same names and with the same defaults.

    Attributes:
        source: The dynamic image.
        out: Folder to write to.
        tracers: Two names with a comma between; that injected first before the other.
        delay: Second injection after the first [s].
        blood_a: Files of the first tracer's blood.
        blood_b: Of the second's.
        method: Name of a method.
        samples: Draws, or None.
        bundle: Folder of a network, or None for one that is shipped.
        mask: Image of the voxels wanted, on the grid of the image, or None.
        regions: Image of labels whose fits are looked at, likewise, or None.
        arrival_a: Of the first tracer at the tissue after the blood sampler [s], or None.
        arrival_b: Of the second.
        plasma_a: ``measured``, ``unmetabolised`` or ``whole-blood``.
        plasma_b: Likewise.
        blood_unit: Unit of the blood, where its file gives none.
        unit: Activity unit, where the sidecar lacks it.
        radionuclide: That the image was decay-corrected for, likewise.
        decay_corrected_to: Likewise.
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
    tracers: str = ""
    delay: float | None = None
    blood_a: tuple[str, ...] = ()
    blood_b: tuple[str, ...] = ()
    method: str = "inn"
    samples: int | None = None
    bundle: Path | None = None
    mask: Path | None = None
    regions: Path | None = None
    arrival_a: float | None = None
    arrival_b: float | None = None
    plasma_a: str = "measured"
    plasma_b: str = "measured"
    blood_unit: str | None = None
    unit: str | None = None
    radionuclide: str | None = None
    decay_corrected_to: str | None = None
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
        tracers: The two.
        delay: Second injection after the first [s].
        settings: `Settings` of the method.
        max_memory: [bytes], or None.
        workers: Threads wanted.
    """

    tracers: tuple[StudyTracer, StudyTracer]
    delay: float
    settings: Any
    max_memory: int | None
    workers: int


@dataclass(frozen=True)
class Names:
    """Where the outputs go.

    Attributes:
        out: The folder.
        src: The source's name up to its suffix.
    """

    out: Path
    src: str

    def image(self, label: str, stat: str | None = None) -> Path:
        """Return the path of a tracer's image, or of its ``std``."""
        entities = {"trc": label, "desc": "separated"} | ({"stat": stat} if stat else {})
        return self.out / bids_name(self.src, entities, "pet", ".nii.gz")

    @property
    def chi2(self) -> Path:
        """Chi-square of what the pair leaves of the mixture."""
        return self.out / bids_name(self.src, {"desc": "mixing"}, "chi2", ".tsv")

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.out / f"{self.src}_separate_report.html"

    @property
    def record(self) -> Path:
        """The run record, which is written last."""
        return self.out / f"{self.src}_separate_run.json"


def check_options(request: SeparateRequest) -> Options:
    """Check the options against each other.

    Raises:
        UsageError: If one is unknown or contradicts another.
        InputError: If the file of settings cannot be read.
        OutputError: If the folder to write to is a file, or holds another kind of thing.
    """
    _check_out(Path(request.out))
    if request.resume and request.overwrite:
        raise UsageError("--resume and --overwrite are both given", "they exclude each other")
    if not request.tracers:
        raise UsageError(
            "no tracers", "expected --tracers A,B, that injected first before the other"
        )
    tracers = parse_tracers(request.tracers)
    if request.delay is None:
        raise UsageError("no delay", "expected --delay SECONDS between the two injections")
    for name, plasma in (("--plasma-a", request.plasma_a), ("--plasma-b", request.plasma_b)):
        if plasma not in PLASMA:
            raise UsageError(f"{name} is {plasma!r}", f"expected {', '.join(PLASMA)}")
    _check_files(request)
    typed = typed_settings(request.config, request.settings)
    settings = method_settings(request.method, typed, request.samples)
    check_method(request.method, request.bundle, request.engine, request.workers)
    check_blood(request.method, (bool(request.blood_a), bool(request.blood_b)))
    _check_device(request.device)
    workers = 1 if request.engine == "inline" else request.workers or default_workers()
    return Options(
        tracers=tracers,
        delay=request.delay,
        settings=settings,
        max_memory=None if request.max_memory is None else parse_memory(request.max_memory),
        workers=workers,
    )


def _check_files(request: SeparateRequest) -> None:
    first, second = ([str(item) for item in one] for one in (request.blood_a, request.blood_b))
    for item in (*first, *second):
        if item.startswith(("idif:", "population:")):
            raise UsageError(
                f"blood {item}",
                "expected a file: an image holds both tracers, and where blood is missing that of"
                " a population is taken anyway",
            )
    same = set(first) & set(second)
    if same:
        raise UsageError(
            f"{sorted(same)[0]} is given for both tracers", "expected the blood of each"
        )


def _check_device(device: str) -> None:
    if device.partition(":")[0] == "cuda":
        raise UsageError(
            f"--device is {device}", "tracers are separated on the CPU", "give --device auto or cpu"
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
