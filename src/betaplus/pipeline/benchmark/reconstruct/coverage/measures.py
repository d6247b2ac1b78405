"""What methods say of the regions of small scans, and the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from betaplus.core.progress import Silent
from betaplus.generative.image_prior import ImagePrior, load_image_prior
from betaplus.physics.blur import GaussianBlur
from betaplus.pipeline.benchmark.reconstruct.cases import measures
from betaplus.pipeline.benchmark.reconstruct.coverage.rows import RegionRows
from betaplus.pipeline.benchmark.reconstruct.coverage.scans import (
    PRIOR,
    SmallScan,
    blocks,
    small_scans,
)
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.method import SCORE_METHODS, find_any
from betaplus.reconstruction.score.prior import Denoise

__all__ = ["METHODS", "SUBSETS", "SliceDenoiser", "image_of", "measure_person"]

SUBSETS = {"gibbs": 2}
"""Of a method, else 10; `gibbs` takes all of them at every turn."""

METHODS: dict[str, dict[str, Any]] = {
    "osem": {"iterations": 3, "filter": 6.0},
    "osem smooth": {"iterations": 2, "filter": 12.0},
    "svrg": {"iterations": 3, "beta": 0.003},
    "svrg smooth": {"iterations": 3, "beta": 0.03},
    "map-em": {"iterations": 4, "beta": 0.003},
    "map-em smooth": {"iterations": 4, "beta": 0.02},
    "gibbs": {
        "draws": 16, "burn": 20, "thin": 1, "inner": 3, "moves": 2, "kicks": 2, "first": 6.0,
        "last": 3.0,
    },
    "dds": {"draws": 4, "inner": 6, "beta": 0.0, "weight": 0.25},
    "dds smooth": {"draws": 4, "inner": 6, "beta": 0.0, "weight": 1.0},
}  # fmt: skip
"""Method, with a word where it is there twice, to settings: those whose means of tissues, and of
blocks for *smooth*, had the least RMSE for three people (900700 to 900702); of `gibbs` of what some
seconds allow."""

_FIRST = {"iterations": 3, "filter": 6.0}
"""Of `osem`, for the image that chains start from."""


class SliceDenoiser:
    """A prior of slices for images of one slice, which are not padded to a batch.

    Args:
        prior: The prior.
    """

    def __init__(self, prior: ImagePrior) -> None:
        self.prior = prior

    def __call__(self, noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
        """Return the clean estimate, shape (X, Y, 1), on the scanner's axes."""
        ras = np.ascontiguousarray(noisy[::-1, ::-1, 0], dtype=np.float32)
        level = torch.tensor([float(sigma)])
        clean = self.prior(torch.from_numpy(ras)[None, None], level, orientation="axial")
        return np.ascontiguousarray(clean[0, 0].numpy()[::-1, ::-1, None])


def measure_person(
    person: int, count: int, settings: dict[str, dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Return ``scans``: of each its tracer, NRMSE by method [%], ``regions`` and ``blocks``.

    Regions are tissues, where the truth has them; blocks are where they are in any scan. Each has a
    name, voxels and truth, and by method the mean, and the SD over draws; in units
    of the mean of the scan's truth.

    Args:
        person: Number of the anatomy.
        count: Scans of it.
        settings: Method to settings.
    """
    denoise = SliceDenoiser(load_image_prior(PRIOR))
    return {"scans": [_measure(scan, settings, denoise) for scan in small_scans(person, count)]}


def _measure(
    scan: SmallScan, settings: dict[str, dict[str, Any]], denoise: Denoise
) -> dict[str, Any]:
    case, known = scan.case, {10: scan.case.data(10).alone(1)}
    first = image_of("osem", _FIRST, known[10], denoise)[0]
    rows = RegionRows(case, {"regions": scan.regions, "blocks": blocks(first, known[10].mask)})
    errors = {}
    for method, chosen in settings.items():
        base = method.partition(" ")[0]
        subsets = SUBSETS.get(base, 10)
        if subsets not in known:
            known[subsets] = case.data(subsets).alone(1)
        images = image_of(base, chosen, known[subsets], denoise, first)
        errors[method] = measures(images.mean(0), case)["NRMSE"]
        rows.add(method, images)
    return {"seed": case.seed, "tracer": scan.tracer, "NRMSE": errors, **rows.rows}


def image_of(
    method: str,
    settings: dict[str, Any],
    data: SinogramData,
    prior: ImagePrior | Denoise,
    first: np.ndarray | None = None,
) -> np.ndarray:
    """Return the draws of a method, shape (draws, X, Y, Z); one for those that have none.

    Args:
        method: Name.
        settings: Its settings, and ``filter`` for those that have none [mm].
        data: Counts.
        prior: The prior, or a denoiser.
        first: Image that `gibbs` starts from.
    """
    kind = find_any(method)
    chosen = {key: value for key, value in settings.items() if key != "filter"}
    start = None if method != "gibbs" else first
    made = kind.Settings(subsets=len(data.order), **chosen)
    if method in SCORE_METHODS:
        from betaplus.reconstruction.score.prior import ScoreInputs

        images = kind(made, ScoreInputs(prior=prior)).draws(data, start, Silent()).images
    else:
        images = kind(made).run(data, None, Silent())[None]
    width = float(settings.get("filter", 0.0))
    if not width:
        return np.asarray(images)
    blur = GaussianBlur(data.grid.shape, data.grid.voxel_size, width)
    return np.stack([blur.forward(image) for image in images])
