"""Sinograms from list mode."""

from __future__ import annotations

import operator
import threading
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.raw import RawScan
from betaplus.core.scanner import Scanner
from betaplus.io.raw.listmode import ListMode
from betaplus.io.raw.listmode_open import open_listmode

__all__ = ["LazyHistogram", "histogram", "histogram_scan"]


def histogram(
    file: ListMode | str | Path,
    scanner: Scanner | None = None,
    start: float | None = None,
    end: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return prompts and delayeds of part of a list file, in the scanner's span.

    Args:
        file: The list file.
        scanner: Whose it is, where a path without a header is given.
        start: From when on [s after the start of the scan]; None is from its begin.
        end: Until before when [s].

    Returns:
        Counts of prompts and of delayeds, each of shape (view, radial, plane), float32.

    Raises:
        InputError: If the file cannot be used.
    """
    if not isinstance(file, ListMode):
        file = open_listmode(file, scanner)
    shape = file.scanner.shape
    counts = np.zeros((2, *shape), dtype=np.float32)
    flat = counts.reshape(2, -1)
    one = np.float32(1.0)
    for events in file.stream(start, end):
        bins = events.bins
        np.add.at(flat[0], bins[events.prompt], one)
        np.add.at(flat[1], bins[~events.prompt], one)
    return counts[0], counts[1]


class LazyHistogram:
    """Sinograms of the frames of a list file, made when they are used; the last frame is kept.

    Args:
        file: The list file.
        frames: Its frames.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, file: ListMode, frames: FrameTiming) -> None:
        self.file, self.frames = file, frames
        self._lock = threading.Lock()
        self._kept: tuple[int, tuple[np.ndarray, np.ndarray]] | None = None

    def frame(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return prompts and delayeds of a frame."""
        with self._lock:
            if self._kept is None or self._kept[0] != t:
                self._kept = None
                start, end = float(self.frames.start[t]), float(self.frames.end[t])
                self._kept = t, histogram(self.file, start=start, end=end)
            return self._kept[1]


class _Counts:
    """Prompts or delayeds of all frames: slices along its first axis."""

    dtype = np.dtype(np.float32)

    def __init__(self, source: LazyHistogram, which: int) -> None:
        self._source, self._which = source, which
        self.shape = (len(source.frames), *source.file.scanner.shape)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis:
            first, rest = slice(None), [Ellipsis, *rest]
        if isinstance(first, slice):
            chosen = range(*first.indices(self.shape[0]))
            parts = [self._part(t, rest) for t in chosen]
            return np.stack(parts) if parts else np.empty((0, *self.shape[1:]), np.float32)
        t = operator.index(first)
        if not -len(self) <= t < len(self):
            raise IndexError(f"frame {t} of {len(self)}")
        return self._part(t % len(self), rest)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("reading a file makes a copy")
        data = self[:]
        return data if dtype is None else data.astype(dtype, copy=False)

    def _part(self, t: int, rest: list[Any]) -> np.ndarray:
        return np.array(self._source.frame(t)[self._which][tuple(rest)], order="C")


def histogram_scan(file: ListMode, frames: FrameTiming | None = None) -> RawScan:
    """Return a list file as sinograms by frames, made when they are used.

    Args:
        file: The list file.
        frames: Frames [s after the start of the scan]; None is one with all of it.

    Raises:
        InputError: If a frame is outside what was measured.
    """
    frames = file.frames if frames is None else frames
    first, last = float(frames.start[0]), float(frames.end[-1])
    if first < file.start - 0.0005 or last > file.end + 0.0005:
        raise InputError(
            f"frames from {first:g} to {last:g} s but {file.path.name} has events from"
            f" {file.start:g} to {file.end:g} s",
            "expected frames within that",
        )
    lazy = LazyHistogram(file, frames)
    return RawScan(
        scanner=file.scanner,
        prompts=_Counts(lazy, 0),
        delayeds=_Counts(lazy, 1),
        frames=frames,
        tracer=file.tracer,
        injection=file.injection,
        metadata=dict(file.fields),
        source=file.path,
        remarks=file.remarks,
    )
