"""The shell completes commands and options."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("typed", "offered"), [("betaplus kin", "kinetics"), ("betaplus patlak --meth", "--method")]
)
def test_bash_completes(typed: str, offered: str) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "betaplus"],
        env={**os.environ, "_BETAPLUS_COMPLETE": "complete_bash", "COMP_WORDS": typed,
             "COMP_CWORD": str(typed.count(" "))},
        capture_output=True, text=True,
    )  # fmt: skip
    assert found.stdout.split() == [offered], found.stderr
