"""Runs a verb where there is no room: short files, a full disk, one that is read-only."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.killing.forked import Started, import_verbs, start
from tests.killing.run import visible, write_study
from tests.killing.studies import OUT

__all__ = ["as_text", "may_mount", "no_room"]

_LIMITS = (1 << 10, 4 << 10, 16 << 10)
"""Sizes that no file may pass [bytes]."""

_FREE = (0, 40 << 10, 200 << 10, 800 << 10)
"""Room on a disk beside earlier results [bytes]."""


def no_room(verb: str, folder: Path, mounted: bool) -> tuple[int, list[str]]:
    """Run a verb over its earlier results where there is no room for others.

    Args:
        verb: Its name.
        folder: An empty one to work in.
        mounted: Whether small file systems may be mounted, which the root user alone can.

    Returns:
        Runs that ended in an error, and what must not be.
    """
    import_verbs(verb)
    said = folder / "said"
    plain = write_study(verb, folder)

    def run(out: Path, *more: str, limit: int | None = None) -> Started:
        def work() -> None:
            from betaplus.cli.main import main

            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            typed = [str(out) if item == str(OUT) else item for item in plain]
            main([*typed, "--quiet", "--workers", "2", *more])

        return start(work, said)

    whole = folder / "whole"
    first = run(whole)
    if first.wait() != 0:
        return 0, [f"no earlier results: {first.text()[-500:]}"]
    earlier, other = visible(whole), folder / "other"
    shutil.copytree(whole, other)
    changed = run(other, "--overwrite", "--seed", "1")
    if changed.wait() != 0 or visible(other) == earlier:
        return 0, [f"a seed changes nothing: {changed.text()[-500:]}"]
    stopped, wrong, later = 0, [], visible(other)
    for where, limit, place in _places(folder, whole, mounted):
        with place() as out:
            again = run(out, "--overwrite", "--seed", "1", limit=limit)
            code, text = again.wait(), again.text()
            now = visible(out)
            stopped += code == 2
            if code == 2 and not (text.startswith("betaplus: error: ") and text.count("\n") == 1):
                wrong.append(f"{where}: said {text[:300]!r}")
            if code not in (0, 2):
                wrong.append(f"{where}: ended with {code}: {text[-300:]}")
            torn = [n for n in now if now[n] not in (earlier.get(n), later.get(n))]
            torn += sorted(set(earlier) - set(now))
            if torn:
                wrong.append(f"{where}: neither earlier results nor new ones: {torn[:3]}")
    return stopped, wrong


def _places(
    folder: Path, whole: Path, mounted: bool
) -> Iterator[tuple[str, int | None, Callable[[], contextlib.AbstractContextManager[Path]]]]:
    for limit in _LIMITS:
        yield f"files of {limit} bytes", limit, lambda: _copy(folder, whole)
    if mounted:
        for free in _FREE:
            yield f"{free} bytes free", None, lambda free=free: _disk(folder, whole, free)
        yield "read-only", None, lambda: _disk(folder, whole, 1 << 20, read_only=True)


@contextlib.contextmanager
def _copy(folder: Path, whole: Path) -> Iterator[Path]:
    out = folder / "out"
    shutil.copytree(whole, out)
    try:
        yield out
    finally:
        shutil.rmtree(out)


@contextlib.contextmanager
def _disk(folder: Path, whole: Path, free: int, read_only: bool = False) -> Iterator[Path]:
    out = folder / "disk"
    out.mkdir(exist_ok=True)
    size = sum(-(-path.stat().st_size // 4096) + 1 for path in whole.rglob("*")) * 4096 + free
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", out], check=True)
    try:
        shutil.copytree(whole, out, dirs_exist_ok=True)
        if read_only:
            subprocess.run(["mount", "-o", "remount,ro", out], check=True)
        yield out
    finally:
        subprocess.run(["umount", out], check=True)


def may_mount() -> bool:
    """Whether this process may mount a file system."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


def as_text(verb: str, stopped: int, wrong: list[str]) -> str:
    """Return what was found in a line, and lines of what must not be."""
    lines = [f"{verb}: {stopped} runs without room ended in an error, {len(wrong)} troubles"]
    return "\n".join([*lines, *(f"  {text}" for text in wrong)])
