"""Rate constants of both tracers in every voxel of a box, and its frames before the scanner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.seeds import generator
from betaplus.simulation.dual_study.lesions import LESION, DualLesion, draw_lesions
from betaplus.simulation.dual_study.person import DualPerson
from betaplus.simulation.dual_study.rate_table import RateTable
from betaplus.simulation.dual_study.smoothing import smooth_field
from betaplus.simulation.dynamic_study.person import cut
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.subject import PARAMETERS

__all__ = ["BoxTissue", "draw_box", "frames_of"]

_DRAW = 94
_FWHM = (10.0, 25.0)  # mm: of the variation inside a region
_WITHIN = {"K1": 0.10, "k2": 0.10, "k3": 0.12, "k4": 0.08, "VB": 0.12}
"""SD of the logarithm of each parameter inside a region; nominal."""
_FLOW = 0.6  # correlation of K1 of the two tracers inside a region, by way of perfusion; nominal
_MOST = 3.5  # standard deviations
_VB_MOST = 0.98
_LABEL = 34  # of lesions


@dataclass(frozen=True, eq=False, kw_only=True)
class BoxTissue:
    """A box of a person, with its margin.

    Attributes:
        low: First voxel in the person's phantom; may lie outside.
        phantom: Labels, lesions among them.
        beneath: Labels without lesions.
        regions: Region to K1, k2, k3, k4, VB, for each tracer.
        maps: K1, k2, k3, k4, VB without lesions, each shape (X, Y, Z) float32, for each tracer.
        lesions: What was put into it.
    """

    low: tuple[int, int, int]
    phantom: Phantom
    beneath: Phantom
    regions: tuple[Mapping[str, Mapping[str, float]], Mapping[str, Mapping[str, float]]]
    maps: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]
    lesions: tuple[DualLesion, ...]

    def without_lesions(self) -> BoxTissue:
        """Return the same tissue without lesions."""
        return BoxTissue(
            low=self.low,
            phantom=self.beneath,
            beneath=self.beneath,
            regions=self.regions,
            maps=self.maps,
            lesions=(),
        )

    def painted(self, tracer: int) -> dict[str, np.ndarray]:
        """Return the maps of a tracer, of what a voxel is most of."""
        maps = {p: values.copy() for p, values in self.maps[tracer].items()}
        for one in self.lesions:
            kinetics = one.kinetics[tracer]
            if kinetics is None:
                continue
            mostly = one.lesion.voxels[one.lesion.share > 0.5]
            for p in PARAMETERS:
                maps[p].reshape(-1)[mostly] = kinetics[p]
        return maps


def draw_box(
    person: DualPerson,
    regions: tuple[Mapping[str, Mapping[str, float]], Mapping[str, Mapping[str, float]]],
    low: Sequence[int],
    shape: Sequence[int],
    margin: Sequence[int],
    *,
    item: int = 0,
    lesions: int | None = None,
    kinds: Sequence[str] = ("both", "first", "second"),
    hot: tuple[float, float] | None = None,
    cold: float = 0.15,
    diameter: tuple[float, float] = (8.0, 26.0),
) -> BoxTissue:
    """Draw the variation within regions, and lesions, of a box.

    A parameter is its region's value times exp(w f - w^2 / 2) with f a smooth field of variance 1.
    The tracers have one field for VB and share part of that for K1.

    Args:
        person: Of whom it is a part.
        regions: Kinetics of every region, for each tracer.
        low: First voxel of the box without its margin; may lie outside.
        shape: Of the box without its margin.
        margin: Voxels beyond it along each axis.
        item: Number of the scan.
        lesions: How many; drawn if None.
        kinds: Which tracers see them (`betaplus.simulation.dual_study.lesions.KINDS`).
        hot: Range of the contrast of hot lesions; the population's if None.
        cold: Share of cold lesions.
        diameter: Range of theirs [mm].
    """
    first = [int(a) - m for a, m in zip(low, margin, strict=True)]
    outer = [int(n) + 2 * m for n, m in zip(shape, margin, strict=True)]
    labels = cut(person.phantom.labels, first, outer)
    affine = person.phantom.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.asarray(first, dtype=float)
    here = set(np.unique(labels).tolist())
    names = {i: n for i, n in person.phantom.names.items() if i in here}
    beneath = Phantom(labels, affine, names)
    put = draw_lesions(
        beneath,
        margin,
        regions,
        person.seed,
        item,
        number=lesions,
        kinds=kinds,
        hot=person.population.lesions if hot is None else hot,
        cold=cold,
        diameter=diameter,
    )
    return BoxTissue(
        low=(first[0], first[1], first[2]),
        phantom=_with(beneath, put),
        beneath=beneath,
        regions=regions,
        maps=_varied(person, beneath, regions, item),
        lesions=put,
    )


def frames_of(tissue: BoxTissue, tracer: int, table: RateTable) -> np.ndarray:
    """Return the frame means of a tracer, shape (X, Y, Z, T) float32 [Bq/mL].

    A voxel that is partly lesion has the mean of what is in it.
    """
    labels = tissue.beneath.labels
    held = np.flatnonzero(labels)
    values = {p: tissue.maps[tracer][p].reshape(-1)[held] for p in PARAMETERS}
    means = table.frame_means(values)
    rows = np.zeros((labels.size, means.shape[1]), np.float32)
    rows[held] = means
    for one in tissue.lesions:
        kinetics = one.kinetics[tracer]
        if kinetics is None:
            continue
        own = table.frame_means({p: np.array([kinetics[p]]) for p in PARAMETERS})
        share = one.lesion.share.astype(np.float32)[:, None]
        rows[one.lesion.voxels] += share * (own - rows[one.lesion.voxels])
    return rows.reshape(*labels.shape, -1)


def _varied(
    person: DualPerson,
    phantom: Phantom,
    regions: Sequence[Mapping[str, Mapping[str, float]]],
    item: int,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = generator(person.seed, item, _DRAW)
    fwhm = float(_FWHM[0] * (_FWHM[1] / _FWHM[0]) ** rng.uniform())
    shape, voxel = phantom.labels.shape, phantom.voxel_size

    def new() -> np.ndarray:
        return np.clip(smooth_field(shape, voxel, fwhm, rng), -_MOST, _MOST)

    flow, vessels = new(), new()
    out = []
    for each in regions:
        own = {p: new() for p in ("K1", "k2", "k3", "k4")}
        own["K1"] = np.float32(_FLOW**0.5) * flow + np.float32((1 - _FLOW) ** 0.5) * own["K1"]
        own["VB"] = vessels
        maps = {}
        for p in PARAMETERS:
            value = np.zeros(int(phantom.labels.max(initial=0)) + 1, np.float32)
            for label, name in phantom.names.items():
                if label > 0:
                    value[label] = each[name][p]
            w = np.float32(_WITHIN[p])
            varied = value[phantom.labels] * np.exp(w * own[p] - np.float32(0.5) * w * w)
            maps[p] = np.minimum(varied, np.float32(_VB_MOST)) if p == "VB" else varied
        out.append(maps)
    return out[0], out[1]


def _with(phantom: Phantom, lesions: Sequence[DualLesion]) -> Phantom:
    if not lesions:
        return phantom
    label = _LABEL if _LABEL not in phantom.names else max(phantom.names) + 1
    labels = phantom.labels.copy()
    for one in lesions:
        labels.reshape(-1)[one.lesion.voxels[one.lesion.share > 0.5]] = label
    present = set(np.unique(labels).tolist())
    names = {i: n for i, n in {**phantom.names, label: LESION}.items() if i in present}
    return Phantom(labels, phantom.affine, names)
