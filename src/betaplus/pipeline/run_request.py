"""What every verb is asked besides its own options, and the checks of it that need no data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from betaplus.core.errors import BetaplusError, OutputError, UsageError
from betaplus.engine import default_workers, parse_memory
from betaplus.io.jsons import read_json

__all__ = ["ImageRequest", "RunRequest", "check_cpu", "check_out", "check_run"]


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """The options of every verb that computes, by the same names and with the same defaults.

    Attributes:
        source: What to work on.
        out: Folder to write to.
        settings: Texts NAME=VALUE, of the method.
        config: TOML file with settings.
        seed: Seed of the run.
        workers: Blocks at work at a time, or None for the cores available.
        resume: Continue a run that was stopped, or begin again one that is made as a whole.
        overwrite: Replace earlier outputs.
        device: ``auto`` or ``cpu``; where networks may be elsewhere ``cuda`` or ``cuda:N``.
        dicom: Write images and maps as DICOM too; the source is a DICOM series.
        command: The command line, for the record.
    """

    source: Path
    out: Path
    settings: tuple[str, ...] = ()
    config: Path | None = None
    seed: int = 0
    workers: int | None = None
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    dicom: bool = False
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class ImageRequest(RunRequest):
    """The options of every verb that begins with an image.

    Attributes:
        mask: Image of the voxels wanted, on the grid of the image, or None.
        regions: Image of labels, likewise, or None.
        unit: Activity unit, where the sidecar lacks it.
        radionuclide: Likewise.
        decay_corrected_to: Likewise.
        engine: What blocks run in.
        max_memory: Bound on memory, such as ``4G``, or None.
    """

    mask: Path | None = None
    regions: Path | None = None
    unit: str | None = None
    radionuclide: str | None = None
    decay_corrected_to: str | None = None
    engine: str = "threads"
    max_memory: str | None = None

    @property
    def memory_limit(self) -> int | None:
        """The bound on memory [bytes].

        Raises:
            UsageError: If it is no size.
        """
        return None if self.max_memory is None else parse_memory(self.max_memory)

    @property
    def threads(self) -> int:
        """Threads wanted."""
        return 1 if self.engine == "inline" else self.workers or default_workers()


def check_run(request: RunRequest) -> None:
    """Check the folder to write to, and the options that say what becomes of what is there.

    Raises:
        UsageError: If they exclude each other.
        OutputError: If the folder is a file, or holds another kind of thing.
    """
    check_out(request.out)
    if request.resume and request.overwrite:
        raise UsageError("--resume and --overwrite are both given", "they exclude each other")


def check_out(out: Path) -> None:
    """Check the folder to write to.

    Raises:
        OutputError: If it is a file, or holds another kind of thing.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file", "expected a folder", "choose another -o")
    description = out / "dataset_description.json"
    if description.exists():
        try:
            read_json(description)
        except BetaplusError as error:
            raise OutputError(f"{out}: {error}", todo="choose another -o") from error


def check_cpu(device: str, why: str) -> None:
    """Refuse a device other than the CPU.

    Args:
        device: From ``--device``.
        why: What to say of a GPU.

    Raises:
        UsageError: If it is another, or unknown.
    """
    if device.partition(":")[0] == "cuda":
        raise UsageError(f"--device is {device}", why, "give --device auto or cpu")
    if device not in ("auto", "cpu"):
        raise UsageError(f"--device is {device!r}", "expected auto or cpu")
