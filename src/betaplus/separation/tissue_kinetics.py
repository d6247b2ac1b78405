"""Kinetics of two tracers in the tissues of people: of regions, of voxels, and of altered tissue.

People differ, regions of a person differ less, and voxels of a region less again. Of a voxel both
tracers see one blood volume, and part of what moves K1 of one moves that of the other: perfusion.
Altered tissue, such as a lesion, has an uptake of its own: K1 and what holds the tracer, which is
k3, or 1 / k2 where there is one tissue compartment, change by about the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.simulation.subject import PARAMETERS, draw_region_kinetics
from betaplus.simulation.tracers import TracerProfile

__all__ = ["VB_MOST", "Kinetics", "TissueKinetics", "altered_logs", "draw_tissues", "voxel_logs"]

Kinetics = Mapping[str, np.ndarray]
"""K1 [mL/cm3/min], k2, k3, k4 [1/min] and VB by name, each shape (P x R,), person after person."""

_DRAW = 63
_APART = 1_000_003  # between the people of the first tracer's kinetics and of the second's
_WITHIN = {"K1": 0.10, "k2": 0.10, "k3": 0.12, "k4": 0.08, "VB": 0.12}
"""SD of the logarithm of a parameter inside a region; nominal."""
_FLOW = 0.6  # correlation of both tracers' K1 inside a region; nominal
VB_MOST = 0.98
"""Largest blood volume of a voxel."""
_CONTRAST = (
    0.25,
    5.0,
)  # of the uptake of altered tissue over that of the region
_APIECE = 0.15  # SD of the logarithm of what K1 and holding change beside that; nominal
_HOSTS = ("grey matter", "white matter")
_ONE_TISSUE = 1e-4  # 1/min: k3 below it


@dataclass(frozen=True, eq=False, kw_only=True)
class TissueKinetics:
    """Kinetics of P people in R regions.

    Attributes:
        names: Of the regions.
        regions: Of each tracer, what a region has as a whole.
        voxels: Of each tracer, one voxel of every region.
        altered: Of each tracer, altered tissue in every region.
        hosts: Numbers of the regions in which tissue may be altered.
    """

    names: tuple[str, ...]
    regions: tuple[Kinetics, Kinetics]
    voxels: tuple[Kinetics, Kinetics]
    altered: tuple[Kinetics, Kinetics]
    hosts: tuple[int, ...]


def draw_tissues(
    profiles: tuple[TracerProfile, TracerProfile], subjects: int, seed: int
) -> TissueKinetics:
    """Draw people.

    Args:
        profiles: Of both tracers.
        subjects: P, how many.
        seed: Chooses them.

    Raises:
        UsageError: If the tracers are not known in the same regions.
    """
    names = tuple(sorted(profiles[0].regions))
    if names != tuple(sorted(profiles[1].regions)):
        one, two = (p.tracer.name for p in profiles)
        raise UsageError(f"{one} and {two} are known in other regions", "expected the same")
    regions = []
    for i, profile in enumerate(profiles):
        people = [
            draw_region_kinetics(profile, seed * 7919 + i * _APART + n) for n in range(subjects)
        ]
        regions.append(
            {p: np.array([one[name][p] for one in people for name in names]) for p in PARAMETERS}
        )
    rng = generator(seed, item=0, draw=_DRAW)
    size = subjects * len(names)
    flow, blood = rng.standard_normal((2, size))
    voxels = []
    for values in regions:
        own = {p: rng.standard_normal(size) for p in ("K1", "k2", "k3", "k4")}
        own["K1"] = np.sqrt(_FLOW) * flow + np.sqrt(1.0 - _FLOW) * own["K1"]
        own["VB"] = blood
        varied = {
            p: values[p] * np.exp(w * own[p] - 0.5 * w * w)  # whose mean is the region's
            for p, w in _WITHIN.items()
        }
        voxels.append({**varied, "VB": np.minimum(varied["VB"], VB_MOST)})
    of = [profiles[0].regions[name].tissue for name in names]
    return TissueKinetics(
        names=names,
        regions=(regions[0], regions[1]),
        voxels=(voxels[0], voxels[1]),
        altered=(_altered(regions[0], rng), _altered(regions[1], rng)),
        hosts=tuple(r for r, tissue in enumerate(of) if tissue in _HOSTS),
    )


def _altered(values: Kinetics, rng: np.random.Generator) -> Kinetics:
    size = values["K1"].size
    low, high = np.log(_CONTRAST)
    root = 0.5 * rng.uniform(low, high, size)
    first, second = np.exp(root + _APIECE * rng.standard_normal((2, size)))
    one = values["k3"] < _ONE_TISSUE
    return {
        **values,
        "K1": values["K1"] * first,
        "k2": np.where(one, values["k2"] / second, values["k2"]),
        "k3": np.where(one, values["k3"], values["k3"] * second),
    }


def voxel_logs(drawn: np.ndarray) -> np.ndarray:
    """Return by how much kinetics of voxels depart from those of their region, in logarithms.

    Args:
        drawn: Normal numbers, shape (V, 10): what K1 of both tracers share, VB, then K1, k2, k3, k4
            of each alone.

    Returns:
        Of K1, k2, k3, k4, VB of each tracer, shape (2, V, 5).
    """
    width = np.array([_WITHIN[p] for p in PARAMETERS])
    out = np.empty((2, len(drawn), len(PARAMETERS)))
    for i in (0, 1):
        own = drawn[:, 2 + 4 * i : 6 + 4 * i]
        out[i, :, :4], out[i, :, 4] = own, drawn[:, 1]
        out[i, :, 0] = np.sqrt(_FLOW) * drawn[:, 0] + np.sqrt(1.0 - _FLOW) * own[:, 0]
    return out * width - 0.5 * width**2


def altered_logs(phi: np.ndarray, uniform: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Return logarithms of the kinetics of altered tissue, shape (2, V, R, 5).

    Args:
        phi: Of regions, shape (2, R, 5).
        uniform: Numbers of 0 to 1, shape (V, R): how much the uptake is altered, of both tracers.
        normal: Normal numbers, shape (2, V, R).
    """
    low, high = np.log(_CONTRAST)
    root = 0.5 * (low + (high - low) * uniform)
    first, second = root + _APIECE * normal
    out = np.repeat(phi[:, None], len(uniform), 1)
    one = np.exp(out[..., 2]) < _ONE_TISSUE
    out[..., 0] += first
    out[..., 1] -= np.where(one, second, 0.0)
    out[..., 2] += np.where(one, 0.0, second)
    return out
