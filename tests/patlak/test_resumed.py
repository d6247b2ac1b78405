"""Methods that are stopped between any two things they keep: resumed, they have the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.patlak.gaussian import denoiser, problem
from tests.patlak.toy import LEVELS, make

from betaplus.core.errors import InputError
from betaplus.engine import EngineCrew, Journal, content_key, work_folder
from betaplus.patlak import kernel_rows, non_local
from betaplus.patlak.gibbs import Gibbs
from betaplus.patlak.hqs import Hqs
from betaplus.patlak.kernel import Kernel
from betaplus.patlak.problem import PatlakMaps, PatlakProblem
from betaplus.patlak.red_diff import RedDiff
from betaplus.patlak.smoothed import Nlm
from betaplus.patlak.tv import Tv

CASES: dict[str, Callable[[], Any]] = {
    "hqs": lambda: Hqs(Hqs.Settings(steps=4), denoiser),
    "red-diff": lambda: RedDiff(RedDiff.Settings(steps=5), denoiser),
    "gibbs": lambda: Gibbs(Gibbs.Settings(samples=3, thin=2, burn=2, inner=2), denoiser),
    "tv": lambda: Tv(Tv.Settings(iterations=260, tolerance=0.0)),
    "nlm": Nlm,
    "kernel": Kernel,
}
KEPT = {"hqs": 5, "red-diff": 5, "gibbs": 11, "tv": 2, "nlm": 2, "kernel": 4}
"""Steps, draws and blocks; `hqs` ends with a block of planes."""


class Stopped(Exception):
    """A run that ends here."""


class Stopping(EngineCrew):
    """Keeps so many things, and stops before the next."""

    def __init__(self, most: int, journal: Journal) -> None:
        super().__init__("inline", 1, journal)
        self.most = most

    def save(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep, or stop."""
        if self.done == self.most:
            raise Stopped
        super().save(name, arrays)

    def each(self, *args: Any, kept: str = "", **more: Any) -> Iterator[Mapping[str, Any]]:
        """Compute, or stop."""
        args, kept = (args[:4], args[4]) if len(args) > 4 else (args, kept)
        if kept and self.done == self.most:
            raise Stopped
        for result in super().each(*args, kept=kept, **more):
            yield result
            if kept and self.done == self.most:
                raise Stopped


def opened(folder: Path, resume: bool = False) -> Journal:
    return Journal.open(work_folder(folder, "a", "b"), content_key({}, {}, {}), resume=resume)


def same(one: PatlakMaps, other: PatlakMaps) -> bool:
    pairs = [(one.u, other.u), (one.std, other.std), (one.draws, other.draws)]
    return one.found == other.found and all(
        (a is None) == (b is None) and (a is None or bool((a == b).all())) for a, b in pairs
    )


@pytest.fixture(scope="module")
def toy() -> PatlakProblem:
    return make(16, LEVELS[1]).problem


@pytest.mark.parametrize("method", CASES)
def test_stopped_and_resumed(
    method: str, toy: PatlakProblem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (kernel_rows, non_local):
        monkeypatch.setattr(module, "_PLANES", 8)
    scan = problem() if method in ("hqs", "red-diff", "gibbs") else toy
    unbroken = CASES[method]().fit(scan, seed=3)
    with opened(tmp_path / "whole") as journal:
        crew = EngineCrew("threads", 2, journal)
        assert same(CASES[method]().fit(scan, seed=3, crew=crew), unbroken)
        total = crew.done
        assert crew.resumed == 0
    assert total == KEPT[method]
    for most in range(1, total):
        folder = tmp_path / str(most)
        with pytest.raises(Stopped), opened(folder) as journal:
            CASES[method]().fit(scan, seed=3, crew=Stopping(most, journal))
        with opened(folder, resume=True) as journal:
            crew = EngineCrew("inline", 1, journal)
            assert same(CASES[method]().fit(scan, seed=3, crew=crew), unbroken), most
            assert crew.done == total and crew.resumed <= most


def test_a_draw_that_is_gone_is_told(tmp_path: Path) -> None:
    scan = problem()
    with opened(tmp_path) as journal:
        CASES["gibbs"]().fit(scan, crew=EngineCrew("inline", 1, journal))
        (journal.folder / "draw-2_0-1.npz").unlink()
        with pytest.raises(InputError, match="draw 2 of the run that was stopped is gone"):
            CASES["gibbs"]().fit(scan, crew=EngineCrew("inline", 1, journal))
