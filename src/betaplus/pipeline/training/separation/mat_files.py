"""Sequences in the published layout: a folder of mixtures and one for each tracer.

Folders ``hybrid/`` and, by the names of the pair, such as ``fmz/`` and ``fdg/``, hold MATLAB files
of the same names, each with one array ``data``, (H, W, T): the frames of a slice, as measured and
in one unit, so that the two add up to the mixture but for noise.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError

__all__ = ["KEY", "MIXED", "MatFiles", "find_mat_files", "read_mat"]

MIXED = "hybrid"
"""Folder of the mixtures."""

KEY = "data"
"""Name of the array in every file."""

_ONE_IN = 12
_SIGNATURE = b"MATLAB 7.3"


@dataclass(frozen=True, kw_only=True)
class MatFiles:
    """Slices on disk.

    Attributes:
        folders: Of the mixtures and of both tracers.
        names: Of the files, in a fixed order.
        frames: T of all of them.
    """

    folders: tuple[Path, Path, Path]
    names: tuple[str, ...]
    frames: int

    def __len__(self) -> int:
        return len(self.names)

    def split(self) -> tuple[MatFiles, MatFiles]:
        """Return training and validation: one in twelve files, at least one, is in the second.

        Raises:
            InputError: If there are fewer than two.
        """
        if len(self.names) < 2:
            raise InputError(
                f"{len(self.names)} slice in {self.folders[0]}",
                "expected two or more, one of them to validate",
            )
        rank = sorted(self.names, key=lambda name: hashlib.sha256(name.encode()).digest())
        held = set(rank[: max(1, len(rank) // _ONE_IN)])
        parts = [tuple(n for n in self.names if (n in held) == inside) for inside in (False, True)]
        first, second = (
            MatFiles(folders=self.folders, names=part, frames=self.frames) for part in parts
        )
        return first, second

    def slice(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the mixture, shape (T, X, Y), and both sequences, shape (2T, X, Y) float32.

        Raises:
            InputError: If a file cannot be read, or the three are not of one shape.
        """
        name = self.names[index]
        arrays = [read_mat(folder / name) for folder in self.folders]
        for folder, array in zip(self.folders, arrays, strict=True):
            if array.shape[2] != self.frames:
                raise InputError(
                    f"{folder / name} has {array.shape[2]} frames",
                    f"expected {self.frames} as the first file has",
                )
            if array.shape != arrays[0].shape:
                raise InputError(
                    f"{folder / name} is {_by(array)}",
                    f"expected {_by(arrays[0])} as in {self.folders[0].name}",
                )
        mixed, *pair = (np.ascontiguousarray(array.transpose(2, 0, 1)) for array in arrays)
        return mixed, np.concatenate(pair)

    def checksum(self) -> str:
        """Return a checksum of the names and sizes of all files and the bytes of a few."""
        digest = hashlib.sha256()
        for folder in self.folders:
            for name in self.names:
                digest.update(f"{folder.name}/{name} {(folder / name).stat().st_size}".encode())
            for name in self.names[:: max(1, len(self.names) // 4)]:
                digest.update((folder / name).read_bytes())
        return digest.hexdigest()


def find_mat_files(data: Path, pair: tuple[str, str]) -> MatFiles:
    """Find the slices of a folder; the first is read, and tells T.

    Args:
        data: The folder.
        pair: Names of the tracers, whose folders are found in any case.

    Raises:
        InputError: If a folder is missing or empty, or they do not hold files of the same names.
    """
    if not data.is_dir():
        raise InputError(f"--data {data} is not a folder", "expected the folder of the sequences")
    there = {path.name.lower(): path for path in sorted(data.iterdir()) if path.is_dir()}
    folders = []
    for name in (MIXED, *pair):
        if name.lower() not in there:
            raise InputError(
                f"{data} has no folder {name.lower()}",
                f"expected {MIXED}, {pair[0].lower()} and {pair[1].lower()}",
                "name the tracers' folders by --pair",
            )
        folders.append(there[name.lower()])
    names = [{path.name for path in folder.glob("*.mat")} for folder in folders]
    if not names[0]:
        raise InputError(f"no .mat files in {folders[0]}", "expected the mixed slices")
    for folder, found in zip(folders[1:], names[1:], strict=True):
        other = sorted(found ^ names[0])
        if other:
            where = folder if other[0] in found else folders[0]
            raise InputError(
                f"{other[0]} is in {where.name} alone of {folders[0].name} and {folder.name}"
                f" ({len(found)} and {len(names[0])} files)",
                "expected the same file names in both",
            )
    ordered = tuple(sorted(names[0]))
    frames = read_mat(folders[0] / ordered[0]).shape[2]
    found = MatFiles(
        folders=(folders[0], folders[1], folders[2]), names=ordered, frames=int(frames)
    )
    found.slice(0)
    return found


def read_mat(path: Path) -> np.ndarray:
    """Read the array of a file, shape (H, W, T) float32.

    Raises:
        InputError: If the file cannot be read, or has no such array of finite numbers.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        with path.open("rb") as file:
            if file.read(len(_SIGNATURE)) == _SIGNATURE:
                raise InputError(
                    f"{path} is a MATLAB file of version 7.3",
                    "expected version 4 to 7",
                    "save it with the option -v7",
                )
        read = loadmat(path, variable_names=[KEY])
    except (OSError, ValueError, TypeError, NotImplementedError, MatReadError) as error:
        raise InputError(f"{path} cannot be read as a MATLAB file: {error}") from error
    array = read.get(KEY)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub" or array.ndim != 3:
        found = "no array" if array is None else f"{array.dtype} of {array.ndim} axes as"
        raise InputError(f"{path} has {found} {KEY!r}", "expected numbers (H, W, T)")
    if not np.isfinite(array).all():
        raise InputError(f"{path} holds NaN or infinite values", "expected finite numbers")
    return array.astype(np.float32)


def _by(array: np.ndarray) -> str:
    return " x ".join(str(n) for n in array.shape)
