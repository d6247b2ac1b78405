"""A tiny dynamic scan that follows Patlak's line, as files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from tests.cli.study import save_nifti
from tests.patlak.scans import blood, maps, scan

from betaplus.core.image import PetImage
from betaplus.core.tracer import Tracer
from betaplus.io.derivatives import write_blood, write_image, write_table

SHAPE = (12, 10, 11)
FIELDS = {
    "InjectedRadioactivity": 300.0,
    "InjectedRadioactivityUnits": "MBq",
    "InjectionStart": 0.0,
    "ScanStart": 0.0,
    "TimeZero": "10:00:00",
    "BodyWeight": 75.0,
    "TracerName": "FDG",
    "TracerRadionuclide": "F18",
}


def truth() -> np.ndarray:
    """Ki and V0, shape (2, *SHAPE); 0 in the first plane of x."""
    found = maps(SHAPE)
    found[:, 0] = 0.0
    return found


def make_scan(**changes: Any) -> PetImage:
    """The scan, with noise of 10 % of each frame."""
    changes = {"tracer": Tracer.of("F18", name="FDG"), "metadata": FIELDS, **changes}
    return scan(truth(), noise=0.1, **changes)


def write_study(folder: Path, **changes: Any) -> Path:
    """Write image, blood, mask and labels; return the image's path."""
    image = make_scan(**changes)
    write_image(folder / "sub-01_pet.nii.gz", image)
    write_blood(folder / "sub-01_blood.tsv", dataclasses.replace(blood(), plasma_kind="total"))
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:-2, 2:-2, 2:-2] = 1
    save_nifti(folder / "mask.nii.gz", mask, image.affine)
    labels = np.where(np.arange(SHAPE[2]) < 5, 1, 4) * np.ones(SHAPE, np.uint8)
    save_nifti(folder / "labels.nii.gz", labels.astype(np.uint8), image.affine)
    write_table(folder / "labels.tsv", {"index": [1, 4], "name": ["low", "high"]})
    return folder / "sub-01_pet.nii.gz"


def arguments(folder: Path, out: Path, *more: object) -> tuple[object, ...]:
    """Return what is typed after `betaplus`."""
    source, samples = folder / "sub-01_pet.nii.gz", folder / "sub-01_blood.tsv"
    return ("patlak", source, "--blood", samples, "-o", out, "--t-star", "1200", *more)
