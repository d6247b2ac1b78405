"""The key of a run: a hash of everything its result depends on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError

__all__ = ["Key", "content_key"]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Key:
    """What a run's result depends on.

    Args:
        digest: SHA-256 of the canonical JSON of `parts`, in hexadecimal.
        parts: Dotted name to value, such as `settings.samples`: what a message can name when two
            keys differ.
    """

    digest: str
    parts: Mapping[str, Any]

    def changes(self, other: Mapping[str, Any]) -> list[str]:
        """Return the names whose values differ from those of another key's parts, sorted."""
        missing = object()
        names = {*self.parts, *other}
        return sorted(
            name for name in names if self.parts.get(name, missing) != other.get(name, missing)
        )


def content_key(
    inputs: Mapping[str, Path],
    settings: Mapping[str, Any],
    versions: Mapping[str, str],
    bundle: str | None = None,
) -> Key:
    """Hash the content of the input files, the settings, the versions and the weights.

    Where a file lies and when it was written do not matter; only its bytes do.

    Args:
        inputs: Role to file or folder, such as `{"image": path, "blood": path}`. A sidecar is an
            input of its own. In a folder (DICOM, zarr) every file's relative path counts too.
        settings: Everything that changes the result: method, model, prior, seed. Numbers, text,
            None, paths, numpy arrays, dataclasses, and lists, tuples and mappings of these. Not the
            workers, the executor or the memory limit, which do not change it.
        versions: Package to version.
        bundle: Checksum of the weights, where there are any.

    Raises:
        InputError: If an input cannot be read.
        TypeError: If a setting has no canonical form.
    """
    tree = {
        "inputs": {role: _hash_path(Path(path)) for role, path in inputs.items()},
        "settings": _canonical(settings),
        "versions": dict(versions),
        "bundle": bundle,
    }
    # Through JSON and back, so that a key read from a file compares equal to a fresh one.
    parts = json.loads(json.dumps(_flat(tree)))
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return Key(hashlib.sha256(canonical.encode()).hexdigest(), parts)


def _hash_path(path: Path) -> str:
    total = hashlib.sha256()
    try:
        if not path.is_dir():
            return _hash_file(path)
        for part in sorted(p for p in path.rglob("*") if p.is_file()):
            total.update(f"{part.relative_to(path).as_posix()}\0{_hash_file(part)}\n".encode())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return total.hexdigest()


def _hash_file(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def _canonical(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else f"float {value}"
    if isinstance(value, np.generic):
        return _canonical(value.item())
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"array {value.dtype.str} {value.shape} {content}"
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"class": type(value).__qualname__, **_canonical(fields)}
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: _canonical(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    raise TypeError(f"a setting of type {type(value).__name__} cannot be part of a key")


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat
