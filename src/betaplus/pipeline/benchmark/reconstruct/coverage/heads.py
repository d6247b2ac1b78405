"""Heads in the teaching scanner at 1 % of the counts, and what methods say of their regions.

Regions are tissues, where the truth has them, and blocks of 14 and of 10 mm where the first image
has activity. Of methods that draw, the voxels of the head are counted too that lie where one more
draw would, at 50, 80 and 95 %.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from betaplus.evaluation.interval_score import next_draw_share
from betaplus.generative.image_prior import load_image_prior
from betaplus.pipeline.benchmark.reconstruct.bench import LOW, SUBSETS
from betaplus.pipeline.benchmark.reconstruct.cases import Case, make_case, measures
from betaplus.pipeline.benchmark.reconstruct.coverage.measures import image_of
from betaplus.pipeline.benchmark.reconstruct.coverage.rows import RegionRows
from betaplus.pipeline.benchmark.reconstruct.coverage.scans import Region, blocks
from betaplus.reconstruction.score.choice import SHOWN
from betaplus.simulation.anatomy import LABELS
from betaplus.simulation.raw.head import average

__all__ = ["BLOCKS", "HEAD_METHODS", "measure_head", "tissues", "voxels_held"]

HEAD_METHODS: dict[str, dict[str, Any]] = {
    "osem": {"iterations": 2, "filter": 5.0},
    "svrg": {"iterations": 4, "beta": 0.03, "gamma": 2.0},
    "map-em": {"iterations": 2, "beta": 0.01, "delta": 0.2},
    "dds": {"draws": 4, "inner": 4, "steps": 3, "first": 10.0, "last": 2.0, "significance": 0.0},
    "conditional": {"draws": 6, "steps": 10, "significance": 0.0},
}
"""Method to settings: of those without draws, the ones whose means of blocks had the least RMSE for
three heads (900201 to 900203); those that draw without what counts demand of a mean beyond them."""

BLOCKS = {"blocks": 7, "small blocks": 5}
"""Kind to voxels along an edge, of 2 mm."""

LEVELS = (0.5, 0.8, 0.95)

_FIRST = {"iterations": 1, "filter": 8.0}
_LEAST = 27  # voxels of a tissue


def measure_head(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Return ``scans``, of one head: as `measure_person`, and ``voxels`` by method.

    Args:
        seed: Of the head, the person and the counts.
    """
    case, prior = make_case("small", LOW, seed), load_image_prior(SHOWN["brain"])
    data = case.data(SUBSETS["small"]).alone(1)
    first = image_of("osem", _FIRST, data, prior)[0]
    kinds = {"regions": tissues(case)}
    kinds |= {kind: blocks(first, data.mask, edge) for kind, edge in BLOCKS.items()}
    rows = RegionRows(case, kinds)
    errors, held = {}, {}
    for method, settings in HEAD_METHODS.items():
        images = image_of(method, settings, data, prior)
        errors[method] = measures(images.mean(0), case)["NRMSE"]
        rows.add(method, images)
        if len(images) > 1:
            held[method] = voxels_held(images, case)
    return {"scans": [{"seed": seed, "NRMSE": errors, "voxels": held, **rows.rows}]}


def tissues(case: Case) -> tuple[Region, ...]:
    """Return the tissues of a head: voxels of which more than half is one.

    Args:
        case: A head whose labels were kept.
    """
    assert case.labels is not None
    found = []
    for label, name in LABELS.items():
        inside = average((case.labels == label).astype(np.float32)) > 0.5
        inside &= case.mask
        if inside.sum() >= _LEAST:
            found.append(Region(name=name, inside=inside))
    return tuple(found)


def voxels_held(images: np.ndarray, case: Case) -> dict[str, float]:
    """Return level to the share of the head's voxels whose truth is where one more draw would be.

    Args:
        images: Draws, shape (draws, X, Y, Z).
        case: The head.
    """
    inside, truth = images[:, case.mask], case.truth[case.mask]
    mean, sd = inside.mean(0), inside.std(0, ddof=1)
    return {f"{level:g}": next_draw_share(truth, mean, sd, len(images), level) for level in LEVELS}
