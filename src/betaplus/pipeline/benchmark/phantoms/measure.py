"""Volumes, uptake and likeness of simulated people, each beside what is known of real ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static import StaticScan

__all__ = [
    "Lattice",
    "in_view",
    "likeness",
    "region_suv",
    "region_volumes",
    "spread",
    "uptake_rows",
    "volume_row",
]

TOLERANCE = 0.2
"""How far a median may be from its reference before it is called out."""


def region_volumes(phantom: Phantom, parts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return the volume of parts made up of regions [mL]; 0 where none of them is there."""
    counts = np.bincount(phantom.labels.ravel(), minlength=256)
    millilitres = abs(np.linalg.det(phantom.affine[:3, :3])) / 1000.0
    each = {name: float(counts[label]) * millilitres for label, name in phantom.names.items()}
    return {part: sum(each.get(n, 0.0) for n in names) for part, names in parts.items()}


def spread(values: Iterable[float]) -> dict[str, float]:
    """Return median, 5 and 95 %, coefficient of variation and SD of the logarithm of volumes."""
    found = np.asarray(list(values), dtype=np.float64)
    low, middle, high = np.quantile(found, (0.05, 0.5, 0.95))
    positive = found[found > 0]
    return {
        "n": int(found.size),
        "low": float(low),
        "median": float(middle),
        "high": float(high),
        "cv": float(found.std() / found.mean()) if found.any() else 0.0,
        "log_sd": float(np.log(positive).std()) if positive.size else 0.0,
    }


def volume_row(
    values: Iterable[float],
    reference: tuple[float, float],
    known_spread: tuple[float, float] | None,
) -> dict[str, Any]:
    """Return the spread of volumes, and the ratio of their median to the nearest reference.

    Args:
        values: Of people [mL].
        reference: Least and largest published mean [mL]; the ratio is 1 between them.
        known_spread: Published spread, kept as it is.
    """
    row: dict[str, Any] = spread(values)
    nearest = float(np.clip(row["median"], *reference))
    row |= {"reference": list(reference), "ratio": row["median"] / nearest}
    row["outside"] = abs(row["ratio"] - 1.0) > TOLERANCE
    row["reference_spread"] = None if known_spread is None else list(known_spread)
    return row


def region_suv(scan: StaticScan) -> dict[str, float]:
    """Return the mean SUV of each region over the voxels that no lesion is in."""
    labels = scan.phantom.labels.ravel()
    healthy = np.ones(labels.size, dtype=bool)
    for lesion in scan.lesions:
        healthy[lesion.voxels] = False
    count = np.bincount(labels[healthy], minlength=256)
    total = np.bincount(labels[healthy], scan.activity.ravel()[healthy], minlength=256)
    return {
        name: float(total[label] / count[label])
        for label, name in scan.phantom.names.items()
        if count[label] and name in scan.uptake
    }


def in_view(scan: StaticScan) -> float:
    """Return the share of the injected activity that the image holds."""
    litres = abs(np.linalg.det(scan.phantom.affine[:3, :3])) / 1e6
    return float(scan.activity.sum(dtype=np.float64)) * litres / scan.weight


def uptake_rows(
    people: Sequence[tuple[str, Mapping[str, float]]],
    tables: Mapping[str, Mapping[str, tuple[float, float, float]]],
) -> list[dict[str, Any]]:
    """Return a row for each region of a tracer: SUV over people beside the table's quantiles.

    Groups of people have rows of their own where their tables differ.

    Args:
        people: Group and SUV of each region, of each person.
        tables: Group to region to quantiles.
    """
    regions = dict.fromkeys(name for _, suv in people for name in suv)
    rows = []
    for region in regions:
        apart = len({table[region] for table in tables.values()}) > 1
        for group in tables if apart else ("all",):
            values = [suv[region] for of, suv in people if region in suv and group in (of, "all")]
            known = tables[group if apart else next(iter(tables))][region]
            if not values or known[1] <= 0:
                continue
            found = np.asarray(values)
            rows.append(
                {
                    "region": region,
                    "group": group,
                    **spread(values),
                    "table": list(known),
                    "ratio": float(np.median(found)) / known[1],
                    "inside": float(np.mean((found >= known[0]) & (found <= known[2]))),
                }
            )
    return rows


class Lattice:
    """Label maps of several people on one grid, coarser where they are many.

    Voxels of all phantoms must lie on one lattice through the world.

    Args:
        step: Voxels from one that is kept to the next.
    """

    def __init__(self, step: int = 1) -> None:
        self.step = step
        self._maps: list[tuple[np.ndarray, np.ndarray]] = []
        self.names: dict[int, str] = {}

    def add(self, phantom: Phantom) -> None:
        """Keep a phantom's labels."""
        at = phantom.affine[:3, 3] / np.asarray(phantom.voxel_size) - 0.5
        index = np.floor(at + 1e-6).astype(int)
        first = -index % self.step
        kept = phantom.labels[tuple(slice(f, None, self.step) for f in first)].copy()
        self._maps.append(((index + first) // self.step, kept))
        self.names |= phantom.names

    def maps(self) -> np.ndarray:
        """Return all labels on the smallest grid that holds them, shape (N, X, Y, Z)."""
        low = np.min([first for first, _ in self._maps], axis=0)
        high = np.max([first + kept.shape for first, kept in self._maps], axis=0)
        out = np.zeros((len(self._maps), *(high - low)), dtype=np.uint8)
        for image, (first, kept) in zip(out, self._maps, strict=True):
            image[tuple(slice(f, f + n) for f, n in zip(first - low, kept.shape, strict=True))] = (
                kept
            )
        return out


def likeness(
    maps: np.ndarray, names: Mapping[int, str], parts: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return how alike people's label maps are, over all pairs; nobody is moved onto another.

    Args:
        maps: Labels, shape (N, X, Y, Z), N over 1.
        names: Label to region.
        parts: Part to the regions that make it up.

    Returns:
        ``same``: share of the voxels that are in either person whose label is the same in both,
        mean over pairs; ``closest``: the same of the pair that is most alike, ``pair``; ``dice``:
        part to its mean Dice coefficient.
    """
    pairs = list(itertools.combinations(range(len(maps)), 2))
    same = []
    for i, j in pairs:
        either = np.count_nonzero(maps[i] | maps[j])
        same.append(np.count_nonzero((maps[i] == maps[j]) & (maps[i] > 0)) / max(either, 1))
    dice = {}
    for part, regions in parts.items():
        table = np.zeros(256, dtype=bool)
        table[[label for label, name in names.items() if name in regions]] = True
        masks = table[maps]
        sizes = masks.sum(axis=(1, 2, 3))
        dice[part] = float(
            np.mean(
                [
                    2.0 * np.count_nonzero(masks[i] & masks[j]) / max(sizes[i] + sizes[j], 1)
                    for i, j in pairs
                ]
            )
        )
    most = int(np.argmax(same))
    return {
        "pairs": len(pairs),
        "same": float(np.mean(same)),
        "closest": float(same[most]),
        "pair": list(pairs[most]),
        "dice": dice,
    }
