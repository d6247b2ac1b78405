"""Every reader with a small valid input of each of its kinds, and how its files are changed."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.fuzzing.dicom_slices import change_slice
from tests.fuzzing.mutate import (
    Mutate,
    change_bytes,
    change_cells,
    change_fields,
    change_gzip,
    change_lines,
)
from tests.fuzzing.samples import (
    make_blood,
    make_bundle,
    make_dicom,
    make_ecat,
    make_interfile,
    make_listmode,
    make_nifti,
    make_pmod,
    make_tacs,
    make_zarr,
)
from tests.io.raw.cases import TINY

from betaplus.core.image import PetImage

__all__ = ["READERS", "Files", "Reader", "mutate"]

Files = dict[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A reader.

    Attributes:
        make: Writes the samples into a folder, each into one of its own.
        read: Reads a changed sample, voxels and all; its argument is the folder.
        describe: Says what it is, as ``betaplus info`` does.
        changes: How a file is changed, by the end of its name; the first that fits.
        mend: What is put right after a change, so that it is not found too early.
    """

    make: Callable[[Path], None]
    read: Callable[[Path], None]
    describe: Callable[[Path], object]
    changes: Mapping[str, Mutate]
    mend: Callable[[Files, random.Random], None] = lambda files, rng: None


def mutate(reader: Reader, files: Files, rng: random.Random) -> Files:
    """Return a sample with one of its files changed, sometimes two, or one of them gone."""
    out = dict(files)
    for name in rng.sample(sorted(out), k=min(len(out), rng.choice((1, 1, 1, 1, 2)))):
        if rng.random() < 0.01:
            del out[name]
            continue
        change = next(c for end, c in reader.changes.items() if name.endswith(end))
        out[name] = change(out[name], rng)
    reader.mend(out, rng)
    return out


def _input(folder: Path, *ends: str) -> Path:
    """Return the file or folder that a user would name."""
    return next(p for p in sorted(folder.iterdir()) if p.name.endswith(ends))


def _describe(*ends: str) -> Callable[[Path], object]:
    def describe_it(folder: Path) -> object:
        from betaplus.io.describe import describe

        paths = [p for p in sorted(folder.iterdir()) if p.name.endswith(ends)]
        return [describe(path) for path in paths]

    return describe_it


def _read_image(path: Path, dose: float | None = None) -> PetImage:
    from betaplus.io.bed_times import check_one_bed, image_bed_times
    from betaplus.io.image_fields import image_fields
    from betaplus.io.jsons import plain
    from betaplus.io.open import load
    from betaplus.io.suv import suv_conversion
    from betaplus.io.voxels import default_mask, voxel_curves

    image = load(path)
    assert isinstance(image, PetImage)
    voxel_curves(image, default_mask(image))
    json.dumps(plain(image_fields(image)), allow_nan=False)
    if image_bed_times(image) is None:
        check_one_bed(image)
    suv_conversion(image, dose=dose)
    return image


def _read_zarr(folder: Path) -> None:
    path = _input(folder, ".zarr")
    if path.name.endswith("_raw.zarr"):
        _read_raw(path)
    else:
        _read_image(path)


def _read_dicom(folder: Path) -> None:
    _read_image(_input(folder, "series"))


def _read_ecat(folder: Path) -> None:
    _read_image(_input(folder, ".v"), dose=350e6)  # which the format does not say


def _read_nifti(folder: Path) -> None:
    from betaplus.io.labels import load_labels
    from betaplus.io.voxels import load_mask

    image = _read_image(_input(folder, "_pet.nii", "_pet.nii.gz"))
    labels = _input(folder, "_dseg.nii.gz")
    load_labels(labels, image)
    load_mask(labels, image)


def _read_blood(folder: Path) -> None:
    from betaplus.io.blood import load_blood

    load_blood(sorted(folder.glob("*.tsv"))).curve(3600.0)


def _read_tacs(folder: Path) -> None:
    from betaplus.io.open import load

    load(_input(folder, ".tsv"))


def _read_pmod(folder: Path) -> None:
    from betaplus.io.blood import load_blood
    from betaplus.io.open import load

    for path in folder.glob("*.tac"):
        load(path, radionuclide="F18", decay_corrected_to="injection")
    blood = sorted(folder.glob("*.bld"))
    if blood:
        load_blood(blood).curve(3600.0)


def _read_interfile(folder: Path) -> None:
    from betaplus.io.raw.interfile_image import read_interfile_image
    from betaplus.io.raw.norm import read_norm

    path = _input(folder, ".hs", ".hv", ".n.hdr")
    if path.suffix == ".hs":
        _read_raw(path)
    elif path.suffix == ".hv":
        read_interfile_image(path)
    else:
        read_norm(path, TINY)


def _read_raw(path: Path) -> None:
    from betaplus.io.raw.open_raw import open_raw

    scan = open_raw(path)
    for name in ("prompts", "delayeds", "randoms", "scatter", "efficiency", "attenuation"):
        array = getattr(scan, name)
        if array is not None:
            np.asarray(array[...])


def _read_listmode(folder: Path) -> None:
    from betaplus.io.raw.listmode_open import open_listmode

    file = open_listmode(_input(folder, ".l"))
    for events in file.stream():
        events.bins.max(initial=0)


def _read_bundle(folder: Path) -> None:
    from betaplus.generative.bundle import load_bundle

    load_bundle(folder, "kinetics")


def _sign(files: Files, rng: random.Random) -> None:
    """Put the checksum of changed weights into the configuration, mostly."""
    config, weights = files.get("config.json"), files.get("model.safetensors")
    if config is None or weights is None or rng.random() < 0.1:
        return
    try:
        fields = json.loads(config)
        fields["sha256"] = hashlib.sha256(weights).hexdigest()
        files["config.json"] = json.dumps(fields).encode()
    except (ValueError, TypeError, RecursionError):
        return


READERS: dict[str, Reader] = {
    "nifti": Reader(
        make=make_nifti,
        read=_read_nifti,
        describe=_describe("_pet.nii", "_pet.nii.gz"),
        changes={
            ".json": change_fields,
            ".tsv": change_cells,
            ".gz": change_gzip,
            ".nii": change_bytes,
        },
    ),
    "blood": Reader(
        make=make_blood,
        read=_read_blood,
        describe=_describe(".tsv"),
        changes={".json": change_fields, ".tsv": change_cells},
    ),
    "tacs": Reader(
        make=make_tacs,
        read=_read_tacs,
        describe=_describe(".tsv"),
        changes={".json": change_fields, ".tsv": change_cells},
    ),
    "pmod": Reader(
        make=make_pmod,
        read=_read_pmod,
        describe=_describe(".tac", ".bld"),
        changes={"": change_cells},
    ),
    "interfile": Reader(
        make=make_interfile,
        read=_read_interfile,
        describe=_describe(".hs"),
        changes={
            ".hs": change_lines,
            ".hv": change_lines,
            ".hdr": change_lines,
            ".gz": change_gzip,
            "": change_bytes,
        },
    ),
    "listmode": Reader(
        make=make_listmode,
        read=_read_listmode,
        describe=_describe(".l"),
        changes={".hdr": change_lines, ".l": change_bytes},
    ),
    "dicom": Reader(
        make=make_dicom,
        read=_read_dicom,
        describe=_describe("series"),
        changes={"": change_slice},
    ),
    "ecat": Reader(
        make=make_ecat,
        read=_read_ecat,
        describe=_describe(".v"),
        changes={".v": change_bytes},
    ),
    "zarr": Reader(
        make=make_zarr,
        read=_read_zarr,
        describe=_describe(".zarr"),
        changes={".json": change_fields, "": change_bytes},
    ),
    "bundle": Reader(
        make=make_bundle,
        read=_read_bundle,
        describe=lambda folder: None,
        changes={".json": change_fields, "": change_bytes},
        mend=_sign,
    ),
}
