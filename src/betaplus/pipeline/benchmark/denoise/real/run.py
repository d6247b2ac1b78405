"""How the denoiser fares on real images with noise added: gain beside tuned filters."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.denoising.bundle import TrainedDenoiser, load_denoiser
from betaplus.denoising.level import noise_level
from betaplus.denoising.tune import TuningCase
from betaplus.denoising.volume import Volume
from betaplus.engine import default_workers
from betaplus.evaluation.images.errors import psnr
from betaplus.evaluation.images.suv import region_suvs, suv_bias
from betaplus.pipeline.benchmark.denoise.baselines import Baselines, tune_baselines
from betaplus.pipeline.benchmark.denoise.learned import apply_mmse
from betaplus.pipeline.benchmark.denoise.real.cases import (
    EXPONENT,
    RealCase,
    brain_web,
    crops,
    smooth_uptake,
    templates,
)
from betaplus.pipeline.benchmark.denoise.real.table import real_table
from betaplus.pipeline.benchmark.result_files import result_file, write_arrays, write_result

__all__ = ["DOSES", "LEVELS", "benchmark_real"]

LEVELS = (0.2, 0.4, 0.8)
"""SD of the noise added where the uptake is 1 SUV."""

DOSES = (1 / 4, 1 / 20, 1 / 100)
"""Of BrainWeb 06."""

_TUNING, _JUDGED = slice(0, None, 6), 6  # crops: every sixth is what filters are tuned on
_STRENGTHS = (0.4, 20.0)  # of NLM that are tried
_TOLERANCE = 0.15  # of the logarithm of a strength
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
    out, progress = Path(out), progress or Silent()
    folder = Path(data or os.environ.get("BETAPLUS_DATA", "") or "nowhere")
    if data is not None and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "expected the folder of reference data")
    if not (folder / "pet_ibsi").is_dir():
        why = "no reference data: BETAPLUS_DATA is not set, or holds no pet_ibsi"
        progress.note(f"real images: skipped, {why}")
        skipped: dict[str, Any] = {"skipped": why, "quick": quick, "rows": []}
        write_result(
            out, "denoise_real", skipped, f"# Denoising of real images\n\nSkipped: {why}.\n"
        )
        return skipped
    denoiser = load_denoiser(explicit=bundle)
    found = _Found(denoiser)
    levels, doses = (levels[1:2], ()) if quick else (levels, doses)
    progress.start("real images", len(levels) * (1 if quick else 3) + len(doses))
    for level in levels:
        tuning = list(crops(folder, level, _TUNING))[: 2 if quick else None]
        filters = _tune(tuning, denoiser.voxel)
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
                found.judge(group, number, case, _tune([case], denoiser.voxel), shown=True)
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
    write_result(out, "denoise_real", result, real_table(result))
    write_arrays(result_file(out, "denoise_real", "npz"), found.slices)
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
        filters: Baselines,
        *,
        shown: bool,
    ) -> None:
        """Denoise a case by every method and keep what was found."""
        volume = Volume(data=case.noisy, voxel=case.voxel, grid_voxel=self.denoiser.voxel)
        threads = default_workers()
        images = {
            "noisy": case.noisy,
            **filters.apply(volume, threads),
            "mmse": apply_mmse(self.denoiser, volume, threads),
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
                "fwhm": filters.fwhm, "nlm_strength": filters.nlm.strength,
            })  # fmt: skip
        if shown:
            known = {"reference": case.reference, **images}
            for method, image in known.items():
                key = f"{group}|{number:g}|{case.name}|{method}"
                self.slices[key] = _slice(case, image)


def _tune(cases: Sequence[RealCase], grid_voxel: float) -> Baselines:
    """Return the filters that are best for some cases; the network's voxels have an edge [mm]."""
    tuning = [
        TuningCase(
            noisy=case.noisy, reference=case.reference, mask=case.mask, voxel=case.voxel,
            sd=Volume(data=case.noisy, voxel=case.voxel, grid_voxel=grid_voxel).sd,
        )
        for case in cases
    ]  # fmt: skip
    return tune_baselines(tuning, default_workers(), strengths=_STRENGTHS, tolerance=_TOLERANCE)


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
