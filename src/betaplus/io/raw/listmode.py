"""Siemens list mode: PETLINK words of 32 bits, as the mMR writes them.

Little endian. Bit 31 clear is an event: bit 30 is set for a prompt and clear for a delayed one, the
rest is the bin radial + radials * (view + views * plane) of a sinogram of span 1. Bit 31 set is a
tag: bits 100 at the top are the time in milliseconds, others (gating, singles) are passed over.
The header is a file beside it whose ``name of data file`` is the list file's. (Jones et al., IEEE
NSS/MIC 2007, PETLINK guideline; layout checked on the reference file.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.scanner import Scanner
from betaplus.core.tracer import Tracer
from betaplus.io.raw.events import Events
from betaplus.io.raw.siemens import plane_order

__all__ = ["ListMode"]

_WORD = np.dtype("<u4")
_TAG = np.uint32(1 << 31)
_PROMPT = np.uint32(1 << 30)
_BIN = np.uint32((1 << 30) - 1)
_TIME = np.uint32(0b100)  # of the three top bits
_MILLISECONDS = np.uint32((1 << 29) - 1)
_AT_A_TIME = 1 << 22  # words
_PROBE = 1 << 16  # words


@dataclass(frozen=True, eq=False, kw_only=True)
class ListMode:
    """A list file: where it is and what its first and last time tags say; events are streamed.

    Attributes:
        path: The file.
        scanner: Whose events these are.
        words: Words in the file.
        first: First time tag [ms].
        last: Last time tag [ms].
        tick: Between time tags [ms].
        fields: The header, or empty.
        tracer: Radionuclide and half-life, or None.
        injection: Injection start [s after the start of the scan].
        remarks: What was found untidy.
    """

    path: Path
    scanner: Scanner
    words: int
    first: int
    last: int
    tick: int = 1
    fields: dict[str, str] = field(default_factory=dict)
    tracer: Tracer | None = None
    injection: float = 0.0
    remarks: tuple[str, ...] = ()

    @property
    def start(self) -> float:
        """Time of the first tag [s after the start of the scan]."""
        return self.first / 1000.0

    @property
    def end(self) -> float:
        """End of the last tag's interval [s after the start of the scan]."""
        return (self.last + self.tick) / 1000.0

    @property
    def frames(self) -> FrameTiming:
        """All of it as one frame."""
        return FrameTiming.from_durations([self.end - self.start], self.start)

    @cached_property
    def ring_pairs(self) -> np.ndarray:
        """Rings of the first and second detector of each plane in the file, shape (planes, 2)."""
        single = self.scanner.replace(span=1).michelogram
        return single.pairs[plane_order(single)]

    def stream(
        self, start: float | None = None, end: float | None = None, words: int = _AT_A_TIME
    ) -> Iterator[Events]:
        """Yield the events from `start` to before `end` [s], in order, some at a time.

        An event has the time of the last tag before it; those before the first tag have its time.
        No more is read than that, and no more than `words` words at a time.

        Raises:
            InputError: If the file changes, a bin is outside the sinogram, or time goes back.
        """
        low = self.first if start is None else round(1000.0 * start)
        high = self.last + self.tick if end is None else round(1000.0 * end)
        if high <= low:
            return
        at, now = self._find(low)
        size = self.scanner.radial * self.scanner.views * len(self.ring_pairs)
        with self._open() as file:
            while at < self.words:
                chunk = self._read(file, at, words)
                at += chunk.size
                tag = (chunk & _TAG) != 0
                timed = tag & (chunk >> np.uint32(29) == _TIME)
                times = np.empty(1 + int(timed.sum()), dtype=np.int32)
                times[0] = now
                times[1:] = chunk[timed] & _MILLISECONDS
                if (np.diff(times) < 0).any():
                    back = int(np.argmax(np.diff(times) < 0))
                    raise InputError(
                        f"time goes back from {times[back]} to {times[back + 1]} ms in"
                        f" {self.path.name}",
                        "expected time tags in order",
                        "give one list file of one scan",
                    )
                now = int(times[-1])
                time = times[np.cumsum(timed, dtype=np.int32)[~tag]]
                word = chunk[~tag]
                inside = (time >= low) & (time < high)
                if not inside.all():
                    time, word = time[inside], word[inside]
                address = (word & _BIN).astype(np.int32)
                if address.size and address.max() >= size:
                    raise InputError(
                        f"bin {address.max()} in {self.path.name} is outside the {size} of"
                        f" {self.scanner.name}",
                        "expected list mode of 32-bit words of that scanner",
                    )
                if address.size:
                    yield Events(
                        scanner=self.scanner,
                        ring_pairs=self.ring_pairs,
                        address=address,
                        prompt=(word & _PROMPT) != 0,
                        time=time,
                    )
                if now >= high:
                    return

    def events(self, start: float | None = None, end: float | None = None) -> Events:
        """Return all events from `start` to before `end` [s]; 9 bytes each.

        Raises:
            InputError: As `stream` does.
        """
        return Events.join(self.scanner, self.ring_pairs, list(self.stream(start, end)))

    def stamps(self, words: int = _PROBE) -> tuple[int, int] | None:
        """Return the first and the last time tag [ms], or None where there is none.

        Raises:
            InputError: If the file cannot be read.
        """
        first = last = None
        with self._open() as file:
            at = 0
            while first is None and at < self.words:
                chunk = self._read(file, at, words)
                at += chunk.size
                tags = chunk[chunk >> np.uint32(29) == _TIME]
                if tags.size:
                    first = int(tags[0] & _MILLISECONDS)
            at = self.words
            while first is not None and last is None:
                count = min(words, at)
                at -= count
                chunk = self._read(file, at, count)
                tags = chunk[chunk >> np.uint32(29) == _TIME]
                if tags.size:
                    last = int(tags[-1] & _MILLISECONDS)
        return None if first is None or last is None else (first, last)

    def _find(self, time: int) -> tuple[int, int]:
        """Return a word before which all events are earlier than `time` [ms], and its time."""
        low, high, now = 0, self.words, self.first
        if time <= self.first:
            return low, now
        with self._open() as file:
            while high - low > _PROBE:
                middle = (low + high) // 2
                at, found = middle, None
                while at < high and found is None:
                    chunk = self._read(file, at, _PROBE)
                    tags = np.flatnonzero(chunk >> np.uint32(29) == _TIME)
                    if tags.size:
                        found = at + int(tags[0]), int(chunk[tags[0]] & _MILLISECONDS)
                    at += chunk.size
                if found is not None and found[0] < high and found[1] < time:
                    low, now = found
                else:
                    high = middle
        return low, now

    def _open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise InputError(f"{self.path.name} cannot be read: {error.strerror}") from error

    def _read(self, file: BinaryIO, at: int, count: int) -> np.ndarray:
        count = min(count, self.words - at)
        try:
            file.seek(at * _WORD.itemsize)
            raw = file.read(count * _WORD.itemsize)
        except OSError as error:
            raise InputError(f"{self.path.name} cannot be read: {error.strerror}") from error
        if len(raw) != count * _WORD.itemsize:
            raise InputError(f"{self.path.name} became shorter while it was read")
        return np.frombuffer(raw, _WORD)
