"""A small study for each verb, and the command that works on it in many pieces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import betaplus

__all__ = ["COARSE", "OUT", "VERBS"]

OUT = Path("OUT")
"""Stands in a command for the output folder."""

COARSE = Path(betaplus.__file__).parent / "bundles" / "prior-brain2d-coarse-v1"
"""A prior that is quick."""


def _kinetics(folder: Path) -> tuple[object, ...]:
    from tests.cli.study import Study, write_study

    study = Study(write_study(folder, shape=(20, 16, 17), voxels=512 * 10 - 100))
    study.out = OUT
    return tuple(study.arguments("--save-draws", "--samples", 2))


def _denoise(folder: Path) -> tuple[object, ...]:
    from tests.denoising.cases import image, noisy, tiny_bundle

    from betaplus.io.derivatives import write_image

    tiny_bundle(folder)
    data = np.stack([noisy(seed, (40, 36, 32)) for seed in range(3)], -1)
    write_image(folder / "sub-01_pet.nii", image(data, decay_corrected_to=0.0))
    return (
        *("denoise", folder / "sub-01_pet.nii", "-o", OUT),
        *("--bundle", folder / "denoiser-body-v1", "--set", "tile=12", "--set", "overlap=4"),
    )


def _patlak(folder: Path) -> tuple[object, ...]:
    from tests.cli.patlak_study import arguments, write_study

    write_study(folder)
    more = ("--method", "hqs", "--anatomy", "body", "--set", "steps=30")
    return arguments(folder, OUT, *more)


def _separate(folder: Path) -> tuple[object, ...]:
    from tests.cli import separate_study as study

    study.EDGE = 28  # that there are several tiles
    study.write_study(folder)
    return study.arguments(folder, OUT, "--method", "inn", "--set", "tile=16", "--set", "overlap=8")


def _reconstruct(folder: Path) -> tuple[object, ...]:
    from tests.cli.test_reconstruct import scan, write_mu

    from betaplus.io.raw.store import write_raw

    write_raw(folder / "sub-01_raw.zarr", scan())
    write_mu(folder / "mu.nii.gz")
    return (
        *("reconstruct", folder / "sub-01_raw.zarr", "-o", OUT, "--mu", folder / "mu.nii.gz"),
        *("--bundle", COARSE, "--method", "dds", "--voxel", 6, "--matrix", 15, "--psf", 0),
        *("--subsets", 6, "--samples", 2, "--steps", 15, "--set", "inner=2"),
    )


VERBS: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "kinetics": _kinetics,
    "denoise": _denoise,
    "patlak": _patlak,
    "separate": _separate,
    "reconstruct": _reconstruct,
}
"""Verb to what writes its study into a folder and returns what is typed after ``betaplus``."""
