"""What goes to a worker in another process, and comes back: one text of bytes each way.

Function and context of a run go to a worker once, in an envelope that says what versions wrote it;
every block after that carries only its own region and data. Bytes are made and read here, so that
what lies between, a pipe or a scheduler, neither opens nor changes them.
"""

from __future__ import annotations

import hashlib
import pickle
import platform
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias

import numpy as np

from betaplus.core.errors import WorkerError
from betaplus.engine.plan import Block

__all__ = ["BlockFunction", "Envelope", "Result", "call_local", "pack", "unpack", "work"]

Result: TypeAlias = Mapping[str, np.ndarray]
BlockFunction: TypeAlias = Callable[..., Result]

_PACKAGES = ("betaplus", "numpy", "scipy", "numba", "torch")
_HELD = 2  # contexts that a process keeps: of a run, and of one beside it

_held: OrderedDict[str, tuple[BlockFunction, Any]] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class Envelope:
    """Function and context of a run, sealed.

    Attributes:
        digest: SHA-256 of the content.
        content: A pickle of both.
        versions: Package to version, of the process that sealed it.
    """

    digest: str
    content: bytes
    versions: Mapping[str, str]

    @classmethod
    def seal(cls, function: BlockFunction, context: Any) -> Envelope:
        """Seal a function of a module and a context that can be pickled."""
        content = pickle.dumps((function, context), protocol=5)
        return cls(hashlib.sha256(content).hexdigest(), content, versions())

    def check(self) -> None:
        """Refuse to be opened by other versions than those that sealed it.

        Raises:
            WorkerError: If this process has others.
        """
        for name, wanted in self.versions.items():
            found = versions().get(name, "not installed")
            if found != wanted:
                raise WorkerError(
                    f"a worker on {platform.node()} has {name} {found}",
                    f"expected {wanted}, as here",
                    "start workers from the same environment",
                )


@cache
def versions() -> dict[str, str]:
    """Return what the bits of a result depend on: package to version, Python's among them."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def pack(block: Block, parts: tuple[Any, ...]) -> bytes:
    """Return a block and its data as bytes."""
    return pickle.dumps((block, parts), protocol=5)


def unpack(sent: bytes) -> Result:
    """Return the result that `work` has packed."""
    return pickle.loads(sent)


def work(digest: str, envelope: Callable[[], Envelope], packed: bytes) -> bytes:
    """Run a block in a worker: its function on (block, context, *parts).

    Args:
        digest: Of the envelope. Its context is made once in a process and kept.
        envelope: Brings it, where it has not been opened here yet.
        packed: From `pack`.

    Raises:
        WorkerError: If this process has other versions than the one that sealed it.
    """
    function, context = _opened(digest, envelope)
    block, parts = pickle.loads(packed)
    return pickle.dumps(dict(function(block, context, *parts)), protocol=5)


def _opened(digest: str, envelope: Callable[[], Envelope]) -> tuple[BlockFunction, Any]:
    with _lock:
        if digest not in _held:
            sealed = envelope()
            sealed.check()
            _held[digest] = pickle.loads(sealed.content)
            while len(_held) > _HELD:
                _held.popitem(last=False)
        _held.move_to_end(digest)
        return _held[digest]


def call_local(
    function: BlockFunction,
    context: Any,
    read: Callable[[Block], tuple[Any, ...]] | None,
    block: Block,
) -> Result:
    """Run a block in this process, where nothing has to be sent."""
    return function(block, context, *(() if read is None else read(block)))
