"""Weight bundles: read, checked, found and listed.

A bundle is a folder ``<task>-<name>-v<N>/`` with ``model.safetensors``, ``config.json``,
``README.md`` (the model card) and ``training.json``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.generative.bundle_config import BundleConfig, parse_folder, read_config

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "FILES",
    "Bundle",
    "BundleListing",
    "find_bundle",
    "list_bundles",
    "load_bundle",
    "load_into",
]

FILES = ("model.safetensors", "config.json", "README.md", "training.json")

_PACKAGE = Path(__file__).resolve().parents[1] / "bundles"
_VARIABLE = "BETAPLUS_BUNDLES"
_LARGEST = 512 << 20  # bytes of weights; what is shipped has up to 20 MB
_AGAIN = "get the bundle again, or train one"


@dataclass(frozen=True, eq=False, kw_only=True)
class Bundle:
    """Weights and what is known of them.

    Attributes:
        config: What they are of.
        tensors: By name; floating-point numbers as float32.
        path: The folder.
        checksum: SHA-256 of the file of weights.
    """

    config: BundleConfig
    tensors: dict[str, np.ndarray]
    path: Path
    checksum: str


@dataclass(frozen=True, kw_only=True)
class BundleListing:
    """A bundle that was found, usable or not.

    Attributes:
        task: From the folder's name.
        name: Likewise.
        version: Likewise.
        size: Of all its files [bytes].
        path: The folder.
        reason: Why it cannot be used, or "".
    """

    task: str
    name: str
    version: int
    size: int
    path: Path
    reason: str

    @property
    def valid(self) -> bool:
        """Whether it can be used."""
        return not self.reason


def load_bundle(folder: Path, task: str) -> Bundle:
    """Read a bundle and check it.

    Args:
        folder: The bundle.
        task: The task that wants it.

    Raises:
        InputError: If a file is missing, ``config.json`` is not as it should be, it is of another
            task, the checksum differs, or the weights cannot be read or are not finite.
    """
    for name in FILES:
        if not (folder / name).is_file():
            raise InputError(
                f"{folder} is not a bundle: it has no {name}",
                f"expected {', '.join(FILES)}",
                _AGAIN,
            )
    config = read_config(folder / "config.json")
    if config.task != task:
        raise InputError(
            f"bundle {folder} is of task {config.task!r}",
            f"expected {task!r}",
            "give another bundle",
        )
    try:
        size = (folder / "model.safetensors").stat().st_size
        if size > _LARGEST:
            raise InputError(
                f"{folder / 'model.safetensors'} holds {size} bytes",
                f"expected at most {_LARGEST}",
                "give another bundle",
            )
        data = (folder / "model.safetensors").read_bytes()
    except OSError as error:
        raise InputError(f"{folder / 'model.safetensors'} cannot be read", todo=_AGAIN) from error
    checksum = hashlib.sha256(data).hexdigest()
    if checksum != config.sha256:
        raise InputError(
            f"{folder / 'model.safetensors'} has a checksum that starts with {checksum[:12]}",
            f"expected {config.sha256[:12]} as config.json says",
            f"the file was damaged or changed: {_AGAIN}",
        )
    return Bundle(config=config, tensors=_parse(folder, data), path=folder, checksum=checksum)


def load_into(module: nn.Module, bundle: Bundle) -> None:
    """Put a bundle's weights into a network.

    Raises:
        InputError: If a tensor is missing, too many, or of another shape than the network's.
    """
    import torch

    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: array.shape for name, array in bundle.tensors.items()}
    for name in sorted(wanted.keys() | found.keys()):
        here, there = found.get(name, "absent"), wanted.get(name, "absent")
        if here != there:
            raise InputError(
                f"bundle {bundle.path}: tensor {name} is {here}",
                f"expected {there}, as the network has it",
                _AGAIN,
            )
    module.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in bundle.tensors.items()})


def find_bundle(
    task: str, name: str, explicit: Path | None = None, command: str | None = None
) -> Path:
    """Return the folder of a bundle.

    Looked for in this order: `explicit`, the folder of bundles `$BETAPLUS_BUNDLES`, the package;
    of several versions in one place the highest is taken.

    Args:
        task: ``kinetics``, ...
        name: Of the network.
        explicit: The bundle itself, from ``--bundle``.
        command: What trains one; ``betaplus train <task>`` if None.

    Raises:
        UsageError: If there is none.
    """
    if explicit is not None:
        if not explicit.is_dir():
            raise UsageError(
                f"--bundle {explicit} is not a folder", "expected the folder of a bundle"
            )
        return explicit
    for place in _places():
        if not place.is_dir() and place != _PACKAGE:
            raise UsageError(
                f"{_VARIABLE}={place} is not a folder", "expected a folder of bundles", "unset it"
            )
        fitting = [(key[2], path) for key, path in _bundles_in(place) if key[:2] == (task, name)]
        if fitting:
            return max(fitting)[1]
    raise UsageError(
        f"no weights {task}-{name}-v<N> in {' or '.join(map(str, _places()))}",
        "expected a bundle of that name",
        f"give --bundle FOLDER, set {_VARIABLE} to a folder of bundles, or train one with "
        f"{command or f'betaplus train {task}'}",
    )


def list_bundles() -> list[BundleListing]:
    """Return every bundle in `$BETAPLUS_BUNDLES` and in the package, each one checked."""
    listings = []
    for place in _places():
        for (task, name, version), path in _bundles_in(place):
            reason = ""
            try:
                named = load_bundle(path, task).config.folder
                if named != path.name:
                    reason = f"config.json says {named}"
            except InputError as error:
                reason = str(error)
            size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
            listings.append(
                BundleListing(
                    task=task, name=name, version=version, size=size, path=path, reason=reason
                )
            )
    return listings


def _places() -> list[Path]:
    named = os.environ.get(_VARIABLE)
    return [Path(named), _PACKAGE] if named else [_PACKAGE]


def _bundles_in(place: Path) -> Iterator[tuple[tuple[str, str, int], Path]]:
    if not place.is_dir():
        return
    for path in sorted(place.iterdir()):
        key = parse_folder(path.name)
        if key and path.is_dir():
            yield key, path


def _parse(folder: Path, data: bytes) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        read = load(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{folder / 'model.safetensors'} cannot be read as safetensors", todo=_AGAIN
        ) from error
    tensors = {}
    for name, array in read.items():
        floating = np.issubdtype(array.dtype, np.floating)
        with np.errstate(over="ignore"):
            tensors[name] = array.astype(np.float32) if floating else array
        if floating and not np.isfinite(tensors[name]).all():
            raise InputError(f"bundle {folder}: tensor {name} is not finite", todo=_AGAIN)
    return tensors
