r"""How far the images of two tracers are from the truth: errors of images and of regions' curves.

Of each tracer, over the voxels of the head and the frames that hold it, x decay-corrected to its
injection:

- NRMSE :math:`= |\hat x - x| / |x|`, frames alike, as in the published comparisons; and the same
  with frames weighted by their duration;
- MSE [(kBq/mL)^2], PSNR with the largest voxel of any frame as the peak [dB];
- SSIM, the mean over frames, each with its own peak.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from betaplus.evaluation.images.ssim import ssim
from betaplus.simulation.dual_study import DualStudy

__all__ = ["BRAIN_LEAST", "Targets", "digits", "image_scores"]

BRAIN_LEAST = 1.0
"""Of a region whose curves are judged [mL]."""

_NOT_BRAIN = ("SoftTissue", "Skull", "CSF", "Ventricles", "VenousSinus", "Lesion")


def image_scores(
    image: np.ndarray, truth: np.ndarray, inside: np.ndarray, duration: np.ndarray
) -> dict[str, float]:
    """Return the figures of one tracer.

    Args:
        image: Frames that hold the tracer, shape (X, Y, Z, F) [Bq/mL].
        truth: Likewise.
        inside: Where the head is, shape (X, Y, Z) bool.
        duration: Of the frames, shape (F,) [s].
    """
    x, r = (a[inside].astype(np.float64) for a in (image, truth))
    square, power = ((x - r) ** 2).mean(0), (r * r).mean(0)
    mse, top = float(square.mean()), float(r.max())
    each = [ssim(image[..., f], truth[..., f], inside) for f in range(image.shape[-1])]
    return {
        "nrmse": math.sqrt(mse / power.mean()),
        "nrmse_time": math.sqrt(float(square @ duration) / float(power @ duration)),
        "mse": mse / 1e6,
        "psnr": 10.0 * math.log10(top * top / mse) if mse > 0 else math.inf,
        "ssim": float(np.mean(each)),
    }


class Targets:
    """What of a scan is measured.

    Args:
        simulated: The scan.
    """

    def __init__(self, simulated: DualStudy) -> None:
        self.simulated = simulated
        self.seen = simulated.decay > 0
        labels, voxel = simulated.labels, float(np.prod(simulated.voxel)) / 1000.0
        found = {
            name: labels == label
            for label, name in simulated.names.items()
            if label > 0 and not name.startswith(_NOT_BRAIN)
        }
        self.regions = {n: m for n, m in found.items() if m.sum() * voxel >= BRAIN_LEAST}

    def curves(self, image: np.ndarray) -> np.ndarray:
        """Return the means of regions, shape (R, T) float64, of an image (X, Y, Z, T)."""
        rows = [image[m].mean(0, dtype=np.float64) for m in self.regions.values()]
        return np.stack(rows) if rows else np.zeros((0, image.shape[-1]))

    @property
    def reference(self) -> dict[str, Any]:
        """Regions, frames and their true curves, as JSON knows it."""
        s = self.simulated
        return {
            "regions": list(self.regions),
            "duration": s.frames.duration.tolist(),
            "tracers": [p.tracer.name for p in s.protocol.tracers],
            "seen": self.seen.tolist(),
            "curves": [digits(self.curves(x)) for x in s.x],
        }

    def score(self, pair: np.ndarray) -> list[dict[str, Any]]:
        """Return the figures of each tracer of a pair, shape (2, X, Y, Z, T) [Bq/mL]."""
        s = self.simulated
        return [
            {
                **image_scores(
                    pair[i][..., seen], s.x[i][..., seen], s.head, s.frames.duration[seen]
                ),
                "curves": digits(self.curves(pair[i])),
            }
            for i, seen in enumerate(self.seen)
        ]


def digits(values: np.ndarray) -> list[Any]:
    """Return values to five digits, NaN as None, nested as the array is."""
    if values.ndim > 1:
        return [digits(row) for row in values]
    return [float(f"{v:.5g}") if math.isfinite(v) else None for v in values]
