"""Reads changed files one after the other and notes what a reader must not do."""

from __future__ import annotations

import contextlib
import io
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.fuzzing.readers import READERS, Files, mutate

from betaplus.core.errors import BetaplusError

__all__ = ["Findings", "fuzz"]

LONGEST = 20.0
"""Time for one file [s]."""

MOST_MEMORY = 1 << 30
"""Of the process, at any time [bytes]."""

_DESCRIBED = 4  # files to one that ``betaplus info`` looks at too


@dataclass
class Findings:
    """What happened.

    Attributes:
        refused: Files that ended in a plain error.
        taken: Files that were read.
        bad: What must not be, with the number of the file, by where it was raised.
        slowest: Time of the slowest file [s].
        memory: Peak of the process [bytes].
        messages: How often each kind of plain error came, by its first words.
    """

    refused: int = 0
    taken: int = 0
    bad: dict[str, list[int]] = field(default_factory=dict)
    slowest: float = 0.0
    memory: int = 0
    messages: Counter[str] = field(default_factory=Counter)


def fuzz(
    name: str, number: int, seed: int = 0, first: int = 0, keep: Path | None = None
) -> Findings:
    """Read changed samples of one reader.

    File i of a seed is the same whatever else is read.

    Args:
        name: Of the reader.
        number: Of files.
        seed: Of the changes.
        first: Number of the first file.
        keep: Where to put files that a reader could not deal with, or None.
    """
    reader, findings = READERS[name], Findings(memory=_peak())
    with tempfile.TemporaryDirectory(prefix="fuzz-") as made:
        base = Path(made)
        (base / "samples").mkdir()
        reader.make(base / "samples")
        samples = {p.name: _files(p) for p in sorted((base / "samples").iterdir())}
        case = _Case(base)
        for kind, sample in samples.items():  # what is whole is read
            reader.read(case.of(kind, sample))
            reader.describe(case.of(kind, sample))
        for i in range(first, first + number):
            rng = random.Random(f"{name} {seed} {i}")
            kind = rng.choice(sorted(samples))
            files = mutate(reader, samples[kind], rng)
            folder = case.of(kind, files)
            begun = time.monotonic()
            said = _outcome(reader.read, folder, findings, counted=True)
            if i % _DESCRIBED == 0:
                said = said or _outcome(reader.describe, folder, findings)
            findings.slowest = max(findings.slowest, time.monotonic() - begun)
            grown = _peak() > max(MOST_MEMORY, findings.memory)
            findings.memory = _peak()
            if grown:
                said = said or f"{findings.memory >> 20} MiB of memory"
            if said:
                findings.bad.setdefault(said, []).append(i)
                if keep is not None and len(findings.bad[said]) <= 3:
                    _Case(keep / name).of(str(i), files)
    return findings


class _Case:
    """Folders with files of a kind; only what differs from the file before is written."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._present: dict[str, Files] = {}

    def of(self, kind: str, files: Files) -> Path:
        """Return a folder with just these files."""
        folder, present = self._base / kind, self._present.setdefault(kind, {})
        folder.mkdir(parents=True, exist_ok=True)
        for name in present.keys() - files.keys():
            (folder / name).unlink()
        for name, content in files.items():
            if present.get(name) != content:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        self._present[kind] = dict(files)
        return folder


def _outcome(
    step: Callable[[Path], object], folder: Path, findings: Findings, counted: bool = False
) -> str:
    """Read a folder; return what was wrong with how that ended, or nothing."""
    printed = io.StringIO()
    with (
        warnings.catch_warnings(record=True) as warned,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        _limit(LONGEST),
    ):
        warnings.simplefilter("always")
        try:
            step(folder)
            findings.taken += counted
        except BetaplusError as error:
            findings.refused += counted
            findings.messages[" ".join(error.found.split()[:3])[:40]] += 1
            if not str(error) or not str(error).isprintable():
                return f"message {str(error)!r}"
        except StopIteration:  # the file itself is gone
            findings.refused += counted
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            place = traceback.extract_tb(error.__traceback__)
            ours = [f for f in place if "betaplus" in f.filename] or list(place)
            where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
            return f"{type(error).__name__} at {where}: {str(error)[:80]}"
    if warned:
        return f"warning {warned[0].category.__name__}: {str(warned[0].message)[:80]}"
    return f"printed {printed.getvalue()[:80]!r}" if printed.getvalue() else ""


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Raise an error in the main thread if the body takes longer."""

    def ring(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"over {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _files(folder: Path) -> Files:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _peak() -> int:
    """Return the most memory that this process has held [bytes]."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
