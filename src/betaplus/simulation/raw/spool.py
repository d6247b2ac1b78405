"""Arrays of frames kept on disk until all frames are there."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from betaplus.core.errors import OutputError

__all__ = ["FrameFiles", "Spool"]

_INTEGERS = (np.uint8, np.uint16, np.uint32)


class FrameFiles:
    """Frames of one array: slices along its first axis as an array does.

    Args:
        paths: File of each frame.
        shape: Of a frame.
    """

    def __init__(self, paths: list[Path], shape: tuple[int, ...]) -> None:
        self._paths = paths
        self.shape = (len(paths), *shape)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, key: Any) -> np.ndarray:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, slice):
            frames = [np.load(path)[tuple(rest)] for path in self._paths[first]]
            return np.stack(frames) if frames else np.empty((0, *self.shape[1:]))
        return np.load(self._paths[first])[tuple(rest)]


class Spool:
    """A folder of frames inside another, gone when it is left.

    Args:
        parent: Where to make it; made where it is missing, and gone again if an error leaves it
            empty.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._made: list[Path] = []
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._frames: dict[str, list[Path]] = {}

    def __enter__(self) -> Spool:
        missing = [p for p in (self._parent, *self._parent.parents) if not p.exists()]
        try:
            self._parent.mkdir(parents=True, exist_ok=True)
            self._made = missing
            self._folder = Path(tempfile.mkdtemp(prefix=".tmp-raw-", dir=self._parent))
        except OSError as error:
            raise OutputError(
                f"cannot write to {self._parent}: {error.strerror}", todo="choose another -o"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        if error is not None:
            with contextlib.suppress(OSError):
                for folder in self._made:  # innermost first; one that is not empty ends it
                    folder.rmdir()

    def add(self, name: str, frame: np.ndarray) -> None:
        """Append a frame to an array; counts are held in as few bytes as they need."""
        if frame.dtype.kind == "u":
            most = int(frame.max(initial=0))
            frame = frame.astype(next(k for k in _INTEGERS if most <= np.iinfo(k).max))
        held = self._frames.setdefault(name, [])
        path = self._folder / f"{name}-{len(held)}.npy"
        try:
            np.save(path, frame)
        except OSError as error:
            raise OutputError(
                f"cannot write to {self._parent}: {error.strerror or error}",
                "expected room for the frames",
                "choose another -o",
            ) from error
        held.append(path)
        self._shapes[name] = frame.shape

    def array(self, name: str) -> FrameFiles:
        """Return all frames of an array."""
        return FrameFiles(self._frames[name], self._shapes[name])
