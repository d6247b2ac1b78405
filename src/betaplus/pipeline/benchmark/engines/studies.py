"""Simulated studies that take a verb about a minute in one thread."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

__all__ = ["STUDIES"]


def _kinetics(folder: Path, quick: bool) -> list[str]:
    from betaplus.simulation import simulate_dynamic

    simulate_dynamic(folder, size="small")
    mask = ["--mask", str(_box(folder, 6))] if quick else []
    blood = folder / "sub-01_recording-manual_blood.tsv"
    return [str(folder / "sub-01_pet.nii.gz"), "--blood", str(blood), *mask]


def _patlak(folder: Path, quick: bool) -> list[str]:
    from betaplus.pipeline.benchmark.patlak.memory.torso import T_STAR, write_torso

    edge = 32 if quick else 128
    source, samples = write_torso(folder, (edge,) * 3, 4.0, 24, "nii.gz")
    return [
        *(str(source), "--blood", str(samples), "--t-star", f"{T_STAR:g}"),
        *("--method", "hqs", "--anatomy", "body"),
    ]


def _separate(folder: Path, quick: bool) -> list[str]:
    from betaplus.pipeline.benchmark.separate.speed import write_scan

    shape, tile = ((24, 24, 16), 16) if quick else ((96, 96, 48), 48)
    more = ("--method", "inn", "--set", f"tile={tile}", "--set", f"overlap={tile // 2}")
    return [*write_scan(folder, shape), *more]


def _denoise(folder: Path, quick: bool) -> list[str]:
    from betaplus.core.frames import FrameTiming
    from betaplus.io.derivatives import write_image
    from betaplus.pipeline.benchmark.denoise.speed.run import analytic_body

    shape, frames = ((48, 72, 64), 1) if quick else ((160, 240, 240), 3)
    drawn = [analytic_body(shape, 1.65, seed) for seed in range(frames)]
    image = dataclasses.replace(
        drawn[0],
        data=np.stack([one.data for one in drawn], -1),
        frames=FrameTiming.from_durations(np.full(frames, 300.0)),
        decay_corrected_to=0.0,
    )
    source = folder / "sub-01_pet.nii.gz"
    write_image(source, image)
    return [str(source)]


def _reconstruct(folder: Path, quick: bool) -> list[str]:
    from betaplus.simulation.raw.simulate import simulate_raw

    simulate_raw(folder)
    few = ("--steps", "3") if quick else ()
    return [str(folder / "sub-01_raw.zarr"), "--method", "dds", "--samples", "4", *few]


def _box(folder: Path, edge: int) -> Path:
    """Write a mask of a box in the middle of a study's image."""
    from betaplus.io.derivatives import write_map
    from betaplus.io.open import load

    image = load(folder / "sub-01_pet.nii.gz")
    mask = np.zeros(image.shape[:3], np.float32)
    mask[tuple(slice(n // 2 - edge // 2, n // 2 + edge // 2) for n in mask.shape)] = 1.0
    path = folder / "mask.nii.gz"
    write_map(path, mask, image, {"Units": "1"})
    return path


STUDIES: dict[str, Callable[[Path, bool], list[str]]] = {
    "kinetics": _kinetics,
    "patlak": _patlak,
    "separate": _separate,
    "denoise": _denoise,
    "reconstruct": _reconstruct,
}
"""Verb to what writes its study into a folder and returns what is typed after it.

The second argument asks for one that takes seconds.
"""
