"""Where a network computes."""

from __future__ import annotations

import os
import re

import torch

from betaplus.core.errors import UsageError

__all__ = ["find_device"]


def find_device(name: str) -> str:
    """Return ``cpu``, ``cuda`` or ``cuda:N``; ``auto`` is a GPU where there is one.

    A process that torchrun started takes the GPU of its number (LOCAL_RANK), unless one is named.

    Raises:
        UsageError: If it is none of these, or is not there.
    """
    local = os.environ.get("LOCAL_RANK")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and local is not None:
        name = f"cuda:{local}"
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if match is None:
        raise UsageError(f"--device is {name!r}", "expected auto, cpu, cuda or cuda:N")
    count = torch.cuda.device_count() if name != "cpu" else 1
    if int(match[1] or 0) >= count:
        raise UsageError(f"--device {name}: {count} CUDA devices are usable", "use --device cpu")
    return name
