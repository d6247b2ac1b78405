"""Lesions put into a phantom: how many, where, how large, how hot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.simulation.lesions.shape import Lesion, cover, draw_shape
from betaplus.simulation.lesions.sites import SITES, VESSELS, Site
from betaplus.simulation.phantom import Phantom

__all__ = ["LESION", "add_lesions", "draw_number"]

LESION = "Lesion"
"""Region name of every lesion."""

_LABEL = 34  # that of `BODY_LABELS`
_MOST = 15
_DRAW = 38
_TRIES = 40
_APART = 1.1  # times the sum of the radii
_COLD = (0.05, 0.5)
_DEAD = (0.1, 0.6)  # uptake of a core over the surroundings
_CORE_FROM = 16.0  # mm: smaller lesions have no core
_CORES = 0.35  # of the larger ones
_NODE_REACH = (5.0, 22.0)  # mm from a vessel's inside
_FEWEST = 0.25  # of a lesion's volume that must lie in tissue it may be in


def draw_number(phantom: Phantom, seed: int) -> int:
    """Return how many lesions a subject has: 0 to 15 in a body, few in a head.

    A fifth of the bodies and 70 % of the heads have none (nominal).
    """
    rng = generator(seed, item=0, draw=_DRAW - 1)
    at, number = rng.uniform(), rng.uniform()
    if "Liver" in phantom.names.values():
        return 0 if at < 0.2 else 1 + int(_MOST * number**1.6)
    return 0 if at < 0.7 else 1 + int(3 * number**2)


def add_lesions(
    phantom: Phantom,
    seed: int,
    number: int | None = None,
    *,
    contrast: tuple[float, float] = (2.0, 20.0),
    uptake: Mapping[str, float] | None = None,
    ceiling: float = 40.0,
    sites: Mapping[str, Site] = SITES,
) -> tuple[Phantom, tuple[Lesion, ...]]:
    """Put lesions into a phantom.

    Diameter and contrast are log-uniform. A lesion fills only tissue it may grow into, and no voxel
    of another: the size it is given back with is that of what was filled. A place that cannot hold
    one is tried elsewhere; where none is found there is one lesion fewer.

    Args:
        phantom: Label map without lesions.
        seed: Chooses them; a lesion does not depend on how many follow it.
        number: How many, 0 to 15; drawn if None.
        contrast: Range of the uptake over that of the surroundings; some are cold instead.
        uptake: Region to SUV, where `ceiling` is to hold.
        ceiling: Highest SUV of a lesion, as long as the contrast is at least the lowest.
        sites: Where lesions may be.

    Returns:
        The phantom with the label "Lesion" in every voxel that is mostly lesion, and the lesions.

    Raises:
        UsageError: If the number is out of range.
    """
    number = draw_number(phantom, seed) if number is None else number
    if not 0 <= number <= _MOST:
        raise UsageError(f"{number} lesions", f"expected 0 to {_MOST}")
    index = {name: label for label, name in phantom.names.items()}
    held = {k: s for k, s in sites.items() if any(h in index for h in s.hosts)}
    if number == 0 or not held:
        return phantom, ()
    label = index.get(LESION, _LABEL if _LABEL not in phantom.names else max(phantom.names) + 1)
    places = _Places(phantom, index)
    labels = phantom.labels.copy()
    lesions: list[Lesion] = []
    taken = np.zeros(labels.size, dtype=bool)
    for i in range(number):
        rng = generator(seed, item=i, draw=_DRAW)
        lesion = _draw(phantom, places, held, lesions, taken, contrast, uptake, ceiling, rng)
        if lesion is not None:
            taken[lesion.voxels] = True
            labels.reshape(-1)[lesion.voxels[lesion.share + lesion.dead > 0.5]] = label
            lesions.append(lesion)
    present = set(np.unique(labels).tolist())
    names = {k: v for k, v in {**phantom.names, label: LESION}.items() if k in present}
    return Phantom(labels, phantom.affine, names), tuple(lesions)


class _Places:
    """Voxels of regions, found once."""

    def __init__(self, phantom: Phantom, index: Mapping[str, int]) -> None:
        self._phantom = phantom
        self._index = index
        self._found: dict[tuple[str, ...], np.ndarray] = {}

    def labels(self, names: Sequence[str]) -> list[int]:
        return [self._index[name] for name in names if name in self._index]

    def voxels(self, names: tuple[str, ...]) -> np.ndarray:
        """Return flat indices of the voxels of regions."""
        if names not in self._found:
            table = np.zeros(int(self._phantom.labels.max()) + 1, dtype=bool)
            table[[label for label in self.labels(names) if label < table.size]] = True
            self._found[names] = np.flatnonzero(table[self._phantom.labels])
        return self._found[names]

    def pick(self, names: tuple[str, ...], rng: np.random.Generator) -> np.ndarray | None:
        """Return a random point of regions [mm]."""
        voxels = self.voxels(names)
        if voxels.size == 0:
            return None
        at = np.unravel_index(int(voxels[rng.integers(voxels.size)]), self._phantom.labels.shape)
        inside = np.array(at) + rng.uniform(-0.5, 0.5, 3)
        return np.asarray(self._phantom.affine[:3, :3] @ inside + self._phantom.affine[:3, 3])

    def region(self, point: np.ndarray) -> str:
        """Return the region at a point [mm]; "" outside."""
        affine = self._phantom.affine
        at = np.rint(np.linalg.solve(affine[:3, :3], point - affine[:3, 3])).astype(int)
        if (at < 0).any() or (at >= self._phantom.labels.shape).any():
            return ""
        return self._phantom.names.get(int(self._phantom.labels[tuple(at)]), "")


def _draw(
    phantom: Phantom,
    places: _Places,
    sites: Mapping[str, Site],
    others: Sequence[Lesion],
    taken: np.ndarray,
    contrast: tuple[float, float],
    uptake: Mapping[str, float] | None,
    ceiling: float,
    rng: np.random.Generator,
) -> Lesion | None:
    weights = np.cumsum([site.weight for site in sites.values()])
    for _ in range(_TRIES):
        kind = list(sites)[int(np.searchsorted(weights, rng.uniform(0, weights[-1]), "right"))]
        site = sites[kind]
        diameter = _log_uniform(site.diameter, rng)
        cold = rng.uniform() < site.cold
        has_core = diameter > _CORE_FROM and not cold and rng.uniform() < _CORES
        scores = rng.uniform(size=2)
        centre = _centre(places, site, rng)
        if centre is None or _touches(centre, diameter, others):
            continue
        host = places.region(centre)
        shape = draw_shape(centre, diameter, has_core, rng)
        voxels, share, dead = cover(shape, phantom)
        free = np.isin(
            phantom.labels.reshape(-1)[voxels], places.labels((host, *site.hosts, *site.within))
        )
        free &= ~taken[voxels]
        voxels, share, dead = voxels[free], share[free], dead[free]
        volume = float((share + dead).sum()) * abs(np.linalg.det(phantom.affine[:3, :3]))
        if volume < _FEWEST * np.pi / 6.0 * diameter**3:
            continue
        low, high = _COLD if cold else contrast
        if not cold and uptake is not None and uptake.get(host, 0.0) > 0:
            high = min(high, max(ceiling / uptake[host], low))
        return Lesion(
            site=kind,
            host=host,
            centre=(float(centre[0]), float(centre[1]), float(centre[2])),
            diameter=float(np.cbrt(6.0 * volume / np.pi)),
            contrast=float(low * (high / low) ** scores[0]),
            core=float(_DEAD[0] * (_DEAD[1] / _DEAD[0]) ** scores[1]) if has_core else None,
            voxels=voxels,
            share=share,
            dead=dead,
        )
    return None


def _centre(places: _Places, site: Site, rng: np.random.Generator) -> np.ndarray | None:
    if not site.along_vessels:
        return places.pick(site.hosts, rng)
    vessel = places.pick(VESSELS, rng)
    if vessel is None:
        return None
    direction = rng.standard_normal(3)
    centre = vessel + rng.uniform(*_NODE_REACH) * direction / np.linalg.norm(direction)
    return centre if places.region(centre) in site.hosts else None


def _touches(centre: np.ndarray, diameter: float, others: Sequence[Lesion]) -> bool:
    return any(
        np.linalg.norm(centre - other.centre) < _APART * 0.5 * (diameter + other.diameter)
        for other in others
    )


def _log_uniform(limits: tuple[float, float], rng: np.random.Generator) -> float:
    low, high = limits
    return float(low * (high / low) ** rng.uniform())
