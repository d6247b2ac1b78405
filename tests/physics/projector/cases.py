"""Small scanners and grids, and lines of a scanner one by one."""

from __future__ import annotations

import numpy as np

from betaplus.core.grid import ImageGrid
from betaplus.core.scanner import Scanner
from betaplus.core.scanners import SCANNERS

SMALL = SCANNERS["teaching"].replace(
    name="small", rings=5, detectors=60, radius=80.0, depth=3.0, block=4, gap=1, radial=40, span=3,
    max_ring_difference=4,
)  # fmt: skip
TIMED = SMALL.replace(tof_bins=19, tof_width=80.0, tof_resolution=200.0)

GRIDS = {
    "natural": ImageGrid(shape=(31, 33, 9), voxel_size=(3.0, 3.0, 2.0)),
    "fine": ImageGrid(shape=(40, 36, 21), voxel_size=(2.2, 2.0, 1.0)),
    "odd slices": ImageGrid(shape=(30, 30, 11), voxel_size=(3.0, 2.5, 1.7)),
    "beside the middle": ImageGrid(
        shape=(20, 24, 7), voxel_size=(3.0, 3.0, 2.0), centre=(8.0, -11.0, 3.3)
    ),
    "longer than the scanner": ImageGrid(shape=(24, 24, 25), voxel_size=(4.0, 4.0, 2.0)),
}


def all_lines(scanner: Scanner, views: np.ndarray | None = None) -> np.ndarray:
    """Ends of all lines of a scanner, shape (views * radial * planes, 6) [mm]."""
    pairs = scanner.pairs if views is None else scanner.pairs[views]
    xy = scanner.detector_xy[pairs]
    out = np.empty((*pairs.shape[:2], scanner.planes, 6))
    out[..., 0:2], out[..., 3:5] = xy[:, :, None, 0], xy[:, :, None, 1]
    for s in scanner.michelogram.segments:
        middle = scanner.michelogram.midpoints[s.slice] - 0.5 * (scanner.rings - 1)
        for place, sign in ((2, -0.5), (5, 0.5)):
            out[:, :, s.slice, place] = scanner.ring_pitch * (middle + sign * s.mean_difference)
    return out.reshape(-1, 6)
