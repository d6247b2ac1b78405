"""Rate constants of every voxel of a box, with lesions, and its frames without noise."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.seeds import generator
from betaplus.simulation.dynamic_study.kinetics import draw_tumour, influx
from betaplus.simulation.dynamic_study.person import LAST, Person, cut
from betaplus.simulation.dynamic_study.protocol import Protocol
from betaplus.simulation.fields import gaussian_field, sigma_of_fwhm
from betaplus.simulation.lesions import SITES, Lesion, Site, add_lesions
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.subject import PARAMETERS
from betaplus.simulation.uptake.regions import FAMILIES, family_of

__all__ = ["StudyLesion", "Tissue", "draw_tissue", "noise_free_frames"]

_DRAW = 72
_FINE = (10.0, 25.0)  # mm: as `simulation.uptake.paint`
_MOST = 3.5  # standard deviations
_SHARE = {"K1": 0.7, "k2": 0.5, "k3": 0.7, "k4": 0.3, "VB": 0.5}
"""SD of the logarithm of each parameter inside a region over that of its uptake; nominal."""
_VB_MOST = 0.98
_DIAMETER = (8.0, 30.0)  # mm
_COLD = 0.1  # of lesions
_BOX = 10_000_000  # from the lesions of one box to those of the next


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyLesion:
    """A lesion and its kinetics.

    Attributes:
        lesion: Where it is, and the voxels (flat indices of the box) it reaches into.
        kinetics: K1, k2, k3, k4, VB outside the core.
        core: Those of the dead core; None where there is none.
    """

    lesion: Lesion
    kinetics: Mapping[str, float]
    core: Mapping[str, float] | None

    @property
    def Ki(self) -> float:
        """K1 k3 / (k2 + k3) outside the core [mL/cm3/min]."""
        return _influx_of(self.kinetics)


@dataclass(frozen=True, eq=False, kw_only=True)
class Tissue:
    """A box of a person.

    Attributes:
        low: Its first voxel in the person's phantom; may lie outside.
        phantom: Its labels, lesions among them.
        beneath: Its labels without lesions.
        lesions: What was put into it.
        maps: K1, k2, k3, k4, VB, each shape (X, Y, Z) float32, of what a voxel is most of.
        Ki: True Ki, the mean of what is in a voxel, shape (X, Y, Z) float32.
    """

    low: tuple[int, int, int]
    phantom: Phantom
    beneath: Phantom
    lesions: tuple[StudyLesion, ...]
    maps: Mapping[str, np.ndarray]
    Ki: np.ndarray


def draw_tissue(
    person: Person,
    low: Sequence[int],
    shape: Sequence[int],
    *,
    item: int = 0,
    lesions: int | None = None,
    diameter: tuple[float, float] = _DIAMETER,
) -> Tissue:
    """Draw the variation within regions, and lesions, of a box.

    A parameter is its region's value times exp(w f - w^2 / 2) with f a smooth field of variance 1,
    so that the mean over a large region is the region's value.

    Args:
        person: Of whom it is a part.
        low: First voxel; may lie outside.
        shape: Of the box.
        item: Number of the box.
        lesions: How many; drawn if None.
        diameter: Range of theirs [mm]; log-uniform.
    """
    whole = person.phantom
    labels = cut(whole.labels, low, shape)
    affine = whole.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.asarray(low, dtype=float)
    here = set(np.unique(labels).tolist())
    beneath = Phantom(labels, affine, {i: n for i, n in whole.names.items() if i in here})
    maps = _textured(person, beneath, item)
    number = _BOX * item  # boxes of one person have lesions of their own
    ill, found = add_lesions(
        beneath, person.seed + number, lesions, sites=_sites(diameter), contrast=(2.0, 20.0)
    )
    put = tuple(_with_kinetics(person, lesion, number + n) for n, lesion in enumerate(found))
    Ki = influx(*(maps[p] for p in ("K1", "k2", "k3"))).astype(np.float32)
    for one in put:
        inside, share, dead, rest = _shares(one.lesion)
        core = 0.0 if one.core is None else _influx_of(one.core)
        Ki.reshape(-1)[inside] = rest * Ki.reshape(-1)[inside] + share * one.Ki + dead * core
    return Tissue(
        low=(int(low[0]), int(low[1]), int(low[2])),
        phantom=ill,
        beneath=beneath,
        lesions=put,
        maps=maps,
        Ki=Ki,
    )


def noise_free_frames(person: Person, tissue: Tissue, protocol: Protocol) -> np.ndarray:
    """Return the frame means of every voxel, shape (X, Y, Z, T) float32 [SUV].

    A voxel that is partly lesion has the mean of what is in it.
    """
    from betaplus.simulation.dynamic_study.response_table import ResponseTable

    shape = tissue.phantom.labels.shape
    whole = protocol.beds(person.phantom.labels.shape[2])
    slices = np.clip(tissue.low[2] + np.arange(shape[2]), 0, whole.size - 1)
    beds = whole[slices]
    out = np.zeros((*shape, len(protocol)), np.float32)
    held = tissue.beneath.labels > 0
    for bed in np.unique(beds):
        timing = protocol.timing(int(bed))
        table = ResponseTable(person.blood, LAST, timing, person.half_life)
        chosen = held & (beds == bed)
        values = {p: tissue.maps[p][chosen] for p in PARAMETERS}
        out[chosen] = table.frame_means(values) / np.float32(person.per_suv)
        for one in tissue.lesions:
            kinds = [one.kinetics, one.core or dict.fromkeys(PARAMETERS, 0.0)]
            values = {p: np.array([kind[p] for kind in kinds]) for p in PARAMETERS}
            alive, core = table.frame_means(values) / np.float32(person.per_suv)
            inside, share, dead, rest = _shares(one.lesion)
            here = beds[np.unravel_index(inside, shape)[2]] == bed
            rows = out.reshape(-1, len(protocol))
            rows[inside[here]] = (
                rest[here, None] * rows[inside[here]]
                + share[here, None] * alive
                + dead[here, None] * core
            )
    return out


def painted(tissue: Tissue) -> dict[str, np.ndarray]:
    """Return the maps with the lesions' parameters where a voxel is mostly lesion."""
    maps = {p: tissue.maps[p].copy() for p in PARAMETERS}
    for one in tissue.lesions:
        inside, share, dead, _ = _shares(one.lesion)
        for p in PARAMETERS:
            flat = maps[p].reshape(-1)
            flat[inside[share > 0.5]] = one.kinetics[p]
            if one.core is not None:
                flat[inside[dead > 0.5]] = one.core[p]
    return maps


def _textured(person: Person, phantom: Phantom, item: int) -> dict[str, np.ndarray]:
    rng = generator(person.seed, item=item, draw=_DRAW)
    fwhm = _FINE[0] * (_FINE[1] / _FINE[0]) ** rng.uniform()
    sigma = [sigma_of_fwhm(fwhm) / edge for edge in phantom.voxel_size]
    size = int(phantom.labels.max(initial=0)) + 1
    width = np.zeros(size, np.float32)
    for label, name in phantom.names.items():
        if label > 0:
            width[label] = FAMILIES[family_of(name)].texture
    maps = {}
    for p in PARAMETERS:
        value = np.zeros(size, np.float32)
        for label, name in phantom.names.items():
            if label > 0:
                value[label] = person.regions[name][p]
        field = gaussian_field(phantom.labels.shape, sigma, rng).astype(np.float32)
        w = _SHARE[p] * width[phantom.labels]
        varied = value[phantom.labels] * np.exp(w * np.clip(field, -_MOST, _MOST) - 0.5 * w**2)
        maps[p] = np.minimum(varied, np.float32(_VB_MOST)) if p == "VB" else varied
    return maps


def _sites(diameter: tuple[float, float]) -> dict[str, Site]:
    return {
        name: dataclasses.replace(site, diameter=diameter, cold=min(site.cold, _COLD))
        for name, site in SITES.items()
    }


def _with_kinetics(person: Person, lesion: Lesion, item: int) -> StudyLesion:
    """A cold lesion has its host's kinetics with less of K1, and so has a dead core."""
    host = person.regions[lesion.host]
    cold = lesion.contrast < 1.0
    core = None if lesion.core is None else _less(host, lesion.core)
    kinetics = _less(host, lesion.contrast) if cold else draw_tumour(person.seed, item)
    return StudyLesion(lesion=lesion, kinetics=kinetics, core=core)


def _less(host: Mapping[str, float], part: float) -> dict[str, float]:
    return {p: part * host[p] if p in ("K1", "VB") else host[p] for p in PARAMETERS}


def _influx_of(kinetics: Mapping[str, float]) -> float:
    return float(influx(*(np.float64(kinetics[p]) for p in ("K1", "k2", "k3"))))


def _shares(lesion: Lesion) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return lesion.voxels, lesion.share, lesion.dead, 1.0 - lesion.share - lesion.dead
