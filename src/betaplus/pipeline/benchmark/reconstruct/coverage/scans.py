"""Small scans: one slice of a person, drawn as the volumes that the prior was trained on are.

Transverse slices of 128 x 128 voxels of 2 mm, painted and softened as in training
(labels without the vote of sub-voxels), are averaged to
the 32 x 32 of 8 mm of the prior `brain2d-coarse`, and seen by one ring of crystals. Activity is on
a grid twice as fine while counts are simulated. People are none of training's.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from betaplus.core.grid import ImageGrid
from betaplus.core.scanner import Scanner
from betaplus.core.seeds import generator
from betaplus.generative.image_prior import uptake_level
from betaplus.pipeline.benchmark.reconstruct.cases import Case
from betaplus.pipeline.training.prior.batches import cut_box
from betaplus.pipeline.training.prior.plan import COARSE
from betaplus.simulation.anatomy import LABELS
from betaplus.simulation.raw.acquisition import simulate_counts
from betaplus.simulation.raw.attenuation import mu_map
from betaplus.simulation.raw.head import average, finer

__all__ = ["COUNTS", "GRID", "PRIOR", "RING", "Region", "SmallScan", "blocks", "small_scans"]

PRIOR = "brain2d-coarse"

COUNTS = 40_000
"""Mean prompts of a slice: those of 1 % of a full scan in the teaching scanner."""

RING = Scanner(
    name="one ring", rings=1, ring_pitch=30.0, detectors=96, radius=200.0, depth=7.0, block=8,
    gap=0, radial=44, span=1, max_ring_difference=0, resolution=6.0,
)  # fmt: skip

GRID = ImageGrid(shape=(32, 32, 1), voxel_size=(8.0, 8.0, 15.0))

_DRAW = 57
_LEAST = 8  # voxels of a region
_BLOCK = 4  # fine voxels along a coarse one
_EDGE = 3  # voxels of a block
_ACTIVE = 0.3  # of the level: least mean of a block


@dataclass(frozen=True, eq=False, kw_only=True)
class Region:
    """A region of a slice.

    Attributes:
        name: Of the tissue, or ``block``.
        inside: Voxels of which more than half is that tissue, or those of the block, shape
            (X, Y, Z) bool.
    """

    name: str
    inside: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class SmallScan:
    """A slice in the ring.

    Attributes:
        case: The scan.
        regions: Those of at least 8 voxels.
        tracer: Its name.
    """

    case: Case
    regions: tuple[Region, ...]
    tracer: str


def small_scans(person: int, count: int, seed: int = 0) -> list[SmallScan]:
    """Return scans of a person: other tracers, uptakes, resolutions and slices.

    Args:
        person: Number of the anatomy.
        count: How many.
        seed: Of all but the anatomy.
    """
    from scipy.ndimage import gaussian_filter

    from betaplus.simulation.fields import sigma_of_fwhm
    from betaplus.simulation.static import draw_static, make_anatomy

    plan = COARSE["brain2d"]
    phantom = make_anatomy(plan.anatomy, person, voxel=plan.voxel, finer=1)
    heights = np.flatnonzero((phantom.labels == _CORTEX).any((0, 1)))
    scans = []
    for number in range(count):
        rng = generator(seed, item=person, draw=_DRAW + number)
        tracer = plan.tracers[int(rng.integers(len(plan.tracers)))]
        painted = draw_static(phantom, tracer, int(rng.integers(2**31)))
        width = np.exp(rng.uniform(np.log(plan.sharpest), np.log(plan.bluntest)))
        sigma = [sigma_of_fwhm(width) / v for v in phantom.voxel_size]
        image = gaussian_filter(painted.activity, sigma, mode="constant")
        z = int(rng.integers(heights[0], heights[-1] + 1))
        labels, activity = (_slice(v[:, :, z], plan.edge) for v in (phantom.labels, image))
        case = _scan(activity, labels.astype(np.uint8), (person << 8) + number)
        scans.append(SmallScan(case=case, regions=_regions(labels), tracer=tracer))
    return scans


_CORTEX = next(label for label, name in LABELS.items() if name == "FrontalCortex")


def _slice(plane: np.ndarray, edge: int) -> np.ndarray:
    """Return a slice cut to its middle, on the scanner's axes, which run against those of RAS."""
    middle = np.array(plane.shape) // 2
    return cut_box(plane, middle - edge // 2, edge)[::-1, ::-1]


def _scan(activity: np.ndarray, labels: np.ndarray, seed: int) -> Case:
    fine = finer(GRID)
    pairs = [_pooled(v, 2)[..., None].repeat(2, axis=2) for v in (activity, mu_map(labels))]
    means = simulate_counts(RING, fine, *pairs, counts=COUNTS, seed=seed, threads=1)
    truth = average(pairs[0]) * np.float32(means.sensitivity)
    return Case(grid=GRID, truth=truth, mask=truth > 0.0, means=means, seed=seed)


def _regions(labels: np.ndarray) -> tuple[Region, ...]:
    found = []
    for label, name in LABELS.items():
        inside = (_pooled((labels == label).astype(np.float32), _BLOCK) > 0.5)[..., None]
        if inside.sum() >= _LEAST:
            found.append(Region(name=name, inside=inside))
    return tuple(found)


def blocks(image: np.ndarray, mask: np.ndarray, edge: int = _EDGE) -> tuple[Region, ...]:
    """Return blocks of as many voxels, side by side, where an image has activity.

    They know nothing of the truth: that a tissue is where it is tells of the activity there, and
    what knows it is not to be held against a posterior that does not.

    Args:
        image: Of the counts, shape (X, Y, Z).
        mask: Voxels that the counts see.
        edge: Voxels along an edge, fewer where the image has fewer.
    """
    least = _ACTIVE * uptake_level(image * mask)
    edges = [min(edge, n) for n in image.shape]
    starts = [
        range(n % e // 2, n - e + 1, e) for n, e in zip(image.shape, edges, strict=True)
    ]  # fmt: skip
    found = []
    for corner in itertools.product(*starts):
        box = tuple(slice(k, k + e) for k, e in zip(corner, edges, strict=True))
        if mask[box].all() and image[box].mean() > least:
            inside = np.zeros(image.shape, dtype=bool)
            inside[box] = True
            found.append(Region(name="block", inside=inside))
    return tuple(found)


def _pooled(plane: np.ndarray, block: int) -> np.ndarray:
    x, y = (n // block for n in plane.shape)
    return plane.reshape(x, block, y, block).mean(axis=(1, 3), dtype=np.float64).astype(np.float32)
