"""`betaplus benchmark kinetics`: accuracy, calibration, real tracers, speed and memory."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.io.atomic import atomic_path
from betaplus.pipeline.benchmark.machine import machine_record
from betaplus.pipeline.benchmark.result_files import result_file, write_result

__all__ = ["PARTS", "benchmark_kinetics", "benchmark_table"]

_PACKAGES = ("betaplus", "numpy", "scipy", "numba", "torch", "jax", "numpyro")
_HERE = "betaplus.pipeline.benchmark.kinetics"


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One benchmark.

    Attributes:
        title: Heading of its table.
        module: Where it is, in this folder.
        run: Name of the function, which has a table of the name with ``_table`` behind it, or as
            `table` says.
        full: Arguments of a full run.
        quick: Arguments of a quick run.
        needs: What the function is given: ``scan``, ``folder``, ``cache`` (a folder, or None where
            nothing is written) or nothing.
        default: Whether it runs without being asked for.
        methods: Whether it judges the method that is named.
    """

    title: str
    module: str
    run: str
    table: str = ""
    full: Mapping[str, Any]
    quick: Mapping[str, Any]
    needs: str = "scan"
    default: bool = True
    methods: bool = False

    def found(self, name: str) -> Callable[..., Any]:
        return getattr(import_module(f"{_HERE}.{self.module}"), name)


PARTS = {
    "speed": _Part(  # first: it times compilation too
        title="Speed of `exact` beside `scipy.optimize.curve_fit`",
        module="speed",
        run="speed",
        full={},
        quick={"voxels": 512, "baseline_voxels": 16, "repeats": 1},
    ),
    "engines": _Part(
        title="What the engines cost (`exact`, delay known)",
        module="engines",
        run="engines",
        full={},
        quick={"blocks": 4, "idle_blocks": 20, "workers": (1, 2), "repeats": 1},
        default=False,
    ),
    "agreement": _Part(
        title="Agreement with ensemble MCMC (published prior, delay known)",
        module="mcmc.agreement",
        run="agreement",
        full={"per_level": 16},
        quick={"per_level": 2},
        methods=True,
    ),
    "coverage": _Part(
        title="Coverage (published prior, delay known)",
        module="coverage",
        run="coverage",
        full={"curves": 10_000},
        quick={"curves": 960},
        methods=True,
    ),
    "calibration": _Part(
        title="Simulation-based calibration (default prior, delay fitted)",
        module="calibration",
        run="calibration",
        full={"curves": 10_000},
        quick={"curves": 480},
        methods=True,
    ),
    "nuts": _Part(
        title="Agreement with NUTS (default prior, delay fitted), simulated and real curves",
        module="mcmc.nuts",
        run="nuts_agreement",
        table="nuts_table",
        full={"curves": 64},
        quick={"curves": 3},
        default=False,
    ),
    "methods": _Part(
        title="All posterior methods side by side (published prior, delay known, refinement off)",
        module="methods.run",
        run="methods",
        full={},
        quick={
            "curves": 60,
            "inputs": 2,
            "draws": 200,
            "few_curves": 16,
            "few_draws": 40,
            "directions": 32,
            "nuts_curves": 0,
            "covered": 300,
            "covered_draws": 100,
            "timed": (0.15,),
            "timed_draws": (40,),
            "repeats": 1,
            "budgets": (1000, 4000),
            "shift_curves": 16,
            "shift_covered": 64,
            "shift_inputs": 1,
        },
        needs="cache",
        default=False,
    ),
    "trust": _Part(
        title="Trust map: probabilities of models and the misfit flag",
        module="trust.run",
        run="trust",
        full={},
        quick={"curves": 300, "misfit_curves": 48},
        default=False,
    ),
    "tracers": _Part(
        title="Real receptor tracers",
        module="tracers",
        run="tracers",
        full={},
        quick={},
        needs="",
    ),
    "scale": _Part(
        title="A study of a million voxels",
        module="scale",
        run="scale",
        full={"voxels": 1_000_000},
        quick={"voxels": 20_000},
        needs="folder",
        default=False,
    ),
}
"""Name to benchmark, in the order they run."""


def benchmark_kinetics(
    out: str | Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    *,
    parts: Sequence[str] = (),
    method: str = "exact",
) -> dict[str, Any]:
    """Run benchmarks of the kinetic methods and write what they found.

    Args:
        out: Folder for ``benchmark_kinetics.json`` and ``benchmark_kinetics.md``; None writes
            nothing.
        quick: A few curves of each, in some minutes; full runs of the default parts take about
            half an hour on 2 cores.
        progress: What to report to.
        parts: Names of `PARTS`; by default all but the longest, ``nuts``, ``methods``,
            ``trust`` and ``scale``.
        method: Method that agreement, coverage and calibration judge.

    Returns:
        ``input`` (where the input function came from), ``machine``, ``method``, and by part what
        its function returns.

    Raises:
        UsageError: If a part is unknown.
        OutputError: If `out` cannot be written.
    """
    from betaplus.pipeline.benchmark.kinetics.cases import find_scan

    for name in parts:
        if name not in PARTS:
            raise UsageError(f"benchmark part {name!r} is unknown", f"expected {', '.join(PARTS)}")
    if out is not None:
        with atomic_path(
            result_file(Path(out), "kinetics", "md")
        ) as path:  # what cannot be written is told now
            path.write_text("The benchmark has not ended.\n", encoding="utf-8")
    progress = progress or Silent()
    scan = find_scan()
    result: dict[str, Any] = {
        "input": scan.source,
        "quick": quick,
        "method": method,
        "machine": {
            **machine_record(),
            "python": platform.python_version(),
            **{name: _version(name) for name in _PACKAGES},
        },
        "parts": {},
    }
    for name, part in PARTS.items():
        if name not in parts if parts else not part.default:
            continue
        given: dict[str, Any] = {**(part.quick if quick else part.full), "progress": progress}
        if part.methods:
            given["method"] = method
        cache = None if out is None else Path(out) / name
        folder = Path(out or ".") / name
        first = {"scan": (scan,), "folder": (folder,), "cache": (cache,), "": ()}[part.needs]
        result["parts"][name] = part.found(part.run)(*first, **given)
        if out is not None:
            write_result(Path(out), "kinetics", result, benchmark_table(result))
    return result


def benchmark_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_kinetics` as Markdown."""
    machine = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    quick = " Quick run: too few curves to judge by." if result["quick"] else ""
    texts = [
        f"# Benchmark of kinetics, method `{result['method']}`",
        f"Noise level unknown, input function: {result['input']}. Machine: {machine}.{quick}",
    ]
    for name, found in result["parts"].items():
        part = PARTS[name]
        texts += [f"## {part.title}", part.found(part.table or f"{part.run}_table")(found)]
    return "\n\n".join(texts) + "\n"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
