"""What --engine may say, and what is refused before anything starts."""

from __future__ import annotations

import importlib.util

import pytest

from betaplus.core.errors import InputError, UsageError
from betaplus.engine import ENGINES, check_engine


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("threads", "threads", ""),
        ("inline", "inline", ""),
        ("processes", "processes", ""),
        pytest.param("dask", "dask", "", marks=pytest.mark.dask),
        *(
            pytest.param(f"dask:{address}", "dask:ADDRESS", address, marks=pytest.mark.dask)
            for address in ("10.0.0.1:8786", "tcp://node-1.site:8786", "tls://[::1]:9")
        ),
    ],
)
def test_names_are_read(name, kind, target):
    choice = check_engine(name, 2)
    assert (choice.kind, choice.target) == (kind, target)


@pytest.mark.parametrize("name", ["Threads", "mpi", "threads:2", "dask:", "slurm", "slurm:"])
def test_other_names_are_refused(name):
    with pytest.raises(UsageError) as caught:
        check_engine(name, None)
    assert str(caught.value) == f"--engine {name} is unknown; there are {', '.join(ENGINES)}"


@pytest.mark.dask
@pytest.mark.parametrize(
    "address",
    ["node", "node:", "node:x", ":8786", "node:70000", "node:0", "http://node:80", "a b:1"],
)
def test_addresses_that_are_none_are_refused(address):
    with pytest.raises(UsageError, match=r"names no scheduler; expected dask:HOST:PORT"):
        check_engine(f"dask:{address}", None)


def test_a_verb_says_which_it_can_use():
    with pytest.raises(UsageError) as caught:
        check_engine("dask", None, ("threads", "inline"), "denoise")
    assert str(caught.value) == "--engine dask does not denoise; there are threads, inline"


@pytest.mark.parametrize("name", ["threads", "processes"])
def test_no_workers_are_refused(name):
    with pytest.raises(UsageError, match="--workers is 0; expected 1 or more"):
        check_engine(name, 0)


@pytest.mark.parametrize("name", ["dask", "dask:node:8786", "slurm:cluster.toml"])
def test_a_missing_extra_is_named(monkeypatch, name):
    found = importlib.util.find_spec
    lacking = {"distributed", "dask_jobqueue"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda module: None if module in lacking else found(module)
    )
    with pytest.raises(UsageError, match=r"pip install 'betaplus\[dask\]'"):
        check_engine(name, None)


@pytest.mark.dask
def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cluster\.toml cannot be read: No such file"):
        check_engine(f"slurm:{tmp_path / 'cluster.toml'}", None)
