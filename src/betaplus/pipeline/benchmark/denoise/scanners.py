"""Part `scanners`: what the network gains in several scanners, with several tracers, at each dose.

One body in all of them, so that what differs is scanner, tracer and dose. Its trunk is judged, with
the counts of the whole body. Filters are those that are best for the very image: the network is
held against the best that they could be.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.evaluation.images.errors import psnr
from betaplus.pipeline.benchmark.denoise.baselines import tune_baselines, tuning_case
from betaplus.pipeline.benchmark.denoise.cases import SHORT, Group
from betaplus.pipeline.benchmark.denoise.learned import apply_mmse, judged_network
from betaplus.pipeline.benchmark.denoise.targets import PSNR_GAIN
from betaplus.pipeline.benchmark.denoise.trunk import cut_scan, trunk_box, trunk_in
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.rows import select
from betaplus.pipeline.benchmark.wording import dose_name, opening
from betaplus.pipeline.training.corpus import FIRST_TEST
from betaplus.simulation.surrogate.styles import QUADRA, UEXPLORER

__all__ = ["benchmark_scanners", "scanners_table"]

_STYLES = (QUADRA, UEXPLORER, SHORT)
_TRACERS = ("FDG", "PSMA", "DPA-714", "DOTATATE")
_DOSES = (1 / 4, 1 / 20, 1 / 50, 1 / 100)
_HELD = {
    UEXPLORER.name: "time of flight held out", "DOTATATE": "held out", 1 / 50: "held out",
    SHORT.name: "nominal",
}  # fmt: skip
_LENGTH = 180.0  # mm
_PERSON = FIRST_TEST + 500


def benchmark_scanners(
    out: Path,
    *,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure the gain in each scanner, with each tracer, at each dose.

    Writes ``benchmark_denoise_scanners.json`` and ``.md``.

    Args:
        out: Folder.
        bundle: Of the network; the one that is shipped if None.
        quick: Two scanners, one tracer and two doses, in voxels twice as large.
        progress: What to report to.
    """
    from betaplus.denoising.volume import Volume
    from betaplus.engine import default_workers
    from betaplus.simulation.static import draw_static, make_anatomy

    progress, threads = progress or Silent(), default_workers()
    denoiser = judged_network(bundle)
    voxel = denoiser.voxel * (2.0 if quick else 1.0)
    styles, tracers, doses = _STYLES, _TRACERS, _DOSES
    if quick:
        styles, tracers, doses = styles[::2], tracers[:1], doses[1::2]
    rows: list[dict[str, Any]] = []
    progress.start("scanners, tracers, doses", len(styles) * len(tracers) * len(doses))
    phantom = make_anatomy("body", _PERSON, voxel=voxel)
    for tracer in tracers:
        whole = draw_static(phantom, tracer, _PERSON)
        part, low = cut_scan(whole, trunk_box(whole, _LENGTH))
        for style in styles:
            group = Group(name=f"{style.name} {tracer}", style=style, tracer=tracer)
            scan = trunk_in(group, _PERSON, whole, part, low)
            for dose in doses:
                volume = Volume(data=scan.noisy(dose), voxel=scan.voxel, grid_voxel=denoiser.voxel)
                own = tune_baselines([tuning_case(scan, volume)], threads)
                images = {
                    "noisy": volume.data, **own.apply(volume, threads, scan.body),
                    "mmse": apply_mmse(denoiser, volume, threads),
                }  # fmt: skip
                found = {k: psnr(v, scan.reference, scan.body) for k, v in images.items()}
                rows.append({
                    "scanner": style.name, "tracer": tracer, "dose": dose, "psnr": found,
                    **own.as_dict(),
                })  # fmt: skip
                progress.advance()
    progress.finish()
    result = {
        "quick": quick,
        "bundle": denoiser.bundle.path.name,
        "voxel": voxel,
        "person": _PERSON,
        "length": _LENGTH,
        "scanners": [style.name for style in styles],
        "tracers": list(tracers),
        "doses": list(doses),
        "rows": rows,
    }
    write_result(out, "denoise_scanners", result, scanners_table(result))
    return result


def scanners_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_scanners` as Markdown."""
    lines = opening("Scanners, tracers and doses", result)
    lines += [
        f"Simulation. {result['bundle']}; the trunk of one body (seed {result['person']},"
        f" {result['length']:g} mm, voxels of {result['voxel']:g} mm) in every scanner. Gain of"
        " *mmse* in PSNR in the body over the noisy image / over the better of the Gaussian filter"
        " and non-local means, each with the strength that is best for the very image [dB]."
        " Scanners: Quadra and uEXPLORER as calibrated, *short* an older one without time of"
        f" flight, with a ninth of Quadra's counts (nominal). Target: {PSNR_GAIN:g} over filters.",
        "",
    ]
    heads = [_named(dose, dose_name(dose)) for dose in result["doses"]]
    lines += ["| scanner | tracer | " + " | ".join(heads) + " |", "|---" * (len(heads) + 2) + "|"]
    held = []
    for scanner in result["scanners"]:
        for tracer in result["tracers"]:
            cells = []
            for dose in result["doses"]:
                (row,) = select(result["rows"], scanner=scanner, tracer=tracer, dose=dose)
                over_noisy, over_filters = gains(row["psnr"])
                held.append(over_filters >= PSNR_GAIN)
                cells.append(f"{over_noisy:+.1f} / {over_filters:+.2f}")
            names = f"{_named(scanner, scanner)} | {_named(tracer, tracer)}"
            lines.append(f"| {names} | " + " | ".join(cells) + " |")
    lines += ["", f"At least {PSNR_GAIN:g} dB over filters: {int(np.sum(held))} of {len(held)}."]
    return "\n".join(lines)


def gains(found: Mapping[str, float]) -> tuple[float, float]:
    """Return the gain of `mmse` over the noisy image and over the better filter [dB]."""
    best = max(found["gaussian"], found["nlm"])
    return found["mmse"] - found["noisy"], found["mmse"] - best


def _named(key: str | float, name: str) -> str:
    return f"{name} ({_HELD[key]})" if key in _HELD else name
