"""The image-space surrogate of simulated scans beside projector and OSEM, and beside real scans.

Bodies in one bed position are measured, reconstructed several times at each dose, and compared
organ by organ with as many draws of the surrogate, which is told the numbers of scanner and
reconstruction and is not fitted to them. The second part (`surrogate.real`) compares the styles of
two real scanners with the medians of real scans.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.io.atomic import atomic_path
from betaplus.pipeline.benchmark.parts import check_parts
from betaplus.pipeline.benchmark.result_files import result_file, write_arrays, write_result
from betaplus.pipeline.benchmark.surrogate.reference import (
    COUNTS,
    BedCase,
    Recipe,
    make_bed,
)
from betaplus.pipeline.benchmark.surrogate.scores import (
    TOLERANCE,
    OrganNoise,
    compare,
    organ_masks,
    organ_noise,
)
from betaplus.pipeline.benchmark.wording import opening
from betaplus.simulation.surrogate.surrogate import Surrogate

__all__ = ["PARTS", "benchmark_surrogate", "surrogate_table"]

PARTS = ("reference", "real")
_DOSES = (1.0, 0.25, 0.1, 0.05, 0.02, 0.01)
_RECIPES = (
    Recipe(iterations=2, filter=5.0),
    Recipe(iterations=4),
    Recipe(iterations=4, psf=4.5),
)
_SEEDS = (1, 2)  # constants of `simulation.surrogate.marginal` are from another phantom
_SHOWN = 0.1  # dose of the pictures


def benchmark_surrogate(
    out: str | Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    *,
    parts: Sequence[str] = PARTS,
) -> dict[str, Any]:
    """Compare the surrogate with projector and OSEM, and its styles with real scans.

    Args:
        out: Folder for ``benchmark_surrogate.json``, ``.tsv``, ``.md`` and ``_images.npz``; None
            writes nothing.
        quick: One body, two doses, three realisations, one reconstruction; real scans: one body.
        progress: What to report to.
        parts: ``reference`` (about half an hour on one core), ``real`` (as long).

    Returns:
        ``reference``: rows of seed, recipe, dose and organ with ratios of surrogate over reference;
        ``summary`` by recipe and dose; ``real``: of `surrogate.real.compare_real`; ``quick``.
    """
    progress = progress or Silent()
    check_parts(parts, PARTS)
    result: dict[str, Any] = {"quick": quick}
    pictures: dict[str, np.ndarray] = {}
    if "reference" in parts:
        doses = (1.0, 0.05) if quick else _DOSES
        recipes = (Recipe(iterations=2, filter=5.0),) if quick else _RECIPES
        rows: list[dict[str, Any]] = []
        result["counts"] = COUNTS
        for seed in _SEEDS[:1] if quick else _SEEDS:
            progress.note(f"body {seed}")
            case = make_bed(seed)
            found, pictures = _compared(case, doses, recipes, 3 if quick else 4, progress)
            rows += found
        result["reference"] = rows
        result["summary"] = _summary(rows)
    if "real" in parts:
        from betaplus.pipeline.benchmark.surrogate.real import compare_real

        result["real"] = compare_real(quick, progress)
    if out is not None:
        _write(Path(out), result, pictures)
    return result


def _compared(
    case: BedCase,
    doses: Sequence[float],
    recipes: Sequence[Recipe],
    realisations: int,
    progress: Progress,
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Return rows of one body, and a slice of each kind of image."""
    voxel = case.grid.voxel_size
    masks = organ_masks(case.labels, case.names, voxel)
    surrogates = {r: Surrogate(case.activity, case.mu, voxel, case.style(r)) for r in recipes}
    rows: list[dict[str, Any]] = []
    pictures: dict[str, np.ndarray] = {}
    first: dict[Recipe, tuple[dict[str, OrganNoise], dict[str, OrganNoise]]] = {}
    for dose in doses:
        drawn: dict[Recipe, list[np.ndarray]] = {r: [] for r in recipes}
        began = time.perf_counter()
        for n in range(realisations):
            for psf in sorted({r.psf for r in recipes}):
                for recipe, image in case.images(dose, n, recipes, psf).items():
                    drawn[recipe].append(image)
        seconds = (time.perf_counter() - began) / realisations
        for recipe, images in drawn.items():
            began = time.perf_counter()
            made = [
                surrogates[recipe].image(dose, seed=case.seed, draw=n) for n in range(realisations)
            ]
            spent = (time.perf_counter() - began) / realisations
            real = organ_noise(np.stack(images), masks)
            false = organ_noise(np.stack(made), masks)
            first.setdefault(recipe, (real, false))
            for row in compare(real, false, voxel):
                name = row["organ"]
                row["growth_ratio"] = (false[name]["sd"] / first[recipe][1][name]["sd"]) / (
                    real[name]["sd"] / first[recipe][0][name]["sd"]
                )
                # What few counts do to the mean of OSEM, which the surrogate leaves as it is.
                row["drift"] = real[name]["mean"] / first[recipe][0][name]["mean"]
                rows.append(
                    {"seed": case.seed, "recipe": recipe.name, "dose": dose, **row,
                     "seconds": seconds, "seconds_surrogate": spent}
                )  # fmt: skip
            if dose == doses[-1] or dose == _SHOWN:
                middle = case.grid.shape[1] // 2
                label = f"{recipe.name}, dose {dose:g}"
                pictures[f"{label}: OSEM"] = images[0][:, middle]
                pictures[f"{label}: surrogate"] = made[0][:, middle]
        progress.note(f"dose {dose:g}: {_within(rows, dose):.0%} of SDs within {TOLERANCE:.0%}")
    return rows, pictures


def _within(rows: Sequence[Mapping[str, Any]], dose: float) -> float:
    ratios = [row["sd_ratio"] for row in rows if row["dose"] == dose]
    return float(np.mean([abs(r - 1.0) <= TOLERANCE for r in ratios]))


def _summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return range and share within the tolerance of each ratio, by recipe and dose."""
    out = []
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        for dose in dict.fromkeys(row["dose"] for row in rows):
            part = [r for r in rows if r["recipe"] == recipe and r["dose"] == dose]
            line: dict[str, Any] = {"recipe": recipe, "dose": dose, "organs": len(part)}
            for kind in ("mean", "sd", "length", "growth"):
                ratios = np.array([r[f"{kind}_ratio"] for r in part])
                line[kind] = [float(ratios.min()), float(np.median(ratios)), float(ratios.max())]
                line[f"{kind}_within"] = float(np.mean(np.abs(ratios - 1.0) <= TOLERANCE))
            out.append(line)
    return out


def surrogate_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_surrogate` as Markdown."""
    lines = opening("Benchmark of the surrogate", result)
    if "reference" in result:
        lines += [
            f"Surrogate over projector and OSEM ({result['counts']:g} prompts at full dose), organs"
            f" over 10 mL: least, median and largest ratio; share within {TOLERANCE:.0%}.",
            "",
            "| reconstruction | dose | organs | SD | correlation length | growth of SD | mean |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in result["summary"]:
            cells = []
            for kind in ("sd", "length", "growth", "mean"):
                low, middle, high = row[kind]
                share = row[f"{kind}_within"]
                cells.append(f"{low:.2f} {middle:.2f} {high:.2f} ({share:.0%})")
            lines.append(
                f"| {row['recipe']} | {row['dose']:g} | {row['organs']} | {' | '.join(cells)} |"
            )
        lines += ["", "By organ, median over bodies, reconstructions and doses:", ""]
        lines += ["| organ | SD | correlation length | growth of SD | mean | SDs within | drift |"]
        lines += ["|---|---|---|---|---|---|---|"]
        rows = result["reference"]
        for organ in sorted({row["organ"] for row in rows}):
            part = [row for row in rows if row["organ"] == organ]
            cells = [
                f"{np.median([r[f'{kind}_ratio'] for r in part]):.2f}"
                for kind in ("sd", "length", "growth", "mean")
            ]
            inside = np.mean([abs(r["sd_ratio"] - 1.0) <= TOLERANCE for r in part])
            lowest = min(r["dose"] for r in part)
            drift = np.median([r["drift"] for r in part if r["dose"] == lowest])
            lines.append(f"| {organ} | {' | '.join(cells)} | {inside:.0%} | {drift:.2f} |")
        lines += ["", "Drift: mean of OSEM at the lowest dose over that at the highest."]
    if "real" in result:
        from betaplus.pipeline.benchmark.surrogate.real import real_table

        lines += ["", *real_table(result["real"])]
    return "\n".join(lines) + "\n"


def _write(folder: Path, result: Mapping[str, Any], pictures: Mapping[str, np.ndarray]) -> None:
    write_result(folder, "surrogate", result, surrogate_table(result))
    if "reference" in result:
        columns = list(result["reference"][0])
        rows = [[_cell(row[c]) for c in columns] for row in result["reference"]]
        text = "\n".join("\t".join(r) for r in [columns, *rows]) + "\n"
        with atomic_path(result_file(folder, "surrogate", "tsv")) as path:
            path.write_text(text, encoding="utf-8")
    if pictures:
        write_arrays(result_file(folder, "surrogate_images", "npz"), pictures)


def _cell(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
