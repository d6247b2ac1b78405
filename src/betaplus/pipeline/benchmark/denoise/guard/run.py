"""Whether the guard finds a lesion that was erased from, or invented in, a denoised image.

The outputs are those of the trained network, at 1/20 of the counts. Erased: the image holds a
lesion, the output is that of the same image, with the same noise, without it. Invented: the output
holds what the lesion adds to the image without noise, and the image does not hold the lesion. Clean
volumes are outputs as they come. A lesion is found by a finding of the right sign whose centre is
within 9 mm of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.evaluation.interval_score import wilson_interval
from betaplus.pipeline.benchmark.denoise.guard.cases import (
    CONTRAST,
    DIAMETER,
    DOSE,
    SITES,
    GuardCase,
    make_cases,
    read_cases,
)
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.wording import dose_name, opening, passed
from betaplus.pipeline.training.corpus import FIRST_TEST

if TYPE_CHECKING:
    from betaplus.denoising.bundle import TrainedDenoiser

__all__ = ["benchmark_guard", "guard_table"]

_FIRST = FIRST_TEST + 300
_NEAR = 9.0  # mm
_FOUND = 0.8
_ALARMS = 0.1  # 5 of 50
_KINDS = ("clean", "erased", "invented")


def benchmark_guard(
    out: Path,
    *,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    people: int = 25,
) -> dict[str, Any]:
    """Judge the guard; writes ``benchmark_denoise_guard.json`` and ``.md``.

    Simulated images are kept in ``out/guard`` and made once, whatever the network.

    Args:
        out: Folder.
        bundle: Of the network; the one that is shipped if None.
        quick: One body: too little to judge by.
        progress: What to report to.
        people: Bodies, two volumes and two trials of each kind from each.
    """
    import torch

    from betaplus.denoising.bundle import load_denoiser

    out, progress = Path(out), progress or Silent()
    denoiser = load_denoiser(explicit=bundle, bf16=True)
    voxel = denoiser.voxel if not quick else 2.0 * denoiser.voxel
    numbers = [_FIRST + n for n in range(1 if quick else people)]
    folder = out / "guard" / f"{voxel:g}mm"
    make_cases(folder, numbers, voxel, progress)
    torch.set_num_threads(1)
    progress.start("volumes", 2 * len(numbers))
    trials: list[dict[str, Any]] = []
    for person in numbers:
        for case in read_cases(folder, person):
            trials += _trials(case, denoiser)
            progress.advance()
    progress.finish()
    result = {
        "quick": quick,
        "bundle": denoiser.bundle.path.name,
        "voxel": voxel,
        "people": [numbers[0], numbers[-1]],
        "dose": DOSE,
        "diameter": DIAMETER,
        "contrast": CONTRAST,
        **_summary(trials),
        "trials": trials,
    }
    write_result(out, "denoise_guard", result, guard_table(result))
    return result


def guard_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_guard` as Markdown."""
    lines = opening("Guard against what is erased or invented", result)
    first, last = result["people"]
    clean = result["clean"]
    lines += [
        f"{result['bundle']}, method mmse, {dose_name(result['dose'])} of the counts, voxels of"
        f" {result['voxel']:g} mm. Simulation: parts of 384 mm of bodies {first} to {last}, which"
        " no training saw, in styles Quadra and uEXPLORER, FDG and PSMA; the seed of uptake and"
        f" noise is the number of the body. Lesions are spheres of {result['diameter']:g} mm with"
        f" {result['contrast']:g} times the uptake around, with the scanner's blur; found is a"
        f" finding of the right sign within {_NEAR:g} mm of the centre. Clean volumes are outputs"
        " as they come, of bodies with lesions of their own. In brackets: 95 % interval (Wilson).",
        "",
        "| | found | of | target | |",
        "|---|---|---|---|---|",
    ]
    for kind in _KINDS[1:]:
        one = result[kind]
        low, high = one["interval"]
        lines.append(
            f"| lesion {kind} | {one['found']} ({100 * low:.0f}-{100 * high:.0f} %) | {one['of']} |"
            f" at least {100 * _FOUND:.0f} % | {passed(one['passed'])} |"
        )
    low, high = clean["interval"]
    lines += [
        f"| clean volumes with an alarm | {clean['found']} ({100 * low:.0f}-{100 * high:.0f} %) |"
        f" {clean['of']} | at most {100 * _ALARMS:.0f} % | {passed(clean['passed'])} |",
        "",
        "| site | erased: found | invented: found | clean: alarms | lowest score / limit, erased |"
        " invented |",
        "|---|---|---|---|---|---|",
    ]
    for site in SITES:
        rows = {
            kind: [t for t in result["trials"] if t["site"] == site and t["kind"] == kind]
            for kind in _KINDS
        }
        if not rows["clean"]:
            continue
        shares = {k: f"{sum(t['found'] for t in v)} of {len(v)}" for k, v in rows.items()}
        least = {k: min(t["ratio"] for t in v) for k, v in rows.items()}
        lines.append(
            f"| {site} | {shares['erased']} | {shares['invented']} | {shares['clean']} |"
            f" {least['erased']:.1f} | {least['invented']:.1f} |"
        )
    lines += ["", "A ratio of 0 is that of a lesion without a finding.", ""]
    if clean["alarms"]:
        lines += ["Alarms of clean volumes:", ""]
        for one in clean["alarms"]:
            lines.append(
                f"- body {one['person']}, part with {one['site']}: {one['sign']},"
                f" {one['change']:+.2f} SUV at {one['uptake']:.2f}; the output was"
                f" {one['wrong']:+.2f} SUV from the image without noise there"
            )
        lines.append("")
    return "\n".join(lines)


def _trials(case: GuardCase, denoiser: TrainedDenoiser) -> list[dict[str, Any]]:
    """Return the clean volume and the two trials of a case."""
    from betaplus.denoising.guard import guard
    from betaplus.denoising.volume import Volume
    from betaplus.engine import default_workers
    from betaplus.pipeline.benchmark.denoise.learned import apply_mmse

    voxel = (case.voxel,) * 3
    without, within = (
        Volume(data=image, voxel=voxel, grid_voxel=denoiser.voxel)
        for image in (case.without, case.within)
    )
    output = apply_mmse(denoiser, without, default_workers())
    pairs = {
        "clean": (without, output),
        "erased": (within, output),
        "invented": (without, output + case.lesion),
    }
    grid = without.resampler
    affine = grid.grid_affine(np.diag([*voxel, 1.0]))
    centre = np.array(case.centre) * case.voxel
    rows: list[dict[str, Any]] = []
    for kind, (volume, after) in pairs.items():
        shown = _tensor(after)
        found = guard(
            volume.coarse, grid.down(shown), volume.noise.sd, (denoiser.voxel,) * 3, affine
        ).findings
        near = [f for f in found if f.sign == kind and math.dist(f.centre, centre.tolist()) < _NEAR]
        row = {"person": case.person, "site": case.site, "scanner": case.scanner,
               "tracer": case.tracer, "kind": kind, "background": case.background}  # fmt: skip
        listed = found if kind == "clean" else near
        row["found"] = bool(listed)
        row["ratio"] = max((f.z / f.limit for f in listed), default=0.0)
        if kind == "clean":
            row["alarms"] = [
                {"sign": f.sign, "change": f.change, "uptake": f.uptake, "width": f.width,
                 "wrong": _wrong(case, output, np.array(f.centre) / case.voxel, f.width)}
                for f in found
            ]  # fmt: skip
        rows.append(row)
    return rows


def _wrong(case: GuardCase, output: np.ndarray, at: np.ndarray, width: float) -> float:
    """Return output minus image without noise around a place, a Gaussian mean of a width [SUV]."""
    from betaplus.simulation.fields import sigma_of_fwhm

    sigma = sigma_of_fwhm(width) / case.voxel
    reach = math.ceil(3.0 * sigma)
    middle = np.rint(at).astype(int)
    box = tuple(
        slice(max(m - reach, 0), min(m + reach + 1, n))
        for m, n in zip(middle, output.shape, strict=True)
    )
    axes = [np.arange(s.start, s.stop) - c for s, c in zip(box, at, strict=True)]
    weights = [np.exp(-0.5 * (axis / sigma) ** 2) for axis in axes]
    total = np.einsum("i,j,k->ijk", *weights)
    return float(((output - case.clean)[box] * total).sum() / total.sum())


def _tensor(image: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None]


def _summary(trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for kind in _KINDS:
        rows = [trial for trial in trials if trial["kind"] == kind]
        found, count = sum(row["found"] for row in rows), len(rows)
        passed = found <= _ALARMS * count if kind == "clean" else found >= _FOUND * count
        summary[kind] = {"found": found, "of": count, "passed": passed,
                         "interval": list(wilson_interval(found, count))}  # fmt: skip
    summary["clean"]["alarms"] = [
        {"person": row["person"], "site": row["site"], **one}
        for row in trials
        if row["kind"] == "clean"
        for one in row["alarms"]
    ]
    return summary
