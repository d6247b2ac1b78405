"""Times of whole commands: what is run, what is compared, and what the table says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from betaplus.core.errors import UsageError
from betaplus.pipeline.benchmark.engines import run as engines
from betaplus.pipeline.benchmark.engines.studies import STUDIES
from betaplus.pipeline.benchmark.verb_run import VerbRun


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Commands, each of which takes ten seconds by itself and six with two workers."""
    commands: list[tuple[str, ...]] = []

    def run_verb(verb: str, arguments: list[str], record: Path, **more: Any) -> VerbRun:
        commands.append((verb, *arguments))
        assert more["environment"]["OMP_NUM_THREADS"] == "1"
        assert not record.parent.exists()  # a run finds nothing of the one before
        record.parent.mkdir()
        engine = arguments[arguments.index("--engine") + 1]
        (record.parent / "a.nii.gz").write_bytes(b"other" if engine == "dask" else b"same")
        wall = 10.0 if engine == "inline" else 5.0 if engine == "dask" else 6.0
        return VerbRun(
            wall_s=wall,
            cpu_s=10.0 if engine == "inline" else 11.0,
            command_cpu_s=2.0,
            worker_cpu_s=0.0 if engine == "inline" else 4.5,
            peak_bytes=1 << 30,
            record={"blocks_done": 7, "timings_s": {"fit": wall - 1, "total": wall}},
        )

    monkeypatch.setattr(engines, "run_verb", run_verb)
    for verb in STUDIES:
        monkeypatch.setitem(STUDIES, verb, lambda folder, quick: [str(folder)])
    return commands


def test_workers_are_held_against_one_thread(tmp_path: Path, ran: list[tuple[str, ...]]) -> None:
    engines.benchmark_engines(tmp_path, verbs=["patlak"], repeats=2)
    assert [(c[0], c[-3], c[-1]) for c in ran] == 2 * [
        ("patlak", "inline", "1"), ("patlak", "processes", "2"), ("patlak", "dask", "2"),
    ]  # fmt: skip
    table = (tmp_path / "benchmark_engines.md").read_text()
    assert (
        "| `patlak` | `processes` | 2 | 6.0 | 1.67 (short) | 1.54 | 11.0 | 10.0 % | 7 | 1,024 |"
        " the same bits |" in table
    )
    assert "| 5.0 | 2.00 (pass) | 1.54 | 11.0 | 10.0 % | 7 | 1,024 | differ |" in table
    assert "- `patlak`: fit 9.0, 5.0, 4.0" in table


def test_verbs_that_were_timed_stay(tmp_path: Path, ran: list[tuple[str, ...]]) -> None:
    engines.benchmark_engines(tmp_path, verbs=["denoise"], engines=["processes"])
    result = engines.benchmark_engines(tmp_path, verbs=["kinetics"], engines=["processes"])
    assert list(result["verbs"]) == ["denoise", "kinetics"] and len(ran) == 4
    result = engines.benchmark_engines(tmp_path, verbs=["patlak"], engines=(), quick=True)
    assert list(result["verbs"]) == ["patlak"]  # those were of other studies


def test_an_unknown_verb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'walk' is unknown; expected one of kinetics, patlak"):
        engines.benchmark_engines(tmp_path / "out", verbs=["walk"])
    assert not (tmp_path / "out").exists()
