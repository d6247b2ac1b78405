"""How the denoiser fares on real images with noise added: gain beside tuned filters."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.evaluation.images.errors import psnr
from betaplus.evaluation.images.suv import region_suvs, suv_bias
from betaplus.io.atomic import atomic_path
from betaplus.pipeline.benchmark.denoise.real_cases import (
    EXPONENT,
    RealCase,
    brain_web,
    crops,
    smooth_uptake,
    templates,
)
from betaplus.pipeline.benchmark.denoise.writing import part_file, write_part

if TYPE_CHECKING:
    from betaplus.denoising.bundle import TrainedDenoiser
    from betaplus.denoising.nlm import NlmSettings

__all__ = ["DOSES", "LEVELS", "benchmark_real", "real_table"]

LEVELS = (0.2, 0.4, 0.8)
"""SD of the noise added where the uptake is 1 SUV."""

DOSES = (1 / 4, 1 / 20, 1 / 100)
"""Of BrainWeb 06."""

_TUNING, _JUDGED = slice(0, None, 6), 6  # crops: every sixth is what filters are tuned on
_SLAB = 32  # planes that NLM is tuned on
_METHODS = ("gaussian", "nlm", "mmse")
_SHOWN = 3  # crops that are kept for the figure


def benchmark_real(
    out: str | Path,
    *,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    data: str | Path | None = None,
    levels: Sequence[float] = LEVELS,
    doses: Sequence[float] = DOSES,
) -> dict[str, Any]:
    """Denoise real images to which noise was added, and write what was gained.

    Filters are tuned on every sixth crop and judged, like the network, on the others; for brains,
    which are one of a kind, they have the strength that is best for the very image, which no user
    could know. Writes ``benchmark_denoise_real.json``, ``.md`` and ``_real.npz`` (slices).

    Args:
        out: Folder.
        bundle: Of the network; the one that is shipped if None.
        quick: Four crops, one level, no brains.
        progress: What to report to.
        data: Folder of reference data; ``$BETAPLUS_DATA`` if None.
        levels: SD of the noise added to crops and templates where the uptake is 1 SUV.
        doses: Of BrainWeb 06.

    Returns:
        What was written; where there is no data ``skipped`` says why.

    Raises:
        UsageError: If the folder given is not there.
    """
    from betaplus.denoising.bundle import load_denoiser

    out, progress = Path(out), progress or Silent()
    folder = Path(data or os.environ.get("BETAPLUS_DATA", "") or "nowhere")
    if data is not None and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "expected the folder of reference data")
    if not (folder / "pet_ibsi").is_dir():
        why = "no reference data: BETAPLUS_DATA is not set, or holds no pet_ibsi"
        progress.note(f"real images: skipped, {why}")
        skipped: dict[str, Any] = {"skipped": why, "quick": quick, "rows": []}
        write_part(out, "real", skipped, f"# Denoising of real images\n\nSkipped: {why}.\n")
        return skipped
    denoiser = load_denoiser(explicit=bundle)
    found = _Found(denoiser)
    levels, doses = (levels[1:2], ()) if quick else (levels, doses)
    progress.start("real images", len(levels) * (1 if quick else 3) + len(doses))
    for level in levels:
        tuning = list(crops(folder, level, _TUNING))[: 2 if quick else None]
        filters = _tune(tuning)
        judged = [c for n, c in enumerate(crops(folder, level, slice(None))) if n % _JUDGED]
        for n, case in enumerate(judged[: 4 if quick else None]):
            found.judge("IBSI crops", level, case, filters, shown=n < _SHOWN)
        progress.advance()
    if not quick:
        brains: list[tuple[float, str, Callable[[], Iterable[RealCase]]]] = [
            *((level, "templates", partial(templates, folder, level)) for level in levels),
            *((dose, "BrainWeb 06", partial(brain_web, folder, dose)) for dose in doses),
        ]
        for number, group, made in brains:
            for case in made():
                found.judge(group, number, case, _tune([_slab(case)]), shown=True)
                progress.advance()
    progress.finish()
    result = {
        "quick": quick,
        "bundle": denoiser.bundle.path.name,
        "exponent": EXPONENT,
        "levels": list(levels),
        "doses": list(doses),
        "rows": found.rows,
    }
    write_part(out, "real", result, real_table(result))
    with atomic_path(part_file(out, "real", "npz")) as path, path.open("wb") as file:
        np.savez_compressed(file, **found.slices)
    return result


class _Found:
    """Rows of figures, and slices by ``group|number|case|method``."""

    def __init__(self, denoiser: TrainedDenoiser) -> None:
        self.denoiser = denoiser
        self.rows: list[dict[str, Any]] = []
        self.slices: dict[str, np.ndarray] = {}

    def judge(
        self,
        group: str,
        number: float,
        case: RealCase,
        filters: tuple[float, NlmSettings],
        *,
        shown: bool,
    ) -> None:
        """Denoise a case by every method and keep what was found."""
        from betaplus.denoising.gaussian import GaussianSettings, gaussian
        from betaplus.denoising.level import noise_level
        from betaplus.denoising.nlm import nlm
        from betaplus.denoising.volume import Volume
        from betaplus.engine import default_workers
        from betaplus.pipeline.benchmark.denoise.learned import apply_mmse

        volume = Volume(data=case.noisy, voxel=case.voxel, grid_voxel=self.denoiser.voxel)
        fwhm, settings = filters
        images = {
            "noisy": case.noisy,
            "gaussian": gaussian(case.noisy, 0.0, case.voxel, GaussianSettings(fwhm=fwhm)),
            "nlm": nlm(case.noisy, volume.sd, case.voxel, settings),
            "mmse": apply_mmse(self.denoiser, volume, default_workers()),
        }
        before = psnr(case.noisy, case.reference, case.mask)
        measured, added = noise_level(volume.noise).typical, _added(case, self.denoiser.voxel)
        for method, image in images.items():
            self.rows.append({
                "group": group, "number": number, "case": case.name, "method": method,
                "gain": psnr(image, case.reference, case.mask) - before,
                "mean_bias": _bias(image, case.reference, case.mask),
                **_lesion(case, image),
                "measured": measured, "added": added, "psnr_before": before,
                "fwhm": fwhm, "nlm_strength": settings.strength,
            })  # fmt: skip
        if shown:
            known = {"reference": case.reference, **images}
            for method, image in known.items():
                key = f"{group}|{number:g}|{case.name}|{method}"
                self.slices[key] = _slice(case, image)


def _tune(cases: Sequence[RealCase]) -> tuple[float, NlmSettings]:
    """Return the width [mm] and the settings of non-local means that are best for some cases."""
    from betaplus.denoising.gaussian import GaussianSettings, gaussian
    from betaplus.denoising.tune import TuningCase, best_strength, tune_nlm
    from betaplus.denoising.volume import Volume

    tuning = [
        TuningCase(
            noisy=case.noisy, reference=case.reference, mask=case.mask, voxel=case.voxel,
            sd=Volume(data=case.noisy, voxel=case.voxel, grid_voxel=3.0).sd,
        )
        for case in cases
    ]  # fmt: skip

    def smooth(case: TuningCase, fwhm: float) -> np.ndarray:
        return gaussian(case.noisy, 0.0, case.voxel, GaussianSettings(fwhm=fwhm))

    width = best_strength(smooth, tuning, 1.5, 25.0, points=6, tolerance=0.05)
    settings, _ = tune_nlm(tuning, low=0.4, high=20.0, tolerance=0.15)
    return width.strength, settings


def _slab(case: RealCase) -> RealCase:
    """Return the middle planes of a case."""
    low = max(case.noisy.shape[2] // 2 - _SLAB // 2, 0)
    part = (..., slice(low, low + _SLAB))
    noisy, reference, mask = (
        np.ascontiguousarray(x[part]) for x in (case.noisy, case.reference, case.mask)
    )
    return RealCase(
        name=case.name, noisy=noisy, reference=reference, mask=mask, lesion=None, voxel=case.voxel
    )


def _added(case: RealCase, grid: float) -> float:
    """Return the SD of the noise added where the uptake is 1 SUV, on a grid of an edge [mm]."""
    import torch

    from betaplus.denoising.resample import Resampler

    resampler = Resampler(case.noisy.shape, case.voxel, grid)
    noise, uptake, inside = (
        resampler.down(torch.from_numpy(np.asarray(x, np.float32))[None, None])[0, 0].numpy()
        for x in (case.noisy - case.reference, smooth_uptake(case.reference, case.voxel), case.mask)
    )
    part = inside > 0.5
    scaled = np.abs(noise[part]) / np.maximum(uptake[part], 0.05) ** 0.7
    return float(np.median(scaled) / 0.67449)  # as the denoiser says it, see `measure_noise`


def _bias(image: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> float:
    return 100.0 * (float(image[mask].mean()) / float(reference[mask].mean()) - 1.0)


def _lesion(case: RealCase, image: np.ndarray) -> dict[str, float]:
    """Return the bias of SUVmean, SUVmax and SUVpeak of the tumour [%]; none without one."""
    if case.lesion is None or not case.lesion.any():
        return {}
    labels = case.lesion.astype(np.int32)
    bias = suv_bias(*(region_suvs(x, labels, [1], case.voxel) for x in (image, case.reference)))
    return {
        "lesion_mean": float(bias.mean[0]),
        "lesion_max": float(bias.maximum[0]),
        "lesion_peak": float(bias.peak[0]),
    }


def _slice(case: RealCase, image: np.ndarray) -> np.ndarray:
    """Return the axial plane through the tumour, or the middle of the uptake."""
    where = case.lesion if case.lesion is not None else case.mask
    return np.asarray(image[:, :, int(np.median(np.nonzero(where)[2]))], np.float32)


def real_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_real` as Markdown."""
    lines = ["# Denoising of real images", ""]
    if result["quick"]:
        lines += ["Quick run: too little to judge by.", ""]
    lines += [
        f"{result['bundle']}. Noise was added to real images. They are the reference, with noise"
        " and blur of their own; what is taken of it counts as error. IBSI crops (FDG, 3.3 to 5.5"
        " mm) and group templates (2 mm): SD L SUV where the uptake is 1 SUV, rising as uptake to"
        f" the {result['exponent']:g}, of Gamma's distribution, correlated by one half at 3.3 mm;"
        " crops have seeds of their number. BrainWeb 06 (2 mm): the surrogate of a Quadra, seed 6;"
        " reference: its image without noise. Filters: for crops tuned on every sixth of them and"
        " judged, as the network, on the others; for brains the best for the very image. Gain: PSNR"
        " in the body over the noisy image [dB], mean (least). Noise: SD where the uptake is 1 SUV,"
        " on the network's voxels, as the denoiser measures it and as it was added: the real noise"
        " of the crops is in the first only.",
        "",
        "| images | noise | cases | gaussian | nlm | mmse | mmse over the better filter |"
        " bias of the mean: mmse [%] | noise measured / added |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for group, number, rows in _grouped(result["rows"]):
        gains = {m: [r["gain"] for r in rows if r["method"] == m] for m in _METHODS}
        if not gains["mmse"]:
            continue
        mean = {m: float(np.mean(g)) for m, g in gains.items()}
        over = mean["mmse"] - max(mean["gaussian"], mean["nlm"])
        bias = [r["mean_bias"] for r in rows if r["method"] == "mmse"]
        level = [np.median([r[what] for r in rows]) for what in ("measured", "added")]
        cells = [f"{mean[m]:+.1f} ({min(gains[m]):+.1f})" for m in _METHODS]
        lines.append(
            f"| {group} | {_noise(group, number)} | {len(bias)} | {' | '.join(cells)} |"
            f" {over:+.1f} | {np.mean(bias):+.2f} | {level[0]:.2f} / {level[1]:.2f} |"
        )
    lines += ["", *_lesions(result["rows"])]
    return "\n".join(lines)


def _lesions(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    known = [row for row in rows if "lesion_peak" in row]
    if not known:
        return []
    lines = [
        "Tumours of the crops, bias over the image without added noise [%]: median (5th to 95th"
        " percentile).",
        "",
        "| noise | method | SUVmean | SUVpeak | SUVmax |",
        "|---|---|---|---|---|",
    ]
    for group, number, part in _grouped(known):
        for method in ("noisy", *_METHODS):
            cells = []
            for what in ("lesion_mean", "lesion_peak", "lesion_max"):
                low, middle, high = np.percentile(
                    [row[what] for row in part if row["method"] == method], (5, 50, 95)
                )
                cells.append(f"{middle:+.1f} ({low:+.1f} to {high:+.1f})")
            lines.append(f"| {_noise(group, number)} | {method} | {' | '.join(cells)} |")
    return lines


def _grouped(
    rows: Sequence[Mapping[str, Any]],
) -> Iterable[tuple[str, float, list[Mapping[str, Any]]]]:
    """Yield (group, number, rows) in the order in which they come; templates one by one."""
    parts: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for row in rows:
        name = row["case"] if row["group"] == "templates" else row["group"]
        parts.setdefault((name, row["number"]), []).append(row)
    return ((group, number, part) for (group, number), part in parts.items())


def _noise(group: str, number: float) -> str:
    return f"1/{1 / number:.0f}" if group == "BrainWeb 06" else f"L = {number:g}"
