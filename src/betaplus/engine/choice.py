"""Names of executors, as `--engine` takes them, and what is checked of one before it starts."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from betaplus.core.errors import UsageError

__all__ = ["ENGINES", "Choice", "check_engine"]

ENGINES = ("threads", "inline", "processes", "dask", "dask:ADDRESS", "slurm:CONFIG")
"""Every name there is; of capitals stands what the user fills in."""

_ADDRESS = re.compile(r"((?:tcp|tls)://)?([A-Za-z0-9_.-]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})")


@dataclass(frozen=True)
class Choice:
    """An executor by its name.

    Attributes:
        kind: One of `ENGINES`.
        target: What stands behind the colon: the address of a scheduler, or a file; else "".
    """

    kind: str
    target: str = ""

    @classmethod
    def of(cls, name: str) -> Choice:
        """Read a name.

        Raises:
            UsageError: If it is none of `ENGINES`.
        """
        head, colon, target = name.partition(":")
        for kind in ENGINES:
            known, with_target, _ = kind.partition(":")
            if head == known and colon == with_target and bool(target) == bool(with_target):
                return cls(kind, target)
        raise UsageError(f"--engine {name} is unknown", f"there are {', '.join(ENGINES)}")

    @property
    def distributed(self) -> bool:
        """Whether it is of dask."""
        return self.kind.startswith(("dask", "slurm"))

    @property
    def apart(self) -> bool:
        """Whether blocks run in other processes, to which everything has to be sent."""
        return self.distributed or self.kind == "processes"

    @property
    def here(self) -> bool:
        """Whether workers are on this machine for certain."""
        return self.kind not in ("dask:ADDRESS", "slurm:CONFIG")


def check_engine(
    name: str, workers: int | None, known: Sequence[str] = ENGINES, verb: str = ""
) -> Choice:
    """Read the name of an executor and check all of it that can be checked without starting it.

    Args:
        name: From ``--engine``.
        workers: From ``--workers``, or None.
        known: Those of `ENGINES` that the verb can use.
        verb: What the others do not do, such as ``denoise``.

    Raises:
        UsageError: If the name is unknown, the verb cannot use it, its extra is not installed, its
            address or file is none, or there is less than one worker.
        InputError: If its file cannot be read.
    """
    choice = Choice.of(name)
    if choice.kind not in known:
        raise UsageError(f"--engine {name} does not {verb}", f"there are {', '.join(known)}")
    if workers is not None and workers < 1:
        raise UsageError(f"--workers is {workers}", "expected 1 or more")
    modules = {"dask": ("distributed",), "slurm": ("distributed", "dask_jobqueue")}
    for module in modules.get(name.partition(":")[0], ()):
        if importlib.util.find_spec(module) is None:
            raise UsageError(
                f"--engine {name} needs {module}",
                "expected the extra dask",
                "pip install 'betaplus[dask]'",
            )
    if choice.kind == "dask:ADDRESS":
        address = _ADDRESS.fullmatch(choice.target)
        if address is None or not 0 < int(address[3]) < 65536:
            raise UsageError(
                f"--engine {name} names no scheduler", "expected dask:HOST:PORT, with tcp:// or not"
            )
    if choice.kind == "slurm:CONFIG":
        from betaplus.engine.slurm import read_config

        read_config(Path(choice.target))
    return choice
