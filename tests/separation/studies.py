"""Small simulated scans of two tracers as images, with all that is true of them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from betaplus.core.image import PetImage
from betaplus.simulation.dual_study import DualStudy, draw_dual_person, draw_dual_study
from betaplus.simulation.dual_study.protocol import dual_protocol

PERSON = 900_300
TRACERS = "FMZ,FDG"
DELAY = 1200.0


@functools.cache
def study(
    edge: int = 24, delay: float = DELAY, schedule: str = "18", local: float = 1.0
) -> DualStudy:
    """A scan without lesions."""
    protocol = dual_protocol("FMZ", "FDG", delay, schedule=schedule, local=local)
    return draw_dual_study(draw_dual_person(PERSON), protocol, item=1, shape=(edge,) * 3, lesions=0)


def image(scan: DualStudy, **changes: Any) -> PetImage:
    """What is measured, not decay-corrected, 0 in air."""
    fields = {
        "data": np.where(scan.head[..., None], scan.mixture(), np.float32(0)),
        "affine": scan.affine,
        "unit": "Bq/mL",
        "frames": scan.frames,
        **changes,
    }
    return PetImage(**fields)
