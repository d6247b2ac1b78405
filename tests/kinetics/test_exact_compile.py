"""Where machine code is kept: what is found there is that of the sources that run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from betaplus.kinetics.exact import compile as module


@pytest.fixture
def lies_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    def move(folder: Path) -> None:
        monkeypatch.setattr(module, "_HERE", folder)
        module._cache_folder.cache_clear()

    yield move
    module._cache_folder.cache_clear()


def test_a_copy_of_the_package_is_compiled_anew(
    tmp_path: Path, lies_in: Callable[[Path], None]
) -> None:
    # Else its first run has code from memory, every further one code from files: other last bits.
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "kernel.py").write_text("x = 1")
    lies_in(tmp_path / "here")
    assert not module.compiled()
    (Path(module._cache_folder()) / "complete").touch()
    assert module.compiled()
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    lies_in(tmp_path / "there")
    assert not module.compiled()
