"""Simulated whole-body scans beside the medians of 1,371 real ones.

The statistic is the mean over the body of |v - G v|, with v = log(1 + SUV) on voxels of 1.65 mm and
G a Gaussian with a standard deviation of 2 voxels: how rough an image is, by noise and by anatomy.
Its median over the subjects of the Ultra-low-dose PET challenge was published for two scanners, at
dose reduction factors of 100 to 4 and at full dose (KUL, UDPET 2025). That the 2 voxels are a
standard deviation is our reading: with a full width of 2 voxels a body here, in the style that fits
otherwise, has 0.74 of the median at 1/100 and 0.35 of that at full dose, where anatomy counts.

Of each body four slabs, evenly spread from head to thighs, are made at 1.65 mm; attenuation and
information are those of the whole body. Bodies of `FITTED` were used for the constants of
`betaplus.simulation.surrogate.styles`, those of `CHECKED` were not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.simulation.surrogate.information import measure_information
from betaplus.simulation.surrogate.style import ScanStyle
from betaplus.simulation.surrogate.styles import QUADRA, UEXPLORER
from betaplus.simulation.surrogate.surrogate import Surrogate

__all__ = [
    "CHECKED",
    "FACTORS",
    "FITTED",
    "MEDIANS",
    "Slab",
    "WholeBody",
    "compare_real",
    "real_table",
    "roughness",
]

FACTORS = (100, 50, 20, 10, 4, 1)
"""Dose reduction factors; 1 is full dose."""

MEDIANS: Mapping[str, tuple[float, ...]] = {
    "Quadra": (0.1640, 0.1297, 0.0947, 0.0760, 0.0607, 0.0485),
    "uEXPLORER": (0.1801, 0.1243, 0.0838, 0.0672, 0.0534, 0.0432),
}
"""Scanner to the median of each factor."""

FITTED = (0, 1, 2, 3)
CHECKED = (4, 5, 6, 7)

_VOXEL = 1.65  # mm
_COARSE = 4.0  # mm, of the whole body
_WIDTH = 2.0  # standard deviation of G [voxels]
_SLABS = np.linspace(0.06, 0.94, 4)  # of the height
_SLICES = 34
_EDGE = 7  # slices at either end of a slab that are not counted
_MARGIN = 8.0  # mm of air around a slab


@dataclass(frozen=True, eq=False)
class Slab:
    """A part of a body.

    Attributes:
        activity: Shape (X, Y, Z) [SUV].
        inside: Which voxels are body, likewise.
        low: Centre of its first voxel from that of the whole body's first voxel [mm].
    """

    activity: np.ndarray
    inside: np.ndarray
    low: tuple[float, float, float]


class WholeBody:
    """The body of a seed with FDG: coarse as a whole, fine in slabs.

    Args:
        seed: Of body, uptake and texture.
    """

    def __init__(self, seed: int) -> None:
        from betaplus.simulation.static import draw_static

        self.seed = seed
        self.whole = draw_static("body", "FDG", seed, voxel=_COARSE, lesions=0)

    @cached_property
    def slabs(self) -> list[Slab]:
        """The slabs, from the thighs up."""
        return list(self._slabs())

    def _slabs(self) -> Iterator[Slab]:
        from betaplus.simulation.body.make import make_body
        from betaplus.simulation.static import draw_static

        labels, first = self.whole.phantom.labels, self.whole.phantom.affine[:3, 3]
        half = 0.5 * _SLICES * _VOXEL
        reach = int(np.ceil(half / _COARSE)) + 1
        for share in _SLABS:
            k = round(share * labels.shape[2])
            near = labels[:, :, max(k - reach, 0) : k + reach].any(2)
            spans = [np.flatnonzero(near.any(1 - axis))[[0, -1]] for axis in range(2)]
            corners = [first[axis] + _COARSE * spans[axis] for axis in range(2)]
            middle = first[2] + k * _COARSE
            low = [c[0] - _MARGIN for c in corners] + [middle - half]
            high = [c[1] + _MARGIN for c in corners] + [middle + half]
            phantom = make_body(self.seed, voxel=_VOXEL, low=low, high=high)
            scan = draw_static(phantom, "FDG", self.seed, lesions=0)
            x, y, z = phantom.affine[:3, 3] - first
            yield Slab(scan.activity, phantom.labels > 0, (float(x), float(y), float(z)))

    def roughness(self, style: ScanStyle, factors: Sequence[float] = FACTORS) -> np.ndarray:
        """Return the statistic at each dose reduction factor, and without noise at the end."""
        known = measure_information(
            self.whole.activity, self.whole.mu, (_COARSE,) * 3, style, sectors=1
        )
        total, count = np.zeros(len(factors) + 1), 0
        for n, slab in enumerate(self.slabs):
            made = Surrogate(
                slab.activity, slab.activity, (_VOXEL,) * 3, style, information=known, low=slab.low
            )
            inner = slab.inside.copy()
            inner[..., :_EDGE] = inner[..., inner.shape[2] - _EDGE :] = False
            noise = made.noise(seed=self.seed, draw=n)
            images = [made.apply(noise, 1.0 / factor) for factor in factors]
            found = [roughness(image, inner) for image in (*images, made.mean_image())]
            total += np.array(found) * inner.sum()
            count += int(inner.sum())
        return total / count


def roughness(suv: np.ndarray, body: np.ndarray, width: float = _WIDTH) -> float:
    """Return the mean over the body of |v - G v|, v = log(1 + SUV).

    Args:
        suv: Image, shape (X, Y, Z) [SUV].
        body: Voxels to count, likewise.
        width: Standard deviation of G [voxels].
    """
    from scipy.ndimage import gaussian_filter

    v = np.log1p(np.maximum(suv, 0.0))
    return float(np.abs(v - gaussian_filter(v, width))[body].mean(dtype=np.float64))


def compare_real(quick: bool = False, progress: Progress | None = None) -> dict[str, Any]:
    """Return the statistic of simulated bodies in both styles, beside the medians.

    Args:
        quick: One body of those checked.
        progress: What to report to.

    Returns:
        By scanner: ``medians`` of the real scans, ``fitted`` and ``checked`` medians over simulated
        bodies at `FACTORS`, ``ratio`` of the checked ones, and ``anatomy``, without noise.
    """
    progress = progress or Silent()
    groups = {"checked": CHECKED[:1]} if quick else {"fitted": FITTED, "checked": CHECKED}
    styles = (QUADRA, UEXPLORER)
    found: dict[str, dict[str, list[np.ndarray]]] = {s.name: {} for s in styles}
    for group, seeds in groups.items():
        for seed in seeds:
            body = WholeBody(seed)
            for style in styles:
                found[style.name].setdefault(group, []).append(body.roughness(style))
            progress.note(f"body {seed}")
    out: dict[str, Any] = {"factors": list(FACTORS)}
    for name, groups_found in found.items():
        medians = {g: np.median(values, axis=0) for g, values in groups_found.items()}
        out[name] = {
            "medians": list(MEDIANS[name]),
            **{group: m[:-1].tolist() for group, m in medians.items()},
            "ratio": (medians["checked"][:-1] / MEDIANS[name]).tolist(),
            "anatomy": float(medians["checked"][-1]),
        }
    return out


def real_table(result: Mapping[str, Any]) -> list[str]:
    """Return lines of Markdown for a result of `compare_real`."""
    lines = [
        "Roughness beside medians of 1,371 real scans (KUL, UDPET 2025), medians over simulated"
        " bodies:",
        "",
        "| scanner | | " + " | ".join(f"1/{f}" for f in result["factors"]) + " |",
        "|---|---|" + "---|" * len(result["factors"]),
    ]
    for name in MEDIANS:
        for key in ("medians", "fitted", "checked", "ratio"):
            if key in result[name]:
                label = {"medians": "real", "fitted": "bodies fitted", "checked": "other bodies"}
                digits = 2 if key == "ratio" else 4
                cells = " | ".join(f"{v:.{digits}f}" for v in result[name][key])
                lines.append(f"| {name} | {label.get(key, 'ratio')} | {cells} |")
    return lines
