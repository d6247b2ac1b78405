"""Activity of a head at work: frames of a tracer, region by region.

A voxel has the rate constants of its region, but a K1 of its own. Its curve is then exactly its
region's tissue curve times its share of K1, plus the region's blood: frames are made one at a time
from two numbers a region.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputFunction
from betaplus.core.seeds import generator
from betaplus.simulation.anatomy import LABELS
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.raw.head import Head
from betaplus.simulation.subject import PARAMETERS, draw_region_kinetics
from betaplus.simulation.tracers import TracerProfile

__all__ = ["STATIC_FRAME", "Subject", "draw_subject"]

STATIC_FRAME = (2400.0, 1200.0)
"""Start and duration of the one frame of a static scan [s after injection]: 40 to 60 minutes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Subject:
    """Curves of a person's regions.

    Attributes:
        frames: Frame timing from TimeZero = injection.
        regions: Region name to K1, k2, k3, k4, VB.
        blood: Blood samples, the true input.
        delay: Arrival at the brain after the blood sampler [s].
        tissue: Mean of each frame that tissue adds, by label, shape (labels, T) [Bq/mL],
            decay-corrected to injection.
        vessels: What blood in the voxel adds, likewise.
    """

    frames: FrameTiming
    regions: dict[str, dict[str, float]]
    blood: InputFunction
    delay: float
    tissue: np.ndarray
    vessels: np.ndarray

    def image(self, head: Head, frame: int) -> np.ndarray:
        """Return the mean of a frame [Bq/mL], decay-corrected to injection, shape (X, Y, Z)."""
        tissue = self.tissue[:, frame].astype(np.float32)
        vessels = self.vessels[:, frame].astype(np.float32)
        out = tissue[head.labels]
        out *= head.delivery
        out += vessels[head.labels]
        return out

    def maps(self, head: Head) -> dict[str, np.ndarray]:
        """Return K1, k2, k3, k4, VB of each voxel, each shape (X, Y, Z) float32; 0 in air."""
        out = {}
        for name in PARAMETERS:
            table = np.zeros(max(LABELS) + 1, dtype=np.float32)
            for label, region in LABELS.items():
                table[label] = self.regions[region][name]
            out[name] = table[head.labels]
        out["K1"] *= head.delivery
        return out


def draw_subject(profile: TracerProfile, frames: FrameTiming, seed: int) -> Subject:
    """Draw a person: kinetics, blood and delay are those of `simulate_dynamic` with that seed.

    Args:
        profile: The tracer.
        frames: Frame timing from injection.
        seed: Chooses the person.
    """
    from betaplus.physics.response import InputResponse
    from betaplus.simulation.dynamic import frame_means

    regions = draw_region_kinetics(profile, seed)
    rng = generator(seed, item=0, draw=5)
    end = float(frames.end[-1])
    blood = draw_blood(profile.blood, profile.activity_per_gram, end, rng)
    delay = float(rng.uniform(*profile.delay))
    response = InputResponse(blood.curve(end), frames, profile.tracer.half_life)
    values = {p: np.array([regions[name][p] for name in LABELS.values()]) for p in PARAMETERS}
    share = values.pop("VB")[:, None]
    none, all_blood = np.zeros(len(LABELS)), np.ones(len(LABELS))
    tissue, vessels = (np.zeros((max(LABELS) + 1, len(frames))) for _ in range(2))
    rows = list(LABELS)
    tissue[rows] = (1.0 - share) * frame_means(response, {**values, "VB": none}, delay)
    vessels[rows] = share * frame_means(response, {**values, "VB": all_blood}, delay)
    return Subject(
        frames=frames,
        regions=regions,
        blood=blood,
        delay=delay,
        tissue=np.maximum(tissue, 0.0),
        vessels=np.maximum(vessels, 0.0),
    )
