"""Whether 90 % intervals of means of regions hold the truth, and how wide they are for it.

Phantoms are small and drawn as training draws (`small_phantoms`), of people that no training saw,
with one draw of noise each. The truth is the mean over the region in the image without noise. Some
people are calibrated on, others are judged. Filters get the same model, fitted to their own output,
and the same calibration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.benchmark.denoise.coverage.cases import (
    Filter,
    judge,
    measure,
    noisy_filters,
)
from betaplus.pipeline.benchmark.denoise.coverage.small_phantoms import (
    SmallPhantom,
    make_people,
    read_phantoms,
)
from betaplus.pipeline.benchmark.denoise.coverage.table import coverage_table, summary
from betaplus.pipeline.benchmark.region_intervals.cases import LEAST_VOLUME, Case, fit
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.training.corpus import FIRST_TEST
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan

if TYPE_CHECKING:
    from betaplus.denoising.bundle import TrainedDenoiser

__all__ = ["benchmark_coverage"]

_CALIBRATION = FIRST_TEST + 200
_JUDGED = FIRST_TEST + 500  # those from `FIRST_TEST` on chose how intervals are made
_EDGE = 64  # voxels
_STRENGTHS = {"gaussian": (0.3, 0.6, 0.9), "nlm": (0.5, 1.0, 1.8)}
_TUNED = 16  # one phantom in so many, of those that are calibrated on, tunes filters
_RARELY = 4  # one in so many is seen by filters
_PLAIN = ("volume", "noise")


def benchmark_coverage(
    out: Path,
    *,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    people: int = 28,
    calibration: int = 28,
    boxes: int = 16,
) -> dict[str, Any]:
    """Judge intervals of means of regions, and make those that go with a network.

    Writes ``benchmark_denoise_coverage.json`` and ``.md``, and ``regions.json``, the calibration
    that `betaplus denoise --regions` looks for in the folder of the bundle. Simulated phantoms are
    kept in ``out/phantoms`` and made once, whatever the network.

    Args:
        out: Folder.
        bundle: Of the network; the one that is shipped if None.
        quick: A few coarse phantoms: too little to judge by.
        progress: What to report to.
        people: Bodies that are judged.
        calibration: Bodies that are calibrated on.
        boxes: Phantoms of each.
    """
    import torch

    from betaplus.denoising.bundle import load_denoiser
    from betaplus.denoising.region_features import FEATURES
    from betaplus.denoising.region_model import CALIBRATION

    out, progress = Path(out), progress or Silent()
    denoiser = load_denoiser(explicit=bundle, bf16=True)
    voxel, edge, rarely, tuned = denoiser.voxel, _EDGE, _RARELY, _TUNED
    if quick:
        voxel, edge, rarely, tuned = 2.0 * voxel, 24, 1, 1
        people, calibration, boxes = 1, 4, 6
    plan = DenoiserPlan(voxel=voxel, box=edge, edge=8)
    folder = out / "phantoms" / f"{voxel:g}mm-{edge}"
    judged = [_JUDGED + n for n in range(people)]
    known = [_CALIBRATION + n for n in range(calibration)]
    make_people(folder, [*known, *judged], boxes, plan, progress)
    torch.set_num_threads(1)
    sets = {"known": known, "judge": judged}
    phantoms = {name: (folder, numbers, boxes, voxel) for name, numbers in sets.items()}
    strengths = _tune(list(read_phantoms(*phantoms["known"]))[::tuned], denoiser.voxel)
    progress.note(f"strengths of filters: {strengths}")
    filters: dict[str, Filter] = {
        "noisy": lambda volume: volume.data,
        "mmse": _learned(denoiser),
    }
    rare = {
        name: method
        for kind, strength in strengths.items()
        for name, method in noisy_filters(kind, [strength]).items()
    }
    cases: dict[str, dict[str, list[Case]]] = {}
    progress.start("phantoms", sum(len(numbers) for numbers in sets.values()) * boxes)
    for name, where in phantoms.items():
        cases[name] = {}
        for phantom in read_phantoms(*where):
            wanted = {**filters, **(rare if phantom.box % rarely == 0 else {})}
            for found in measure([phantom], denoiser.voxel, wanted):
                for method, case in found.items():
                    cases[name].setdefault(method.split()[0], []).append(case)
            progress.advance()
    progress.finish()
    about = {
        "method": "mmse",
        "weights": denoiser.bundle.config.sha256,
        "voxel_mm": voxel,
        "people": [known[0], known[-1]],
        "phantoms": len(cases["known"]["mmse"]),
        "least_volume_ml": LEAST_VOLUME,
    }
    rows = {}
    for method, given in cases["judge"].items():
        model = fit(cases["known"][method], FEATURES, about)
        rows[method] = judge(model, given)
        if method == "mmse":
            model.write(out / CALIBRATION)
            factor = model.conformal.as_dict()
        if method != "mmse":
            plain = fit(cases["known"][method], _PLAIN)
            rows[f"{method}, plain SD"] = judge(plain, given)
    result = {
        "quick": quick, "bundle": denoiser.bundle.path.name, "voxel": voxel, "box": edge,
        "judged": judged, "calibration": known, "boxes": boxes, "strengths": strengths,
        "conformal": factor, "phantoms": len(cases["judge"]["mmse"]),
        "rarely": rarely, **summary(rows), "regions": _columns(rows["mmse"]),
    }  # fmt: skip
    write_result(out, "denoise_coverage", result, coverage_table(result))
    return result


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return column to values, to five digits."""
    return {
        name: [float(f"{r[name]:.5g}") if isinstance(r[name], float) else r[name] for r in rows]
        for name in rows[0]
    }


def _learned(denoiser: TrainedDenoiser) -> Filter:
    from betaplus.engine import default_workers
    from betaplus.pipeline.benchmark.denoise.learned import apply_mmse

    return lambda volume: apply_mmse(denoiser, volume, default_workers())


def _tune(phantoms: Sequence[SmallPhantom], grid_voxel: float) -> dict[str, float]:
    """Return filter to the strength whose intervals score best on phantoms of calibration."""
    best: dict[str, float] = {}
    for name, strengths in _STRENGTHS.items():
        found: dict[str, list[Case]] = {}
        for one in measure(phantoms, grid_voxel, noisy_filters(name, strengths)):
            for method, case in one.items():
                found.setdefault(method, []).append(case)
        scores = [_score(cases) for cases in found.values()]
        best[name] = strengths[int(np.argmin(scores))]
    return best


def _score(cases: Sequence[Case]) -> float:
    rows = judge(fit(cases, _PLAIN), cases)
    return float(np.mean([row["score"] for row in rows if not row["lesion"]]))
