"""A small study on disk, and the command line run in this process."""

from __future__ import annotations

import contextlib
import io
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.study import Study, write_study

RunCli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study nobody changes."""
    return write_study(tmp_path_factory.mktemp("study"), shape=(8, 7, 5), voxels=150)


@pytest.fixture
def study(template: Path, tmp_path: Path) -> Study:
    """A copy of the study for one test."""
    folder = tmp_path / "study"
    shutil.copytree(template, folder)
    return Study(folder)


@pytest.fixture
def run_cli() -> RunCli:
    """Run `betaplus` with arguments through its real main; return exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        from betaplus.cli.main import main

        out, err, handler = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGINT)
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as stopped,
        ):
            main([str(a) for a in arguments])
        signal.signal(signal.SIGINT, handler)
        return int(stopped.value.code or 0), out.getvalue(), err.getvalue()

    return run
