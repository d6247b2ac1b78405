"""A small scan of two tracers, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tests.cli.study import save_nifti
from tests.separation.studies import DELAY, image, study

from betaplus.core.image import PetImage
from betaplus.core.tracer import Tracer
from betaplus.io.derivatives import write_blood, write_image, write_table
from betaplus.simulation.dual_study import DualStudy

FIELDS = {
    "InjectedRadioactivity": 400.0,
    "InjectedRadioactivityUnits": "MBq",
    "InjectionStart": 0.0,
    "ScanStart": 0.0,
    "TimeZero": "10:00:00",
    "TracerName": "FMZ",
    "TracerRadionuclide": "C11",
}
EDGE = 14


def scan() -> DualStudy:
    return study(EDGE, DELAY, "12")


def make_image(**changes: Any) -> PetImage:
    """The mixture, not decay-corrected."""
    tracer = Tracer.of("C11", name="FMZ")
    return image(scan(), **{"tracer": tracer, "metadata": FIELDS, **changes})


def write_study(folder: Path, **changes: Any) -> Path:
    """Write image, blood, mask and labels; return the image's path."""
    made = make_image(**changes)
    write_image(folder / "sub-01_pet.nii.gz", made)
    for name, blood in zip(("FMZ", "FDG"), scan().blood, strict=True):
        write_blood(folder / f"sub-01_trc-{name}_blood.tsv", blood)
    labels = scan().labels.astype(np.uint8)
    half = labels.copy()
    half[: EDGE // 2] = 0
    save_nifti(folder / "mask.nii.gz", (half > 0).astype(np.uint8), made.affine)
    save_nifti(folder / "labels.nii.gz", labels, made.affine)
    names = dict(scan().names)
    write_table(folder / "labels.tsv", {"index": list(names), "name": list(names.values())})
    return folder / "sub-01_pet.nii.gz"


def arguments(folder: Path, out: Path, *more: object) -> tuple[object, ...]:
    """Return what is typed after `betaplus`, with blood and what is quick to compute."""
    a, b = (folder / f"sub-01_trc-{name}_blood.tsv" for name in ("FMZ", "FDG"))
    first, second = scan().arrivals
    return (
        "separate", folder / "sub-01_pet.nii.gz", "--tracers", "FMZ,FDG", "--delay", DELAY,
        "--blood-a", a, "--blood-b", b, "--arrival-a", first, "--arrival-b", second,
        "-o", out, *more,
    )  # fmt: skip
