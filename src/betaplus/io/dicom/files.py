"""Which files of a folder are DICOM."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from betaplus.core.errors import InputError
from betaplus.core.limits import lies_in

__all__ = ["dicom_files", "is_series"]

_MOST = 200_000  # files: a folder with more is no series
_PREAMBLE = 128


def is_series(path: str | Path) -> bool:
    """Return whether a path is to be read as DICOM: a folder, or a file by its name or content."""
    path = Path(path)
    return path.is_dir() or path.suffix.lower() in (".dcm", ".ima") or _has_magic(path)


def dicom_files(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the DICOM files of a folder (not of folders in it), by name, and remarks.

    Links that lead out of the folder and its data set are not followed, and what is no DICOM file
    is left out.

    Raises:
        InputError: If there are none, or the folder cannot be read.
    """
    found: list[Path] = []
    outside = other = folders = 0
    try:
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries):
                if count >= _MOST:
                    raise InputError(
                        f"{folder.name} holds over {_MOST} files", "expected one DICOM series"
                    )
                if entry.is_dir(follow_symlinks=False):
                    folders += 1
                elif not _inside(entry, folder):
                    outside += 1
                elif entry.name.upper() != "DICOMDIR" and _has_magic(Path(entry.path)):
                    found.append(Path(entry.path))
                else:
                    other += 1
    except OSError as error:
        raise InputError(
            f"{folder.name} cannot be read: {error.strerror or error}", "expected a folder"
        ) from error
    if not found:
        raise InputError(
            f"{folder.name} is a folder without DICOM files",
            "expected the files of one PET series, or a zarr store (.zarr)",
            "give the folder inside it that holds the series" if folders else "",
        )
    remarks = [f"{other} files of {folder.name} are not DICOM and were left out"] if other else []
    if outside:
        remarks.append(f"{outside} links of {folder.name} lead out of it and were left out")
    return sorted(found), remarks


def _inside(entry: os.DirEntry[str], folder: Path) -> bool:
    return not entry.is_symlink() or lies_in(Path(entry.path), folder)


def _has_magic(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            file.seek(_PREAMBLE)
            return file.read(4) == b"DICM"
    except OSError:
        return False
