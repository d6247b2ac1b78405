"""What a dask worker of this machine does when it starts: it leaves Ctrl-C to the command."""

from __future__ import annotations

import signal
from typing import Any

__all__ = ["dask_setup"]


def dask_setup(worker: Any) -> None:
    """Ignore interrupts, which a terminal sends to the command and its workers alike."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
