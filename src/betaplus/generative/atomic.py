"""Files and folders of weights that appear complete or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from betaplus.core.errors import OutputError

__all__ = ["beside"]


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Yield a path beside `path`; the file or folder written there becomes `path` at the end.

    A file takes the place of another in one step. A folder does so in two, the earlier one being
    kept under another name in between.

    Raises:
        OutputError: If it cannot be written.
    """
    temporary = path.parent / f".tmp-{secrets.token_hex(6)}-{path.name}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _sync(temporary)
        if temporary.is_dir() and path.is_dir():
            earlier = temporary.with_name(temporary.name + "-earlier")
            os.replace(path, earlier)
            os.replace(temporary, path)
            shutil.rmtree(earlier)
        else:
            os.replace(temporary, path)
    except BaseException as error:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
            todo = "choose a folder that can be written"
            raise OutputError(f"cannot write {path}: {reason}", todo=todo) from error
        raise


def _sync(path: Path) -> None:
    for file in path.iterdir() if path.is_dir() else [path]:
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
