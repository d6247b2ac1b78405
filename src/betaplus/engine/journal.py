"""The journal of a run: finished blocks on disk beside the output, from which a run resumes.

It is the folder `OUT/.betaplus/<source>_<verb>/`: `key.json` says what the results depend on, one
file per finished block holds its arrays, and `lock` is held while a run is at work. A block is
finished when its file has its name, which it gets only when its bytes are on disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from betaplus.core.errors import InputError, OutputError, UsageError, WorkerError
from betaplus.engine.blockfile import load_arrays, save_arrays
from betaplus.engine.key import Key
from betaplus.engine.plan import Block
from betaplus.engine.sending import Result
from betaplus.io.atomic import atomic_path

__all__ = ["Journal", "work_folder"]

_HOME = ".betaplus"
_KEY = "key.json"
_LOCK = "lock"
_FLAGS = "give --resume to continue it or --overwrite to start again"


def work_folder(out: Path, source: str, verb: str) -> Path:
    """Return where the journal of one verb on one source lies: `OUT/.betaplus/<source>_<verb>`."""
    return Path(out) / _HOME / f"{source}_{verb}"


class Journal:
    """Finished blocks of one run. Made by `Journal.open`, and a context manager.

    Leaving the `with` block releases the lock. A run that ended well calls `complete` first. One
    that ends in `InputError` or `UsageError`, or before any block was finished in any user-mendable
    error, leaves the output folder as it was; any other end leaves a journal to resume from.

    Attributes:
        folder: The work folder; a task may keep its own working stores in it.
        key: What the results depend on; `key.digest` belongs in the run record as `key`.
        done: Whether an earlier run with this key has finished: there is nothing left to do.
        resumed: Whether it continues an earlier run.
        remarks: What a user should know, such as a file system without locks.
    """

    def __init__(self, folder: Path, key: Key) -> None:
        """Start with nothing on disk; `open` does the rest."""
        self.folder = folder
        self.key = key
        self.done = False
        self.resumed = False
        self.remarks: list[str] = []
        self._saved = 0
        self._made: list[Path] = []
        self._lock: IO[bytes] | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        key: Key,
        *,
        resume: bool = False,
        overwrite: bool = False,
        outputs: Iterable[Path] = (),
        record: Path | None = None,
    ) -> Journal:
        """Open the journal, by the rules of the command line.

        Args:
            folder: From `work_folder`.
            key: From `content_key`.
            resume: Continue an earlier run of the same key; where there is none, start one; where
                it has finished, set `done`.
            overwrite: Drop an unfinished run and start again. Finished outputs stay until they are
                replaced.
            outputs: Every file the run will write, without the record.
            record: The run record (JSON) that is written last, whose field `key` is `key.digest`.

        Raises:
            UsageError: If both flags are given.
            OutputError: If there are finished outputs or an unfinished run and neither flag is
                given, if `--resume` meets another key, if another run is at work in the folder, or
                if it cannot be written.
        """
        if folder.parent.name != _HOME:
            raise ValueError(f"{folder} is not a work folder")
        if resume and overwrite:
            raise UsageError("--resume and --overwrite are both given", "they exclude each other")
        journal = cls(folder, key)
        try:
            journal._begin(resume, overwrite, list(outputs), record)
        except BaseException as error:
            journal._release()
            journal._remove_made()
            if isinstance(error, OSError):
                raise _cannot_write(folder, error) from error
            raise
        return journal

    def _begin(
        self, resume: bool, overwrite: bool, outputs: list[Path], record: Path | None
    ) -> None:
        if self.folder.is_dir():
            self._take_lock()
        earlier = _read_json(self.folder / _KEY)
        finished = [path for path in [*outputs, *([record] if record else [])] if path.exists()]
        if not resume and not overwrite:
            if earlier is not None:
                raise OutputError(f"{self.folder} holds an unfinished run", todo=_FLAGS)
            if finished:
                raise OutputError(f"{finished[0]} exists already", todo=_FLAGS)
        if resume:
            recorded = _read_json(record) if record else None
            same = recorded is not None and recorded.get("key") == self.key.digest
            if same and all(path.exists() for path in outputs):
                self.done = True
                self.complete()
                return
            if earlier is not None:
                self._check_key(earlier)
                self.resumed = True
                return
            if finished and not same:
                raise OutputError(
                    f"{finished[0]} is not from a run with these inputs, settings and versions",
                    "--resume continues only the same run",
                    "give --overwrite to replace it, or another output folder",
                )
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._made = _missing(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._lock is None:
            self._take_lock()
        (self.folder / _KEY).unlink(missing_ok=True)
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != _LOCK:
                path.unlink()
        text = json.dumps({"key": self.key.digest, "parts": dict(self.key.parts)}, indent=1)
        with atomic_path(self.folder / _KEY) as temporary:
            temporary.write_text(text)

    def _check_key(self, earlier: dict[str, Any]) -> None:
        if earlier.get("key") == self.key.digest:
            return
        names = self.key.changes(earlier.get("parts") or {})
        what = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        raise OutputError(
            f"{self.folder} holds an unfinished run that differs in {what}",
            "--resume continues only the same run",
            "run it as before, or give --overwrite to start again",
        )

    def load(self, block: Block, stage: str = "block") -> dict[str, np.ndarray] | None:
        """Return the arrays of a finished block, or None if it is not finished or damaged."""
        if self.done:
            return None
        return load_arrays(self._path(block, stage))

    def save(self, block: Block, result: Result, stage: str = "block") -> None:
        """Put a block's arrays on disk; when this returns, the block is finished for good.

        Raises:
            OutputError: If the file cannot be written.
        """
        if self.done:
            raise ValueError("this run has finished; there is nothing to save")
        save_arrays(self._path(block, stage), result)
        self._saved += 1

    def complete(self) -> None:
        """Remove the work folder: to be called when outputs and record have their final names."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._release()
        _remove_if_empty(self.folder.parent)

    def __enter__(self) -> Journal:
        """Return the journal itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the lock; after an error of the user's, leave the output folder as it was."""
        mendable = isinstance(error, InputError | UsageError)
        unstarted = isinstance(error, OutputError | WorkerError) and not self._saved
        if (mendable or unstarted) and not self.resumed and not self.done:
            shutil.rmtree(self.folder, ignore_errors=True)
            _remove_if_empty(self.folder.parent)
            self._remove_made()
        self._release()

    def _path(self, block: Block, stage: str) -> Path:
        return self.folder / f"{stage}_{block.region}.npz"

    def _take_lock(self) -> None:
        self._lock = (self.folder / _LOCK).open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"another run is at work in {self.folder}", todo="wait for it, or stop it"
            ) from error
        except OSError as error:
            self.remarks.append(f"{self.folder} is not locked: {error.strerror}")

    def _release(self) -> None:
        if self._lock is not None:
            # Not left to closing: a process that is just being started may hold a copy of the file.
            with contextlib.suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_UN)
            self._lock.close()
            self._lock = None

    def _remove_made(self) -> None:
        for path in self._made:
            if path == self.folder:
                shutil.rmtree(path, ignore_errors=True)
            else:
                _remove_if_empty(path)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _missing(folder: Path) -> list[Path]:
    """Return the folders that have yet to be made for `folder`, the deepest first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _cannot_write(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{folder} cannot be written: {error.strerror}",
        todo="check its permissions and free space, or choose another output folder",
    )
