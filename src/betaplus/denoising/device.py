"""Where a network computes."""

from __future__ import annotations

import re

import torch

from betaplus.core.errors import UsageError

__all__ = ["find_device"]


def find_device(name: str) -> str:
    """Return ``cpu``, ``cuda`` or ``cuda:N``; ``auto`` is a GPU where there is one.

    Raises:
        UsageError: If it is none of these, or is not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if match is None:
        raise UsageError(f"--device is {name!r}", "expected auto, cpu, cuda or cuda:N")
    count = torch.cuda.device_count() if name != "cpu" else 1
    if int(match[1] or 0) >= count:
        raise UsageError(f"--device {name}: {count} CUDA devices are usable", "use --device cpu")
    return name
