"""What the tests of the engine share."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from betaplus.engine import Block, content_key, plan_curves, work_folder
from betaplus.engine.key import Key


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The block functions, importable by spawned processes, which inherit the search path."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("block_functions")


@pytest.fixture
def plan() -> list[Block]:
    return plan_curves(5000, seed=3)


@pytest.fixture
def context() -> dict[str, np.ndarray]:
    return {"matrix": np.random.default_rng(1).standard_normal((3, 3))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return work_folder(tmp_path / "out", "sub-01", "kinetics")


@pytest.fixture
def key() -> Key:
    return content_key({}, {"method": "exact", "samples": 100}, {"betaplus": "0.1.0"})
