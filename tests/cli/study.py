"""A small study in PET-BIDS files: dynamic image, curves, blood, mask and labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputFunction
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer
from betaplus.io.derivatives import write_blood, write_image, write_table, write_tacs
from betaplus.physics.response import InputResponse
from betaplus.simulation.curves import draw_tacs

FRAMES = FrameTiming.from_durations([10] * 6 + [20] * 6 + [60] * 4 + [180] * 4 + [300] * 6)
TRACER = Tracer.of("F18", name="FDG")
AFFINE = np.diag([4.0, 4.0, 5.0, 1.0])
CHEAP = [
    *("--set", "coarse=64", "--set", "pilot=64", "--set", "fine=64"),
    *("--set", "largest=64", "--set", "least_ess=0", "--delay", "0"),
]
"""A fit that is quick and poor."""


def make_blood() -> InputFunction:
    """Samples of a bolus over the whole scan."""
    time = np.concatenate([np.arange(0, 120, 6.0), np.geomspace(120, FRAMES.end[-1], 16)])
    x = np.maximum(time - 12, 0) / 60
    whole = 6e4 * (x * np.exp(-5 * x) * 6 + 0.3 * (1 - np.exp(-3 * x)) * np.exp(-0.03 * x))
    fraction = 0.55 + 0.45 * np.exp(-x / 15)
    return InputFunction(
        time=time, plasma=1.1 * whole, whole_blood=whole, parent_fraction=fraction, unit="Bq/mL"
    )


def write_study(folder: Path, shape: tuple[int, int, int], voxels: int, seed: int = 3) -> Path:
    """Write the study; the first `voxels` voxels hold curves, the others are 0."""
    blood = make_blood()
    response = InputResponse(blood.curve(float(FRAMES.end[-1])), FRAMES, TRACER.half_life)
    _, _, curves = draw_tacs(response, n=voxels, seed=seed)
    data = np.zeros((*shape, len(FRAMES)), dtype=np.float32)
    data.reshape(-1, len(FRAMES))[:voxels] = curves
    image = PetImage(
        data=data,
        affine=AFFINE,
        frames=FRAMES,
        unit="Bq/mL",
        tracer=TRACER,
        decay_corrected_to=0.0,
        metadata={"TimeZero": "10:00:00", "ScanStart": 0.0},
    )
    write_image(folder / "sub-01_pet.nii.gz", image)
    write_blood(folder / "sub-01_blood.tsv", blood)
    table = TacTable(
        values=curves[:3],
        frames=FRAMES,
        unit="Bq/mL",
        names=("left", "right", "middle"),
        tracer=TRACER,
        metadata={"InjectionStart": 0.0},
    )
    write_tacs(folder / "sub-01_tacs.tsv", table)
    mask = np.zeros(shape, dtype=np.uint8)
    mask.reshape(-1)[:40] = 1
    save_nifti(folder / "mask.nii.gz", mask)
    labels = np.zeros(shape, dtype=np.uint8)
    labels.reshape(-1)[:20], labels.reshape(-1)[20:60] = 1, 5
    save_nifti(folder / "labels.nii.gz", labels)
    write_table(folder / "labels.tsv", {"index": [1, 5], "name": ["front", "back"]})
    return folder


def save_nifti(path: Path, values: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    """Write an image without a sidecar."""
    image = nibabel.Nifti1Image(values, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)


class Study:
    """The files of a study, ways to spoil them, and the command that analyses it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pet = folder / "sub-01_pet.nii.gz"
        self.pet_json = folder / "sub-01_pet.json"
        self.tacs = folder / "sub-01_tacs.tsv"
        self.tacs_json = folder / "sub-01_tacs.json"
        self.blood = folder / "sub-01_blood.tsv"
        self.blood_json = folder / "sub-01_blood.json"
        self.mask = folder / "mask.nii.gz"
        self.labels = folder / "labels.nii.gz"
        self.out = folder.parent / "out"
        self.source = self.pet
        self.effort = CHEAP

    def arguments(self, *more: object) -> list[object]:
        """Return the arguments of `betaplus kinetics` on this study, quick and poor."""
        return [
            *("kinetics", self.source, "--blood", self.blood, "-o", self.out),
            *("--no-report", "--quiet", *self.effort, *more),
        ]

    def edit_json(self, path: Path, **fields: Any) -> None:
        """Set fields of a JSON; None removes one."""
        content = {**json.loads(path.read_text()), **fields}
        kept = {k: v for k, v in content.items() if v is not None}
        path.write_text(json.dumps(kept))

    def fields(self, path: Path) -> dict[str, Any]:
        """Return what a JSON holds."""
        return json.loads(path.read_text())

    def edit_rows(self, path: Path, change: Callable[[list[dict[str, str]]], Any]) -> None:
        """Change the rows of a table, each a mapping of column to text, in place."""
        lines = path.read_text().splitlines()
        names = lines[0].split("\t")
        rows = [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]
        rows = change(rows) or rows
        text = ["\t".join(row[n] for n in names) for row in rows]
        path.write_text("\n".join([lines[0], *text]) + "\n")

    def edit_voxels(self, change: Callable[[np.ndarray], Any]) -> None:
        """Change the voxels of the image, in place or by returning others."""
        values = np.asarray(nibabel.load(self.pet).dataobj).copy()
        changed = change(values)
        save_nifti(self.pet, values if changed is None else changed)

    def edit_column(self, path: Path, name: str, change: Callable[[float], float]) -> None:
        """Change every number of one column."""

        def rows(table: list[dict[str, str]]) -> None:
            for row in table:
                row[name] = repr(change(float(row[name])))

        self.edit_rows(path, rows)


def tree(folder: Path) -> dict[str, str]:
    """Return every path under a folder with a hash of its content."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        )
        for path in sorted(folder.rglob("*"))
    }
