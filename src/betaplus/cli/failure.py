"""How a run that failed says so: one line for the user's own, a log for ours."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from betaplus import __version__

__all__ = ["defect", "mendable", "one_line"]

_PATIENCE = 5.0  # s


def mendable(text: str) -> int:
    """Print what the user can mend as one line and return exit code 2.

    Of processes that torchrun started all meet what the first one does: the others wait, and
    torchrun ends them when the first has failed. What one of them meets alone it says then.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1" and os.environ.get("RANK", "0") != "0":
        time.sleep(_PATIENCE)
    print(f"betaplus: error: {' '.join(text.split())}", file=sys.stderr)
    return 2


def one_line(error: Any) -> str:
    """Return a parser's error in the words of the house, with where to look."""
    text = " ".join(str(error.format_message()).split()).rstrip(". ")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "betaplus"
    return f"{text}; see {path} --help"


def defect(error: Exception, arguments: Sequence[str]) -> int:
    """Print the traceback of a defect of ours, keep it in a log, and return exit code 1."""
    trace = "".join(traceback.format_exception(error))
    about = (
        f"betaplus {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{shlex.join(['betaplus', *arguments])}\n\n"
    )
    sys.stderr.write(trace)
    try:
        folder = Path(tempfile.mkdtemp(prefix="betaplus-"))
        log = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
        log.write_text(about + trace, encoding="utf-8")
        where = f"the log is {log}"
    except OSError as failed:
        where = f"no log could be written ({failed.strerror})"
    print(f"betaplus: this is a defect of betaplus, please report it; {where}", file=sys.stderr)
    return 1
