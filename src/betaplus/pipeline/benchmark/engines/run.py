"""`betaplus benchmark engines`: whole commands with one thread inline, and with several workers."""

from __future__ import annotations

import importlib.util
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.io.jsons import read_json
from betaplus.pipeline.benchmark.engines.studies import STUDIES
from betaplus.pipeline.benchmark.engines.table import engines_table
from betaplus.pipeline.benchmark.machine import machine_words
from betaplus.pipeline.benchmark.result_files import result_file, write_result
from betaplus.pipeline.benchmark.verb_run import run_verb

__all__ = ["TARGET", "benchmark_engines"]

TARGET = 1.7
"""Times that two workers of one thread are to be faster than one thread without an engine."""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def benchmark_engines(
    out: str | Path,
    *,
    verbs: Sequence[str] = (),
    engines: Sequence[str] = ("processes", "dask"),
    workers: Sequence[int] = (2,),
    repeats: int = 1,
    quick: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Time every verb as a command in a process of its own, engines in turn; no HTML report.

    Writes ``benchmark_engines.json`` and ``.md`` after every verb, and goes on from what is in
    the first one.

    Args:
        out: Folder.
        verbs: All if empty.
        engines: Besides ``inline``.
        workers: Numbers of them, of one thread each.
        repeats: Of every run; the fastest counts.
        quick: Small studies.
        progress: What to report to.

    Raises:
        UsageError: If a verb is unknown.
        RuntimeError: If one fails.
    """
    for verb in verbs:
        if verb not in STUDIES:
            raise UsageError(f"verb {verb!r} is unknown", f"expected one of {', '.join(STUDIES)}")
    out, progress = Path(out), progress or Silent()
    out.mkdir(parents=True, exist_ok=True)
    names = [n for n in engines if n != "dask" or importlib.util.find_spec("distributed")]
    cases = [("inline", 1), *((name, count) for name in names for count in workers)]
    result: dict[str, Any] = {
        "quick": quick,
        "repeats": repeats,
        "target": TARGET,
        "machine": machine_words(),
        "verbs": _earlier(out, quick, repeats),
    }
    wanted = list(verbs or STUDIES)
    progress.start("runs", len(wanted) * len(cases) * repeats)
    for verb in wanted:
        rows: dict[str, dict[str, Any]] = result["verbs"].setdefault(verb, {})
        with tempfile.TemporaryDirectory(dir=out, prefix=".study-") as name:
            folder = Path(name)
            arguments = STUDIES[verb](folder, quick)
            for _ in range(repeats):
                for engine, count in cases:
                    found = _run(verb, arguments, folder / "out", engine, count)
                    key = f"{engine} {count}"
                    if key not in rows or found["wall_s"] < rows[key]["wall_s"]:
                        rows[key] = found
                    progress.advance()
        write_result(out, "engines", result, engines_table(result))
    progress.finish()
    return result


def _earlier(out: Path, quick: bool, repeats: int) -> dict[str, Any]:
    path = result_file(out, "engines", "json")
    if not path.is_file():
        return {}
    found = read_json(path)
    same = found["quick"] == quick and found["repeats"] == repeats
    return dict(found["verbs"]) if same else {}


def _run(
    verb: str, arguments: Sequence[str], out: Path, engine: str, workers: int
) -> dict[str, Any]:
    """Run the verb to its end; return times, blocks and the digest of its images."""
    shutil.rmtree(out, ignore_errors=True)
    more = ["-o", str(out), "--quiet", "--no-report", "--engine", engine]
    more += ["--workers", str(workers)]
    record = out / f"sub-01_{verb}_run.json"
    found = run_verb(verb, [*arguments, *more], record, environment=_ONE_THREAD)
    return {
        "wall_s": found.wall_s,
        "cpu_s": found.cpu_s,
        "command_cpu_s": found.command_cpu_s,
        "worker_cpu_s": found.worker_cpu_s,
        "peak_bytes": found.peak_bytes,
        "blocks": found.record["blocks_done"],
        "stages_s": found.record["timings_s"],
        "images": _digest(out),
    }


def _digest(out: Path) -> str:
    """Return a digest of all images that a run wrote."""
    import hashlib

    paths = sorted(path for path in out.rglob("*.nii.gz"))
    found: Mapping[str, str] = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    }
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]
