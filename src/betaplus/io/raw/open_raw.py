"""One way in for raw data, told apart by the file's name."""

from __future__ import annotations

from pathlib import Path

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.raw import RawScan
from betaplus.core.scanner import Scanner
from betaplus.io.raw.histogram import histogram_scan
from betaplus.io.raw.interfile_projections import read_interfile_projections
from betaplus.io.raw.listmode_open import open_listmode
from betaplus.io.raw.store import read_raw
from betaplus.io.raw.store_arrays import check_values

__all__ = ["is_list", "is_raw", "open_raw"]

_LIST = (".l", ".bf")


def is_list(path: str | Path) -> bool:
    """Return whether a name is one of list mode."""
    return Path(path).name.lower().endswith(_LIST)


def is_raw(path: str | Path) -> bool:
    """Return whether a name is one of raw data."""
    name = Path(path).name.lower()
    return name.endswith(("_raw.zarr", ".hs", *_LIST, ".petsird"))


def open_raw(
    path: str | Path, *, scanner: Scanner | None = None, frames: FrameTiming | None = None
) -> RawScan:
    """Open raw data: the project's ``_raw.zarr``, Interfile's ``.hs``, Siemens's ``.l``.

    Args:
        path: The file or folder.
        scanner: Whose it is; needed for a list file without a header, else it must be the same.
        frames: How to cut a list file [s after the start of the scan]; None is one frame.

    Raises:
        InputError: If it is missing, of another kind, damaged, or of another scanner.
    """
    path = Path(path)
    name = path.name.lower()
    if not path.exists():
        raise InputError(f"{path} does not exist", "expected raw data")
    if name.endswith(".petsird"):
        raise InputError(
            f"{path.name} is PETSIRD, which this version does not read",
            "expected _raw.zarr, .hs or .l",
            "convert it to Interfile with STIR",
        )
    if is_list(path) and path.is_file():
        return histogram_scan(open_listmode(path, scanner), frames)
    if name.endswith(".zarr") and path.is_dir():
        scan = read_raw(path)
    elif name.endswith(".hs") and path.is_file():
        scan = _interfile(path)
    else:
        raise InputError(
            f"{path.name} is no raw data that is known",
            "expected a folder _raw.zarr, Interfile .hs or Siemens list mode .l",
        )
    if frames is not None:
        raise InputError(f"frames for {path.name}, which has its own", "expected a list file")
    if scanner is not None and scanner != scan.scanner:
        differ = [f for f in _fields(scanner) if getattr(scanner, f) != getattr(scan.scanner, f)]
        raise InputError(
            f"{path.name} is of scanner {scan.scanner.name}, which differs from {scanner.name} in"
            f" {', '.join(differ)}",
            "expected the same",
            "leave out --scanner",
        )
    return scan


def _fields(scanner: Scanner) -> tuple[str, ...]:
    """Return the names of a scanner's fields."""
    return tuple(scanner.__dataclass_fields__)


def _interfile(path: Path) -> RawScan:
    read = read_interfile_projections(path)
    check_values(read.data, "prompts", path.name)
    return RawScan(
        scanner=read.scanner,
        prompts=read.data[None],
        frames=read.frames,
        tracer=read.tracer,
        metadata=read.fields,
        source=read.source,
        remarks=read.remarks,
    )
