"""Where a scan is worked on, and how what was made gets to its place.

A verb writes into ``OUT/.betaplus/bids_<verb>/<scan>/made``. When it has finished, that folder
becomes ``ready``, and its files are moved to ``OUT/sub-<label>/.../pet``, the run record last. What
was stopped on the way goes on from there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from betaplus.core.errors import BetaplusError, OutputError
from betaplus.io.jsons import read_json, write_json
from betaplus.pipeline.bids.scans import Scan
from betaplus.pipeline.bids.staging import Staged

__all__ = ["Workplace", "uris"]

_HOME = ".betaplus"
_IMAGES = ("_pet.json", "_mimap.json")
_OF_THE_DATA_SET = ("dataset_description.json", ".bidsignore", _HOME)


class Workplace:
    """The folders of one scan under a verb.

    Args:
        out: The derivative data set.
        verb: The verb.
        scan: The scan.
    """

    def __init__(self, out: Path, verb: str, scan: Scan) -> None:
        self.final = out / scan.home
        self.folder = out / _HOME / f"bids_{verb}" / scan.stem
        self.inputs = self.folder / "in"
        self.made = self.folder / "made"
        self._ready = self.folder / "ready"
        self._record = f"{scan.stem}_{verb}_run.json"
        self._top = out

    @property
    def record(self) -> Path:
        """The run record in its place, which a finished scan has."""
        return self.final / self._record

    @property
    def finished(self) -> bool:
        """Whether the scan is finished: its record and all that it lists are in place."""
        if not self.record.is_file():
            return False
        with contextlib.suppress(BetaplusError):
            names = read_json(self.record).get("outputs")
            if isinstance(names, list):
                return all((self.final / str(name)).exists() for name in names)
        return False

    @property
    def begun(self) -> bool:
        """Whether there is work that was stopped."""
        return self.folder.exists()

    def prepare(self, *, resume: bool) -> None:
        """Make the folder ready for the verb: empty, or as an earlier run has left it.

        A finished scan is shown to the verb by links, so that it can say whether it is the same.

        Raises:
            OutputError: If the folder cannot be made.
        """
        if not resume:
            shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.inputs, ignore_errors=True)
        try:
            with contextlib.suppress(FileNotFoundError):  # another job has removed an empty folder
                self.inputs.mkdir(parents=True)
            self.inputs.mkdir(parents=True, exist_ok=True)
            if not resume or not self.finished or self.made.exists():
                return
            self.made.mkdir()
            for name in (*read_json(self.record)["outputs"], self._record):
                (self.made / name).symlink_to((self.final / name).absolute())
        except OSError as error:
            raise OutputError(
                f"cannot write {self._top}: {error.strerror}",
                todo="choose a folder that can be written",
            ) from error

    @property
    def _holds_work(self) -> bool:
        """Whether there is what a run can go on with: a journal, or files that are not in place."""
        record = self.made / self._record
        finished = record.is_file() and not record.is_symlink()
        return finished or (self.made / _HOME).is_dir() or self._ready.is_dir()

    @property
    def unchanged(self) -> bool:
        """Whether the verb, shown a finished scan, has left it as it is."""
        return (self.made / self._record).is_symlink()

    def publish(self, staged: Staged, roots: Mapping[str, Path], about: Mapping[str, Any]) -> None:
        """Complete the sidecars of what was made, and move it to its place.

        Args:
            staged: What it was made from.
            roots: Name of each data set to its top, for BIDS URIs.
            about: What the record says of the app.

        Raises:
            OutputError: If a file cannot be moved.
        """
        names = uris(staged.origin, roots)
        raw = {name for name, uri in names.items() if uri.startswith("bids:raw:")}
        for path in self.made.glob("*.json"):
            fields = read_json(path)
            sources = fields.get("Sources")
            if not isinstance(sources, list):
                continue
            image = path.name.endswith(_IMAGES)
            if image and staged.options.get("mask") is None and raw.issuperset(map(str, sources)):
                fields.setdefault("SkullStripped", False)  # BIDS asks it of every derived image
            fields["Sources"] = [names.get(str(name), name) for name in sources]
            write_json(path, fields)
        record = self.made / self._record
        sidecars = uris({path.as_posix(): path for path in staged.sidecars}, roots)
        fields = {
            "sources": list(names.values()),
            "inherited_from": list(sidecars.values()),
            "taken_from_the_scan": list(staged.owed),
            **about,
        }
        write_json(record, {**read_json(record), "bids": fields})
        os.replace(self.made, self._ready)
        self.complete()

    def complete(self) -> bool:
        """Move what is ready to its place, if anything is; return whether anything was."""
        if not self._ready.is_dir():
            return False
        try:
            for name in _OF_THE_DATA_SET:
                _remove(self._ready / name)
            self.final.mkdir(parents=True, exist_ok=True)
            last = self._ready / self._record
            for path in [p for p in sorted(self._ready.iterdir()) if p != last] + [last]:
                if path.is_symlink():  # an output of before that was not made again
                    continue
                target = self.final / path.name
                if path.is_dir():
                    _remove(target)
                os.replace(path, target)
        except OSError as error:
            raise OutputError(
                f"cannot write {self.final}: {error.strerror}", todo="mend it and give --resume"
            ) from error
        self.close()
        return True

    def close(self, *, keep: bool = False) -> None:
        """Remove the folder, or only its inputs where there is work to go on with, and empty ones.

        Args:
            keep: Whether to keep what a verb has left to be continued.
        """
        shutil.rmtree(self.inputs, ignore_errors=True)
        if not (keep and self._holds_work):
            shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self.folder, *self.folder.parents):
            if folder == self._top:
                break
            with contextlib.suppress(OSError):
                folder.rmdir()


def uris(files: Mapping[str, Path], roots: Mapping[str, Path]) -> dict[str, str]:
    """Return name to BIDS URI of files: ``bids:raw:sub-01/pet/sub-01_pet.nii.gz``.

    Args:
        files: Name to file.
        roots: Name of each data set to its top, "" for that of the outputs; a file is in the
            innermost that holds it.
    """
    return {name: _uri(path.absolute(), roots) for name, path in files.items()}


def _uri(path: Path, roots: Mapping[str, Path]) -> str:
    homes = [(name, root.absolute()) for name, root in roots.items()]
    held = [(name, root) for name, root in homes if path.is_relative_to(root)]
    if not held:
        return path.name
    name, root = max(held, key=lambda one: len(one[1].parts))
    return f"bids:{name}:{path.relative_to(root).as_posix()}"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
