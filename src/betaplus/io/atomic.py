"""Outputs that appear complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from betaplus.core.errors import OutputError

__all__ = ["atomic_path"]

_MENDABLE = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EISDIR,
    errno.EEXIST,
    errno.EFBIG,
    errno.ENAMETOOLONG,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what was written there becomes `path` at the end.

    The temporary name keeps the extension and may be filled with a file or a folder. Missing
    folders are made. If the body raises, the temporary file and the folders made are removed.

    Raises:
        OutputError: If the folder cannot be made or written to, or the disk is full.
    """
    path = Path(path)
    made = _make_folder(path)
    temporary = path.parent / f".tmp-{secrets.token_hex(6)}-{path.name}"
    try:
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "Permission denied", str(path.parent))
        yield temporary
        if temporary.is_file():
            _sync(temporary)
        _replace(temporary, path)
    except BaseException as error:
        _remove(temporary)
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError) and error.errno in _MENDABLE:
            raise _refused(path, error) from error
        raise


def _make_folder(path: Path) -> list[Path]:
    """Make the folder of `path`; return the folders that were missing, innermost first."""
    missing = []
    try:
        for folder in path.parents:
            if folder.exists():
                break
            missing.append(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(path, error) from error
    return missing


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(temporary: Path, path: Path) -> None:
    if temporary.is_dir() and path.is_dir():
        old = path.parent / f".tmp-{secrets.token_hex(6)}-old-{path.name}"
        os.replace(path, old)
        os.replace(temporary, path)
        shutil.rmtree(old)
    else:
        os.replace(temporary, path)


def _remove(path: Path) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _refused(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or type(error).__name__
    return OutputError(
        f"cannot write {path}: {reason}", todo="choose a folder that can be written with -o"
    )
