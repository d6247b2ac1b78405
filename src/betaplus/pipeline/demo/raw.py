"""From raw counts to images: a simulated scan of the teaching scanner, reconstructions of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.progress import Progress
from betaplus.evaluation.images import nrmse, psnr, ssim
from betaplus.evaluation.interval_score import next_draw_share
from betaplus.io.nifti import open_nifti
from betaplus.pipeline.reconstruct import (
    ReconstructRequest,
    ReconstructResult,
    run_reconstruct,
)
from betaplus.simulation.raw.simulate import simulate_raw

__all__ = ["LEVEL", "METHODS", "FromRaw", "from_raw"]

METHODS = {
    "osem": ("filter=5",),
    "svrg": ("beta=0.02",),
    "dds": ("draws=2", "steps=5", "inner=4", "first=10", "last=2"),
    "conditional": ("draws=6", "steps=8"),
}
"""Method to its settings."""

LEVEL = 0.9

_TIME = 0.05  # of the scan's twenty minutes

ReconstructReport = Callable[[Path, ReconstructResult], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class FromRaw:
    """The same counts by several methods.

    Attributes:
        truth: What was simulated, shape (X, Y, Z) [Bq/mL].
        results: Method to its result.
        measures: Method to NRMSE [%], PSNR [dB] and SSIM in the head; of draws also the share of
            its voxels whose truth lies where one more draw would with a probability of 90 %
            (``held``).
    """

    truth: np.ndarray
    results: dict[str, ReconstructResult]
    measures: dict[str, dict[str, float]]


def from_raw(
    out: Path,
    *,
    seed: int,
    overwrite: bool,
    progress: Progress,
    report: ReconstructReport | None,
) -> FromRaw:
    """Simulate raw data and reconstruct them, file to file.

    Args:
        out: Folder for the data and a folder of results for each method.
        seed: Seed.
        overwrite: Replace what is there.
        progress: What to report to.
        report: Writes the report of one reconstruction.
    """
    made = simulate_raw(
        out / "simulated", time_fraction=_TIME, seed=seed, overwrite=overwrite, progress=progress
    )
    truth_path = out / "simulated" / "truth" / "sub-01_pet.nii.gz"
    truth = open_nifti(truth_path).read()
    truth = truth[..., 0] if truth.ndim == 4 else truth
    results, measures = {}, {}
    for method, settings in METHODS.items():
        result = run_reconstruct(
            ReconstructRequest(
                source=made["raw"],
                out=out / method,
                method=method,
                like=truth_path,
                settings=settings,
                seed=seed,
                overwrite=overwrite,
            ),
            progress,
            report,
        )
        assert result is not None  # without --resume there is always something to do
        image = np.asarray(result.image.data)
        mask = truth > 0.0
        results[method] = result
        measures[method] = {
            "NRMSE": nrmse(image, truth, mask),
            "PSNR": psnr(image, truth, mask),
            "SSIM": ssim(image, truth, mask),
        }
        if result.sd is not None:
            sd, draws = np.asarray(result.sd).reshape(truth.shape), result.run["settings"]["draws"]
            measures[method]["held"] = next_draw_share(
                truth[mask], image.reshape(truth.shape)[mask], sd[mask], draws, LEVEL
            )
    return FromRaw(truth=truth, results=results, measures=measures)
