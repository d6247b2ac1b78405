"""What every test shares: the reference data, hypothesis profiles, and what a machine lacks."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]

hypothesis.settings.register_profile("betaplus", deadline=None)
hypothesis.settings.register_profile("betaplus-ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("betaplus-ci" if os.environ.get("CI") else "betaplus")


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Folder of real and reference data, which a clone of the project does not carry."""
    named = os.environ.get("BETAPLUS_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        found = f"BETAPLUS_DATA={named} is not a folder" if named else "BETAPLUS_DATA is not set"
        pytest.skip(f"no reference data: {found}")
    return folder


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
    if item.get_closest_marker("dask") and importlib.util.find_spec("distributed") is None:
        pytest.skip("the dask extra is not installed")
