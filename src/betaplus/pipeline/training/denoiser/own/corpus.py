r"""Pairs in SUV on the grid of the network, kept on disk as float16.

What a low-dose image y is trained against must not share its noise. Of the counts of a full scan a
fraction f is in y, and so is its noise; the complement
.. math:: t = (x - f y) / (1 - f)
of the full-dose image x holds all others. It is not cut off at 0, which would make it too bright.
The grid is reached by a linear map, the same for both, which leaves them independent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.denoiser.own.pairs import Pair
from betaplus.pipeline.training.denoiser.own.plan import OwnPlan

__all__ = ["OwnScan", "complement", "import_pairs", "import_record", "own_scans", "read_pair"]

_SAME = 1e-3  # mm, of affines
_ACTIVITY = (0.8, 1.25)  # of a low-dose image over its target's, in SUV
_EQUAL = 0.05  # share by which durations of splits may differ


@dataclass(frozen=True, eq=False, kw_only=True)
class OwnScan:
    """A pair on disk.

    Attributes:
        file: Its voxels.
        edges: Of its voxels [mm].
        dose: Fraction of the counts.
        ratio: Variance of the target's noise over that of the input.
        width: How far the noise of the scan is correlated, for `measure_noise` [voxels].
        noise: 5th and 95th percentile of the noise level [SUV at 1 SUV].
        tracer: Name in the sidecar, or "".
        remarks: What was taken for granted.
    """

    file: Path
    edges: tuple[float, ...]
    dose: float
    ratio: float
    width: float
    noise: tuple[float, float]
    tracer: str
    remarks: tuple[str, ...]

    @cached_property
    def voxels(self) -> np.ndarray:
        """Input and target, shape (2, X, Y, Z) float16 [SUV], mapped and not read."""
        return np.load(self.file, mmap_mode="r")


def own_scans(corpus: Corpus) -> list[OwnScan]:
    """Return the pairs of a folder that `import_pairs` made."""
    scans = []
    for file in corpus.files:
        about = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        scans.append(
            OwnScan(
                file=file,
                edges=tuple(about["edges"]),
                dose=about["dose"],
                ratio=about["ratio"],
                width=about["width"],
                noise=tuple(about["noise"]),
                tracer=about["tracer"],
                remarks=tuple(about["remarks"]),
            )
        )
    return scans


def import_record(
    plan: OwnPlan, voxel: float, pairs: Sequence[Pair], folder: Path
) -> dict[str, Any]:
    """Return what decides the voxels of an import, for `fill_folder`.

    Args:
        plan: Of the run.
        voxel: Edge of the network's voxels [mm].
        pairs: What is to be read.
        folder: The user's, that they are under.
    """
    found = hashlib.sha256()
    for pair in pairs:
        for path in (pair.low, *pair.against):
            found.update(f"{path.relative_to(folder)} {path.stat().st_size} ".encode())
        found.update(f"{pair.dose!r}\n".encode())
    return {
        "own": True,
        "voxel": voxel,
        "nested": plan.nested,
        "images": found.hexdigest()[:12],
        "total": len(pairs),
    }


def complement(full: np.ndarray, low: np.ndarray, dose: float) -> np.ndarray:
    """Return what a full-dose image holds beyond a part of its counts.

    Args:
        full: Shape (X, Y, Z) [SUV].
        low: With the fraction `dose` of its counts, likewise.
        dose: In (0, 1).
    """
    f = np.float32(dose)
    return (full - f * low) / (np.float32(1.0) - f)


def import_pairs(
    folder: Path, pairs: Sequence[Pair], plan: OwnPlan, voxel: float, unit: str | None = None
) -> Iterator[int]:
    """Write the pairs that are not there yet; yields how many are done.

    Args:
        folder: Where they are kept.
        pairs: What is to be read.
        plan: Of the run.
        voxel: Edge of the network's voxels [mm].
        unit: Of the images whose sidecar does not say.

    Raises:
        InputError: If an image cannot be used; nothing of the import is then left.
    """
    from betaplus.generative.atomic import beside

    folder.mkdir(parents=True, exist_ok=True)
    try:
        for number, pair in enumerate(pairs):
            file = folder / f"own{pair.subject}_{number:04d}.npy"
            if not file.exists():
                voxels, about = read_pair(pair, plan, voxel, unit)
                file.with_suffix(".json").write_text(json.dumps(about) + "\n", encoding="utf-8")
                with beside(file) as temporary, temporary.open("wb") as handle:
                    np.save(handle, voxels)
            yield number + 1
    except InputError:
        for left in folder.glob("own*_*.json"):
            left.unlink()
        raise


def read_pair(
    pair: Pair, plan: OwnPlan, voxel: float, unit: str | None = None
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return a pair on the grid, shape (2, X, Y, Z) float16 [SUV], and what is known of it.

    Raises:
        InputError: If the images are on different grids, differ in activity, cannot become SUV, or
            are too small.
    """
    import torch

    from betaplus.denoising.level import noise_level
    from betaplus.denoising.noise import measure_noise
    from betaplus.denoising.resample import Resampler, check_voxels

    image, low, remarks = _read_suv(pair.low, unit)
    check_voxels(image.voxel_size, low.shape)
    target = np.zeros_like(low)
    for path in pair.against:
        other, values, more = _read_suv(path, unit)
        remarks += more
        _refuse_other_grid(image, other, pair.low.name, path.name)
        if pair.split:
            _refuse_other_time(image, other, pair.low.name, path.name)
        _refuse_other_activity(low, values, pair.low.name, path.name)
        target += values / np.float32(len(pair.against))
    if not pair.split and plan.nested:
        target = complement(target, low, pair.dose)
    resampler = Resampler(low.shape, image.voxel_size, voxel)
    if min(resampler.grid_shape) < plan.wide:
        raise InputError(
            f"{pair.low.name} has {' x '.join(map(str, resampler.grid_shape))} voxels of"
            f" {' x '.join(f'{edge:g}' for edge in resampler.grid_voxel)} mm",
            f"expected {plan.wide} or more along each axis",
            "set a smaller edge or margin in --config",
        )
    grids = resampler.down(torch.from_numpy(np.stack([low, target])[:, None]))
    noise = measure_noise(grids[:1])
    level = noise_level(noise)
    voxels = grids[:, 0].numpy().astype(np.float16)
    if not np.isfinite(voxels).all():
        raise InputError(f"{pair.low.name} holds SUV above 65504", "expected an image in SUV")
    about = {
        "edges": list(resampler.grid_voxel),
        "dose": pair.dose,
        "ratio": pair.ratio(plan.nested),
        "width": float(noise.width[0]),
        "noise": [level.low, level.high],
        "tracer": str(image.metadata.get("TracerName") or ""),
        "remarks": remarks,
    }
    return voxels, about


def _read_suv(path: Path, unit: str | None) -> tuple[PetImage, np.ndarray, list[str]]:
    """Return an image, its SUV of shape (X, Y, Z), and what was taken for granted."""
    from betaplus.denoising.voxels import check_values
    from betaplus.io.images import load_image
    from betaplus.io.suv import suv_conversion

    image = load_image(path, unit=unit)
    if image.n_frames != 1:
        raise InputError(f"{path.name} has {image.n_frames} frames", "expected one")
    conversion = suv_conversion(image, "SUVbw")
    check_values(image)
    values = np.asarray(image.data[...], np.float32).reshape(image.shape[:3])
    suv = values * np.float32(np.ravel(conversion.factor)[0])
    return image, suv, [*image.remarks, *conversion.remarks]


def _refuse_other_grid(low: PetImage, other: PetImage, name: str, against: str) -> None:
    apart = np.abs(low.affine - other.affine).max()
    if low.shape[:3] != other.shape[:3] or apart > _SAME:
        raise InputError(
            f"{name} and {against} are on different grids ({_grid(low)} and {_grid(other)})",
            "expected one shape and affine",
            "reconstruct them alike, or resample one",
        )


def _grid(image: PetImage) -> str:
    shape, edges = (tuple(found[:3]) for found in (image.shape, image.voxel_size))
    return f"{' x '.join(map(str, shape))} of {' x '.join(f'{v:.4g}' for v in edges)} mm"


def _refuse_other_time(low: PetImage, other: PetImage, name: str, against: str) -> None:
    if low.frames is None or other.frames is None:
        return
    first, second = (float(image.frames.duration.sum()) for image in (low, other) if image.frames)
    if abs(first - second) > _EQUAL * max(first, second):
        raise InputError(
            f"splits {name} and {against} last {first:g} s and {second:g} s", "expected equal times"
        )


def _refuse_other_activity(low: np.ndarray, other: np.ndarray, name: str, against: str) -> None:
    ratio = float(low.sum(dtype=np.float64) / other.sum(dtype=np.float64))
    if not _ACTIVITY[0] <= ratio <= _ACTIVITY[1]:
        raise InputError(
            f"{name} holds {ratio:.3g} times the SUV of {against}",
            "expected about the same: fewer counts are more noise, not less uptake",
            "scale it, or correct InjectedRadioactivity",
        )
