"""Simulated raw data as files, with the truth in a folder beside them."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import OutputError
from betaplus.core.grid import ImageGrid
from betaplus.core.image import PetImage
from betaplus.core.raw import RawScan
from betaplus.core.units import PARAMETER_UNITS
from betaplus.io.derivatives import (
    write_blood,
    write_dataset_description,
    write_image,
    write_json,
    write_map,
    write_table,
)
from betaplus.io.labels import write_labels
from betaplus.simulation.dataset import pet_fields, refuse_existing
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.raw.activity import Subject
from betaplus.simulation.raw.attenuation import mu_map
from betaplus.simulation.raw.head import HEAD_CENTRE, Head, average, coarse_phantom
from betaplus.simulation.raw.plan import Plan
from betaplus.simulation.raw.spool import Spool
from betaplus.simulation.subject import PARAMETERS

__all__ = ["raw_paths", "refuse_earlier", "remove_stale", "write_scans", "write_truth"]

_SOURCE = "sub-01"
_PER_CM = 10.0  # 1/cm in a 1/mm
_OURS = (
    "{s}_raw.zarr", "{s}_run-*_raw.zarr", "{s}_pet.*", "{s}_tacs.*", "{s}_recording-manual_blood.*",
    "{s}_dseg.*", "{s}_trc-*", "truth/{s}_*_mimap.*", "truth/{s}_kinpar.*", "truth/{s}_pet.*",
    "truth/{s}_trc-*", "truth/{s}_lesions.*", "truth/{s}_uptake.*", "truth/{s}_simulation.json",
    "truth/fine/{s}_pet.*", "truth/mu/{s}_mu.*",
)  # fmt: skip


def raw_paths(out: Path, realisations: int) -> list[Path]:
    """Return the container of each realisation."""
    if realisations == 1:
        return [out / f"{_SOURCE}_raw.zarr"]
    return [out / f"{_SOURCE}_run-{n + 1:02d}_raw.zarr" for n in range(realisations)]


def refuse_earlier(out: Path, overwrite: bool) -> None:
    """Refuse a folder that holds a simulation already, and what is no folder.

    Raises:
        OutputError: If it does and `overwrite` is not set.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file", "expected a folder", "choose another -o")
    refuse_existing(out, overwrite)
    held = [] if overwrite else sorted(out.glob(f"{_SOURCE}*_raw.zarr"))
    if held:
        raise OutputError(
            f"{held[0]} exists", "expected a new folder", "choose another -o or --overwrite"
        )


def remove_stale(out: Path) -> None:
    """Remove files of an earlier simulation, which would contradict the new ones.

    Raises:
        OutputError: If one cannot be removed.
    """
    for pattern in _OURS:
        for path in sorted(out.glob(pattern.format(s=_SOURCE))):
            try:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            except OSError as error:
                raise OutputError(
                    f"cannot replace {path}: {error.strerror or error}", todo="choose another -o"
                ) from error


def write_scans(
    out: Path, plan: Plan, spool: Spool, shared: Mapping[str, Any], sensitivity: float
) -> dict[str, Path]:
    """Write the container of each realisation, and that of the true means.

    Args:
        out: Folder.
        plan: The scan.
        spool: Arrays ``prompts-<n>`` and ``delayeds-<n>`` of each realisation n, ``scatter``, and
            of the truth ``mean`` and ``randoms``.
        shared: Efficiency and attenuation.
        sensitivity: As in `RawScan`.

    Returns:
        ``raw`` or ``raw/01``..., and ``truth/raw``.
    """
    from betaplus.io.raw.store import write_raw

    fields = pet_fields(plan.profile)
    del fields["AttenuationCorrection"]
    base = RawScan(
        scanner=plan.scanner,
        prompts=spool.array("mean"),
        randoms=spool.array("randoms"),
        scatter=spool.array("scatter"),
        efficiency=shared["efficiency"],
        attenuation=shared["attenuation"],
        frames=plan.frames,
        tracer=plan.profile.tracer,
        sensitivity=sensitivity,
        metadata={**fields, "ManufacturersModelName": f"simulated {plan.scanner.name}"},
    )
    paths = {}
    for n, path in enumerate(raw_paths(out, plan.realisations)):
        counted = dataclasses.replace(
            base,
            prompts=spool.array(f"prompts-{n}"),
            delayeds=spool.array(f"delayeds-{n}"),
            randoms=None,
        )
        write_raw(path, counted)
        paths["raw" if plan.realisations == 1 else f"raw/{n + 1:02d}"] = path
    paths["truth/raw"] = out / "truth" / f"{_SOURCE}_desc-means_raw.zarr"
    write_raw(paths["truth/raw"], base)
    return paths


def write_truth(
    out: Path, plan: Plan, head: Head, subject: Subject, settings: Mapping[str, Any]
) -> dict[str, Path]:
    """Write what a reconstruction is given and compared with.

    Returns:
        ``mu``, ``dseg``, ``labels``, ``blood`` of a dynamic scan, and ``truth/...``.
    """
    truth, fine = out / "truth", out / "truth" / "fine"
    dynamic = len(plan.frames) > 1
    phantom = coarse_phantom(head, plan.grid)
    mu = mu_map(head.labels) * np.float32(_PER_CM)
    paths = {
        "description": out / "dataset_description.json",
        "mu": out / f"{_SOURCE}_mu.nii.gz",
        "dseg": out / f"{_SOURCE}_dseg.nii.gz",
        "labels": out / f"{_SOURCE}_dseg.tsv",
        "truth/pet": truth / f"{_SOURCE}_pet.nii.gz",
        "truth/kinpar": truth / f"{_SOURCE}_kinpar.tsv",
        "truth/fine/mu": fine / f"{_SOURCE}_mu.nii.gz",
        "truth/fine/dseg": fine / f"{_SOURCE}_dseg.nii.gz",
        "truth/simulation": truth / f"{_SOURCE}_simulation.json",
    }
    write_dataset_description(out, f"Simulated raw data of {plan.profile.tracer.name} in a brain")
    _write_mu(paths["mu"], average(mu), plan.grid)
    _write_mu(paths["truth/fine/mu"], mu, head.grid)
    write_labels(paths["dseg"], phantom.labels, plan.grid.affine)
    write_labels(paths["truth/fine/dseg"], head.labels, head.grid.affine)
    names = phantom.names
    write_table(paths["labels"], {"index": list(names), "name": list(names.values())})
    image = _image(plan, plan.grid, _frames(head, subject, len(plan.frames)))
    write_image(paths["truth/pet"], image)
    _write_regions(paths["truth/kinpar"], phantom, subject)
    if dynamic:
        paths["blood"] = out / f"{_SOURCE}_recording-manual_blood.tsv"
        write_blood(paths["blood"], subject.blood)
        paths |= _write_maps(truth, head, subject, image)
    else:
        paths["truth/fine/pet"] = fine / f"{_SOURCE}_pet.nii.gz"
        write_image(paths["truth/fine/pet"], _image(plan, head.grid, subject.image(head, 0)))
    write_json(
        paths["truth/simulation"],
        {**settings, "head_centre": list(HEAD_CENTRE), "delay": subject.delay},
    )
    return paths


def _frames(head: Head, subject: Subject, n: int) -> np.ndarray:
    """Return the activity on the coarse grid, shape (X, Y, Z) or (X, Y, Z, T)."""
    images = [average(subject.image(head, t)) for t in range(n)]
    return np.stack(images, axis=-1) if n > 1 else images[0]


def _image(plan: Plan, grid: ImageGrid, data: np.ndarray) -> PetImage:
    return PetImage(
        data=data,
        affine=grid.affine,
        unit="Bq/mL",
        frames=plan.frames,
        tracer=plan.profile.tracer,
        decay_corrected_to=0.0,
        metadata={**pet_fields(plan.profile), "ReconMethodName": "noise-free truth"},
    )


def _write_mu(path: Path, values: np.ndarray, grid: ImageGrid) -> None:
    like = PetImage(data=values, affine=grid.affine, unit="1/cm")
    write_map(path, values, like, {"Units": "1/cm", "Description": "linear attenuation at 511 keV"})


def _write_maps(folder: Path, head: Head, subject: Subject, like: PetImage) -> dict[str, Path]:
    """Write the rate constants, averaged over the fine voxels of each voxel."""
    maps = subject.maps(head)
    leaving = maps["k2"] + maps["k3"]
    share = np.divide(maps["k3"], leaving, out=np.zeros_like(leaving), where=leaving > 0)
    maps["Ki"] = maps["K1"] * share
    paths = {}
    for name, values in maps.items():
        path = folder / f"{_SOURCE}_model-2TCM_meas-{name}_mimap.nii.gz"
        write_map(path, average(values), like, {"Units": PARAMETER_UNITS[name]})
        paths[f"truth/{name}"] = path
    return paths


def _write_regions(path: Path, phantom: Phantom, subject: Subject) -> None:
    """Write the rate constants of each region."""
    names = list(phantom.names.values())
    values = {p: np.array([subject.regions[name][p] for name in names]) for p in PARAMETERS}
    columns: dict[str, Any] = {"region": names}
    columns["voxels"] = [int((phantom.labels == i).sum()) for i in phantom.names]
    columns |= values
    columns["Ki"] = values["K1"] * values["k3"] / (values["k2"] + values["k3"])
    columns["VT"] = values["K1"] / values["k2"] * (1.0 + values["k3"] / values["k4"])
    units = {p: {"Units": PARAMETER_UNITS[p]} for p in (*PARAMETERS, "Ki", "VT")}
    write_table(path, columns, units)
