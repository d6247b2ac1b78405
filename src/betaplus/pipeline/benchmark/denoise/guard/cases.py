"""Large parts of bodies, each with a place where a lesion is put into the image or left out.

A part is 384 mm of a body that no training saw, all across, with the lesions that the body has: one
around a place in the liver or the lungs, and one around a place in muscle or bone below the liver.
The one added is a sphere whose uptake is a multiple of what is around, seen by the same scanner
with the same noise: the noise is a factor on the mean image, whose SD the lesion changes as the
theory of the surrogate says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus.core.progress import Progress
from betaplus.core.seeds import generator

if TYPE_CHECKING:
    from betaplus.simulation.static import StaticScan

__all__ = ["CONTRAST", "DIAMETER", "DOSE", "SITES", "GuardCase", "make_cases", "read_cases"]

DOSE = 1 / 20
"""Fraction of the counts."""
DIAMETER = 12.0
"""Of the lesion [mm]."""
CONTRAST = 4.0
"""Uptake of the lesion over that around."""

SITES = ("liver", "lung", "muscle", "bone")
"""Where lesions are, in turn: liver or lung, and muscle or bone below the liver."""

_REGIONS = {
    "liver": ("Liver",),
    "lung": ("Lungs",),
    "muscle": ("Muscle",),
    "bone": ("RedMarrow", "CorticalBone"),
}
_INSIDE = {"liver": 12.0, "lung": 12.0, "muscle": 7.0, "bone": 5.0}  # mm: centre to what is not it
_LENGTH = 384.0  # mm
_EDGE = 48  # voxels of a box around a lesion, in which its image is made
_AROUND = 12.0  # mm: radius of what is called background
_BODY = 1e-3  # 1/mm: what attenuates is body
_AIR = 4  # voxels around it
_FINER = 5  # points along the edge of a voxel that tell how much of it is lesion
_DRAW = 73
_TRACERS = ("FDG", "FDG", "PSMA")


@dataclass(frozen=True, eq=False, kw_only=True)
class GuardCase:
    """A part of a body with and without a lesion; arrays of shape (X, Y, Z) float32 [SUV].

    Attributes:
        person: Number of the anatomy.
        site: Where the lesion is.
        scanner: Name of the style.
        tracer: The tracer.
        without: Noisy image without it.
        within: Noisy image with it.
        lesion: What it adds to the image without noise.
        clean: Image without noise, and without it.
        centre: Of the lesion [voxels].
        background: Uptake around it [SUV].
        voxel: Edge [mm].
    """

    person: int
    site: str
    scanner: str
    tracer: str
    without: np.ndarray
    within: np.ndarray
    lesion: np.ndarray
    clean: np.ndarray
    centre: tuple[float, float, float]
    background: float
    voxel: float


def make_cases(folder: Path, people: Sequence[int], voxel: float, progress: Progress) -> None:
    """Simulate the people that are not in a folder yet, two cases each.

    Args:
        folder: Where cases are kept.
        people: Numbers of the anatomies.
        voxel: Edge [mm].
        progress: What to report to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [p for p in people if not all(_file(folder, p, part).exists() for part in (0, 1))]
    if not wanted:
        return
    progress.start("bodies for the guard", len(wanted))
    for person in wanted:
        _make_person(folder, person, voxel)
        progress.advance()
    progress.finish()


def read_cases(folder: Path, person: int) -> list[GuardCase]:
    """Return the two cases of a person from `make_cases`."""
    cases = []
    for part in (0, 1):
        with np.load(_file(folder, person, part)) as file:
            about = json.loads(str(file["about"]))
            images = {name: file[name].astype(np.float32) for name in ("without", "clean")}
            box = tuple(slice(a, a + n) for a, n in zip(about.pop("low"), file["lesion"].shape,
                                                        strict=True))  # fmt: skip
            lesion = np.zeros_like(images["clean"])
            lesion[box] = file["lesion"]
            within = images["without"].copy()
            within[box] += file["change"]
        about["centre"] = tuple(about["centre"])
        cases.append(GuardCase(within=within, lesion=lesion, **images, **about))
    return cases


def _make_person(folder: Path, person: int, voxel: float) -> None:
    from betaplus.simulation.static import draw_static, make_anatomy
    from betaplus.simulation.surrogate.information import measure_information
    from betaplus.simulation.surrogate.styles import QUADRA, UEXPLORER

    tracer = _TRACERS[person % len(_TRACERS)]
    phantom = make_anatomy("body", person, voxel=voxel)
    scan = draw_static(phantom, tracer, person)
    style = (QUADRA, UEXPLORER)[person // 2 % 2]
    known = measure_information(scan.activity, scan.mu, phantom.voxel_size, style)
    for part in (0, 1):
        site = SITES[2 * part + person % 2]
        arrays, about = _case(scan, style, known, site, person)
        about |= {"person": person, "site": site, "scanner": style.name, "tracer": tracer}
        _write(_file(folder, person, part), arrays, about | {"voxel": voxel})


def _case(
    scan: StaticScan, style: Any, known: Any, site: str, person: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays of a case, and what else is known of it."""
    from betaplus.physics.blur import GaussianBlur
    from betaplus.simulation.surrogate.marginal import factors
    from betaplus.simulation.surrogate.surrogate import Surrogate

    voxel = scan.phantom.voxel_size
    edge = float(voxel[0])
    rng = generator(person, item=SITES.index(site), draw=_DRAW)
    middle = _place(scan, site, edge, rng)
    part = _part(scan, int(middle[2]), edge, rng)
    low = [s.start for s in part]
    seen = Surrogate(
        scan.activity[part], scan.mu[part], voxel, style, information=known,
        low=[start * edge for start in low],
    )  # fmt: skip
    noise, sd = seen.noise(seed=person), seen.linear_sd
    without = seen.apply(noise, DOSE)
    centre = middle - np.array(low) + rng.uniform(-0.5, 0.5, 3)
    shape = np.array(seen.shape)
    first = np.clip(np.rint(centre - _EDGE / 2).astype(int), 0, np.maximum(shape - _EDGE, 0))
    box = tuple(slice(a, min(a + _EDGE, n)) for a, n in zip(first, shape, strict=True))
    activity, mu = scan.activity[part][box], scan.mu[part][box]
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in activity.shape), indexing="ij"), -1)
    apart = np.linalg.norm((grid - (centre - first)) * edge, axis=-1)
    background = float(activity[apart < _AROUND].mean())
    share = _sphere(activity.shape, centre - first, edge)
    held = activity * (1.0 - share) + np.float32(CONTRAST * background) * share
    at = [(a + b) * edge for a, b in zip(low, first, strict=True)]
    two = [Surrogate(x, mu, voxel, style, information=known, low=at) for x in (activity, held)]
    lesion = two[1].mean - two[0].mean
    mean = seen.mean[box]
    ratio = two[1].linear_sd / np.maximum(two[0].linear_sd, 1e-6)
    less = np.float32(1.0 / np.sqrt(DOSE)) * sd[box]
    change = (mean + lesion) * factors(noise[box], less * ratio) - mean * factors(noise[box], less)
    blur = GaussianBlur(activity.shape, (edge, edge, edge), style.filter)
    arrays = {
        "without": without.astype(np.float16), "clean": seen.mean_image().astype(np.float16),
        "lesion": blur.forward(lesion), "change": blur.forward(change),
    }  # fmt: skip
    return arrays, {
        "low": [int(v) for v in first], "centre": [float(v) for v in centre],
        "background": background,
    }  # fmt: skip


def _place(scan: StaticScan, site: str, edge: float, rng: np.random.Generator) -> np.ndarray:
    """Return a voxel of a site, as far inside as a lesion should be, or as far as there is."""
    from scipy.ndimage import distance_transform_edt

    named = {name: label for label, name in scan.phantom.names.items()}
    labels = scan.phantom.labels
    inside = np.isin(labels, [named[name] for name in _REGIONS[site] if name in named])
    if site in ("muscle", "bone"):
        lowest = int(np.nonzero((labels == named["Liver"]).any((0, 1)))[0].min())
        inside[..., lowest:] = False
    depth = distance_transform_edt(inside) * edge
    enough = np.flatnonzero(depth >= min(_INSIDE[site], 0.9 * float(depth.max())))
    return np.array(np.unravel_index(rng.choice(enough), labels.shape))


def _part(scan: StaticScan, plane: int, edge: float, rng: np.random.Generator) -> tuple[slice, ...]:
    """Return a part of the body around a plane, all across."""
    body = scan.mu > _BODY
    planes = body.shape[2]
    length = min(round(_LENGTH / edge), planes)
    low = int(np.clip(plane - rng.uniform(0.25, 0.75) * length, 0, planes - length))
    part = [slice(None), slice(None), slice(low, low + length)]
    for axis in (0, 1):
        full = np.nonzero(body[..., part[2]].any((1 - axis, 2)))[0]
        first, last = int(full[0]) - _AIR, int(full[-1]) + 1 + _AIR
        part[axis] = slice(max(first, 0), min(last, body.shape[axis]))
    return tuple(part)


def _sphere(shape: Sequence[int], centre: np.ndarray, edge: float) -> np.ndarray:
    """Return the share of each voxel that is in the lesion, shape (X, Y, Z) float32."""
    offsets = (np.arange(_FINER) + 0.5) / _FINER - 0.5
    squares = [
        ((np.arange(n)[:, None] + offsets - c) * edge).ravel() ** 2
        for n, c in zip(shape, centre, strict=True)
    ]
    near = squares[0][:, None, None] + squares[1][:, None] + squares[2] <= (DIAMETER / 2) ** 2
    x, y, z = shape
    share = near.reshape(x, _FINER, y, _FINER, z, _FINER).mean((1, 3, 5), dtype=np.float32)
    return np.asarray(share, np.float32)


def _write(path: Path, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    from betaplus.generative.atomic import beside

    with beside(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, about=json.dumps(about), **arrays)


def _file(folder: Path, person: int, part: int) -> Path:
    return folder / f"guard{person:06d}_{part}.npz"
