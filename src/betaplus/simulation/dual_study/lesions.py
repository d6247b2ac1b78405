"""Lesions of a box that both tracers see, or only one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.simulation.dual_study.person import BRAIN
from betaplus.simulation.lesions.shape import Lesion, cover, draw_shape
from betaplus.simulation.phantom import Phantom

__all__ = ["KINDS", "LESION", "DualLesion", "draw_lesions"]

KINDS: Mapping[str, tuple[bool, bool]] = {
    "both": (True, True),
    "first": (True, False),
    "second": (False, True),
}
"""Which tracers see a lesion; ``first`` is the one that is injected first."""

LESION = "Lesion"
"""Region name of every lesion."""

_DRAW = 93
_TRIES = 30
_MOST = 15
_FEWEST = 0.5  # of a lesion's volume that must lie in brain, in view
_NUMBERS = (0.3, 0.3, 0.25, 0.15)  # how often a box has 0, 1, 2, 3; nominal
_COLD = 0.15  # of lesions
_COLD_CONTRAST = (0.2, 0.6)
_DIAMETER = (8.0, 26.0)  # mm
_ONE_TISSUE = 1e-4  # 1/min: k3 below it


@dataclass(frozen=True, eq=False, kw_only=True)
class DualLesion:
    """A lesion.

    Attributes:
        lesion: Where it is; voxels are flat indices of the box with its margin.
        kind: Of `KINDS`.
        kinetics: K1, k2, k3, k4, VB of each tracer; None for one that does not see it.
        contrast: About the uptake over that of the host; 1 for a tracer that does not see it.
    """

    lesion: Lesion
    kind: str
    kinetics: tuple[Mapping[str, float] | None, Mapping[str, float] | None]
    contrast: tuple[float, float]


def draw_lesions(
    phantom: Phantom,
    margin: Sequence[int],
    regions: Sequence[Mapping[str, Mapping[str, float]]],
    seed: int,
    item: int,
    *,
    number: int | None = None,
    kinds: Sequence[str] = tuple(KINDS),
    hot: tuple[float, float] = (1.6, 5.0),
    cold: float = _COLD,
    diameter: tuple[float, float] = _DIAMETER,
) -> tuple[DualLesion, ...]:
    """Draw the lesions of a box; where no place is found there is one fewer.

    Diameter and contrast are log-uniform. A lesion that a tracer sees has its host's kinetics with
    K1 and trapping (k3), or K1 and the volume of distribution (1 / k2) where there is one tissue
    compartment, each times the root of the contrast.

    Args:
        phantom: Label map of the box with its margin.
        margin: Voxels beyond the box along each axis; centres are inside the box.
        regions: Kinetics of every region, for each tracer.
        seed: Chooses them.
        item: Likewise.
        number: How many; drawn if None.
        kinds: What they are drawn from.
        hot: Range of the contrast of hot ones.
        cold: Share of cold ones.
        diameter: Range [mm].

    Raises:
        UsageError: If a kind is unknown or the number is out of range.
    """
    if not kinds or any(kind not in KINDS for kind in kinds):
        raise UsageError(f"lesions of kinds {', '.join(kinds)}", f"expected of {', '.join(KINDS)}")
    rng = generator(seed, item, _DRAW)
    at = rng.uniform()
    if number is None:
        number = int(np.searchsorted(np.cumsum(_NUMBERS)[:-1], at, "right"))
    if not 0 <= number <= _MOST:
        raise UsageError(f"{number} lesions", f"expected 0 to {_MOST}")
    hosts = {i for i, name in phantom.names.items() if name in BRAIN}
    brain = np.isin(phantom.labels, list(hosts))
    view = np.zeros_like(brain)
    inner = tuple(slice(m, n - m) for m, n in zip(margin, brain.shape, strict=True))
    view[inner] = brain[inner]
    centres = np.flatnonzero(view)
    taken = np.zeros(brain.size, dtype=bool)
    out: list[DualLesion] = []
    for i in range(number if centres.size else 0):
        own = generator(seed, item, _DRAW + 1 + 10_000 * (i + 1))
        lesion = _place(phantom, brain, view, centres, taken, diameter, own)
        if lesion is None:
            continue
        taken[lesion.voxels] = True
        out.append(_seen(lesion, regions, kinds, hot, cold, own))
    return tuple(out)


def _place(
    phantom: Phantom,
    brain: np.ndarray,
    view: np.ndarray,
    centres: np.ndarray,
    taken: np.ndarray,
    diameter: tuple[float, float],
    rng: np.random.Generator,
) -> Lesion | None:
    cell = abs(float(np.linalg.det(phantom.affine[:3, :3])))
    thickness = float((np.ptp(np.argwhere(view.any(axis=(0, 1)))) + 1) * phantom.voxel_size[2])
    for _ in range(_TRIES):
        width = float(diameter[0] * (diameter[1] / diameter[0]) ** rng.uniform())
        flat = int(centres[rng.integers(centres.size)])
        at = np.array(np.unravel_index(flat, brain.shape)) + rng.uniform(-0.5, 0.5, 3)
        centre = phantom.affine[:3, :3] @ at + phantom.affine[:3, 3]
        voxels, share, dead = cover(draw_shape(centre, width, False, rng), phantom)
        free = brain.reshape(-1)[voxels] & ~taken[voxels]
        seen = view.reshape(-1)[voxels] & free
        # a slice shows at most a disc of its own thickness
        whole = np.pi / 6.0 * width**3
        whole = min(whole, np.pi / 4.0 * width**2 * thickness)
        if cell * float(share[seen].sum()) < _FEWEST * whole:
            continue
        volume = cell * float(share[free].sum())
        return Lesion(
            site="brain",
            host=phantom.names[int(phantom.labels.reshape(-1)[flat])],
            centre=(float(centre[0]), float(centre[1]), float(centre[2])),
            diameter=float(np.cbrt(6.0 * volume / np.pi)),
            contrast=1.0,
            core=None,
            voxels=voxels[free],
            share=share[free],
            dead=dead[free],
        )
    return None


def _seen(
    lesion: Lesion,
    regions: Sequence[Mapping[str, Mapping[str, float]]],
    kinds: Sequence[str],
    hot: tuple[float, float],
    cold: float,
    rng: np.random.Generator,
) -> DualLesion:
    kind = kinds[int(rng.integers(len(kinds)))]
    contrast = []
    for sees in KINDS[kind]:
        low, high = _COLD_CONTRAST if rng.uniform() < cold else hot
        drawn = float(low * (high / low) ** rng.uniform())
        contrast.append(drawn if sees else 1.0)
    first, second = (
        _changed(r[lesion.host], c) if sees else None
        for r, c, sees in zip(regions, contrast, KINDS[kind], strict=True)
    )
    return DualLesion(
        lesion=lesion, kind=kind, kinetics=(first, second), contrast=(contrast[0], contrast[1])
    )


def _changed(host: Mapping[str, float], contrast: float) -> dict[str, float]:
    root = contrast**0.5
    out = {**host, "K1": host["K1"] * root}
    if host["k3"] < _ONE_TISSUE:
        # K1 / k2 is the volume of distribution: K1 has one root in it already
        out["k2"] = host["k2"] / root
    else:
        out["k3"] = host["k3"] * root
    return out
