"""Real curves arranged as images, through `betaplus patlak`, beside least squares written out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputFunction
from betaplus.core.progress import Progress, Silent
from betaplus.core.tracer import Tracer
from betaplus.io.derivatives import write_blood, write_image
from betaplus.io.nifti import open_nifti
from betaplus.pipeline.benchmark.gate import Gate, gate_lines
from betaplus.pipeline.benchmark.patlak.real.cases import RealCurve, independent, real_cases
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.tracer_studies import data_folder
from betaplus.pipeline.patlak import PatlakRequest, run_patlak

__all__ = ["GREY_MATTER", "MOST_DIFFERENCE", "benchmark_real", "real_table"]

MOST_DIFFERENCE = 0.1
"""Of Ki and V0 from least squares written out [%]."""

GREY_MATTER = 0.0372
"""Ki of KMAP's grey matter from its last 10 frames [mL/cm3/min]."""

_MARGIN = 1.0  # %: by which `ls` may differ, since blood is there sampled at mid-times

_LAST = 10  # frames
_METHODS = ("ls", "wls")
_GRID = (3, 2, 2)
_TIMES = np.arange(1.0, 13.0).reshape(_GRID)  # voxels are the curve times 1 to 12


def benchmark_real(
    out: str | Path,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Compare the verb with an independent least squares at the same t*.

    Every curve is fitted from its last 10 frames and from the t* that the verb chooses, by `ls` and
    `wls`. Writes ``benchmark_patlak_real.json`` and ``.md``.

    Args:
        out: Folder.
        quick: The first curve of each source alone.
        progress: What to report to.
        folder: Reference data; by default where `BETAPLUS_DATA` points.

    Raises:
        InputError: If there are none.
    """
    out, progress = Path(out), progress or Silent()
    folder = data_folder() if folder is None else folder
    curves = list(real_cases(folder))
    if not curves:
        raise InputError(
            f"{folder} holds no tacs_pettracer and no tacs_kmap",
            "expected real curves",
            "set BETAPLUS_DATA",
        )
    if quick:
        curves = list({curve.name.partition(",")[0]: curve for curve in reversed(curves)}.values())
    progress.start("real curves", len(curves))
    rows = []
    for curve in curves:
        rows += _rows(curve, out)
        progress.advance()
    progress.finish()
    result = {"quick": quick, "rows": rows, "gates": [one.as_dict() for one in _gates(rows)]}
    write_result(out, "patlak_real", result, real_table(result))
    return result


def _rows(curve: RealCurve, out: Path) -> list[dict[str, Any]]:
    """Run the verb on a curve, every way; return what it and least squares found."""
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        source, samples = _written(curve, Path(scratch))
        for t_star in (f"{curve.start[-_LAST]:.6f}", "auto"):
            for method in _METHODS:
                request = PatlakRequest(
                    source=source,
                    out=Path(scratch) / f"{method}-{t_star}",
                    blood=(str(samples),),
                    plasma="whole-blood",
                    method=method,
                    t_star=t_star,
                    engine="inline",
                )
                rows.append(_row(curve, request))
    return rows


def _row(curve: RealCurve, request: PatlakRequest) -> dict[str, Any]:
    run = run_patlak(request)
    assert run is not None
    stem = Path(request.out) / "sub-01_model-Patlak_meas-"
    maps = [open_nifti(f"{stem}{name}_stat-mean_mimap.nii.gz").read() for name in ("Ki", "V0")]
    found = np.stack([one.reshape(_GRID).astype(np.float64) / _TIMES for one in maps])
    first = int(run.run["frames_used"][0])
    expected = independent(curve, first, weighted=request.method == "wls")
    off = np.abs(found / expected.reshape(2, 1, 1, 1) - 1).max(axis=(1, 2, 3))
    return {
        "curve": curve.name,
        "method": request.method,
        "start": "auto" if request.t_star == "auto" else f"last {_LAST}",
        "t_star_s": run.run["t_star_s"],
        "frames_used": len(run.run["frames_used"]),
        "Ki": float(found[0].mean()),
        "V0": float(found[1].mean()),
        "independent": {"Ki": float(expected[0]), "V0": float(expected[1])},
        "difference": {"Ki": float(off[0]), "V0": float(off[1])},
    }


def _written(curve: RealCurve, folder: Path) -> tuple[Path, Path]:
    """Write the curve as an image, and its blood; return their paths."""
    source, samples = folder / "sub-01_pet.nii.gz", folder / "sub-01_blood.tsv"
    image = PetImage(
        data=(_TIMES[..., None] * curve.values).astype(np.float32),
        affine=np.eye(4),
        unit="Bq/mL",
        frames=FrameTiming.from_durations(curve.duration),
        tracer=Tracer.of("F18", name="FDG"),
        decay_corrected_to=0.0,
    )
    write_image(source, image)
    blood = InputFunction(time=curve.time, whole_blood=curve.blood, plasma_kind="whole-blood")
    write_blood(samples, blood)
    return source, samples


def real_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_real` as Markdown."""
    rows: Sequence[Mapping[str, Any]] = result["rows"]
    lines = ["# Real curves as images", ""]
    if result["quick"]:
        lines += ["Quick run: a curve of each source.", ""]
    lines += [
        f"Every voxel of a {' x '.join(map(str, _GRID))} image is the curve times 1 to 12; blood is"
        " the image's. The independent least squares is `numpy.linalg.lstsq` of integrals by"
        " `scipy.integrate.quad`, at the same t*. Differences are the largest over voxels,"
        " relative.",
        "",
        *gate_lines(_gates(rows)),
        "",
    ]
    grey = grey_matter(rows)
    if grey is not None:
        lines.append(f"Ki of KMAP's grey matter: {grey:.5f}, there {GREY_MATTER:g} mL/cm3/min.")
    lines += [
        "",
        "| curve | method | frames | t* [s] | Ki [mL/cm3/min] | V0 | Ki: difference |"
        " V0: difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        off = row["difference"]
        lines.append(
            f"| {row['curve']} | {row['method']} | {row['frames_used']} ({row['start']}) |"
            f" {row['t_star_s']:g} | {row['Ki']:.5f} | {row['V0']:.4f} | {100 * off['Ki']:.1e} % |"
            f" {100 * off['V0']:.1e} % |"
        )
    return "\n".join([*lines, ""])


def grey_matter(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return Ki of KMAP's grey matter by `ls` from the last 10 frames; None where it is not."""
    for row in rows:
        if (row["curve"], row["method"], row["start"]) == ("KMAP, GM", "ls", f"last {_LAST}"):
            return float(row["Ki"])
    return None


def _gates(rows: Sequence[Mapping[str, Any]]) -> list[Gate]:
    worst = max(max(row["difference"].values()) for row in rows)
    gates = [
        Gate(
            name="difference of Ki and V0 from the independent least squares, largest [%]",
            found=100 * worst,
            target=MOST_DIFFERENCE,
        )
    ]
    grey = grey_matter(rows)
    if grey is not None:
        off = 100 * abs(grey / GREY_MATTER - 1)
        name = f"Ki of KMAP's grey matter by ls, last {_LAST} frames: from {GREY_MATTER:g} [%]"
        gates.append(Gate(name=name, found=off, target=_MARGIN))
    return gates
