"""No file is run as code, and nothing is sent anywhere: by the source, and by a run."""

from __future__ import annotations

import ast
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.cli.study import write_study

import betaplus
from betaplus.core.errors import InputError
from betaplus.engine.blockfile import load_arrays
from betaplus.kinetics.amortised.dataset import Dataset

SOURCE = Path(betaplus.__file__).parent
OBJECTS = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
NETWORK = {"aiohttp", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "urllib"}
GUARD = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"):
        if not (event == "socket.connect" and isinstance(arguments[1], (str, bytes))):
            raise SystemExit(f"the network was asked for: {event} {arguments[1:]}")

sys.addaudithook(refuse)
"""


SENT = {(f"engine/{name}.py", "pickle") for name in ("sending", "workers", "process_pool")}
"""What goes from a process to its own workers, and never through a file of others."""

CALLS = ("eval", "exec", "torch.load", "os.system")
OPTIONS = ("allow_pickle", "shell")
WORDS = re.compile(rf"\b({'|'.join((*OBJECTS, *NETWORK, *CALLS, *OPTIONS))})\b")


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of every file that has one of the words."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if WORDS.search(text):
            for node in ast.walk(ast.parse(text)):
                yield path.relative_to(SOURCE).as_posix(), node


def test_the_source_knows_no_objects_in_files_and_no_network() -> None:
    found = []
    for where, node in nodes():
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        found += [(where, n) for n in names if n.partition(".")[0] in OBJECTS | NETWORK]
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in CALLS:
            found.append((where, called))
        for option in node.keywords:
            value = isinstance(option.value, ast.Constant) and option.value.value
            if option.arg in OPTIONS and value is not False:
                found.append((where, f"{called}({option.arg})"))
    assert [place for place in found if place not in SENT] == []


class Trap:
    """Makes a folder if it is ever unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> object:
        return Path.mkdir, (self.folder,)


def test_arrays_of_objects_are_not_unpickled(tmp_path: Path) -> None:
    trap = np.array([Trap(tmp_path / "trapped")], dtype=object)
    for name in ("a.npz", "b.npz"):
        with (tmp_path / name).open("wb") as file:
            if name == "a.npz":
                np.savez(file, curves=trap)
            else:
                pickle.dump(trap, file)
        with pytest.raises(InputError):
            Dataset.read([tmp_path / name])
        assert load_arrays(tmp_path / name) is None
    assert not (tmp_path / "trapped").exists()
    pickle.loads(pickle.dumps(trap))
    assert (tmp_path / "trapped").exists()


def test_a_run_asks_for_no_network(tmp_path: Path) -> None:
    folder = write_study(tmp_path, shape=(2, 2, 2), voxels=3)
    command = [
        *("kinetics", str(folder / "sub-01_tacs.tsv"), "--blood", str(folder / "sub-01_blood.tsv")),
        *("-o", str(tmp_path / "out"), "--method", "patlak", "--quiet"),
    ]
    script = GUARD + f"from betaplus.cli.main import main\nmain({command!r})\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").glob("*_report.html"))
    script = GUARD + "import socket\nsocket.create_connection(('127.0.0.1', 9))\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "the network was asked for" in done.stderr
