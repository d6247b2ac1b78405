"""Simulated scans as PET-BIDS files, with the truth in a folder beside them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus.core.errors import OutputError
from betaplus.core.image import PetImage
from betaplus.core.tacs import TacTable
from betaplus.core.units import PARAMETER_UNITS
from betaplus.io.derivatives import (
    write_blood,
    write_dataset_description,
    write_image,
    write_json,
    write_map,
    write_table,
    write_tacs,
)
from betaplus.io.jsons import sidecar_path
from betaplus.io.labels import write_labels
from betaplus.io.zarr_images import write_zarr_image
from betaplus.simulation.subject import PARAMETERS
from betaplus.simulation.tracers import TracerProfile

if TYPE_CHECKING:
    from betaplus.simulation.dynamic import DynamicScan
    from betaplus.simulation.phantom import Phantom

__all__ = ["FORMATS", "pet_fields", "refuse_existing", "region_means", "write_dynamic", "write_pet"]

FORMATS = ("nii.gz", "zarr")
"""What an image can be written as."""

_SOURCE = "sub-01"


def refuse_existing(out: Path, overwrite: bool) -> None:
    """Refuse a folder that holds a simulation already.

    Raises:
        OutputError: If it does and `overwrite` is not set.
    """
    if overwrite:
        return
    for name in (*(f"{_SOURCE}_pet.{f}" for f in FORMATS), f"{_SOURCE}_tacs.tsv"):
        if (out / name).exists():
            raise OutputError(
                f"{out / name} exists", "expected a new folder", "choose another -o or --overwrite"
            )


def pet_fields(profile: TracerProfile) -> dict[str, Any]:
    """Return the PET-BIDS fields that do not depend on the image."""
    return {
        "Modality": "PT",
        "Manufacturer": "betaplus",
        "ManufacturersModelName": "simulation",
        "BodyPart": "BRAIN",
        "BodyWeight": profile.weight,
        "InjectedRadioactivity": profile.activity,
        "InjectedRadioactivityUnits": "Bq",
        "InjectedMass": "n/a",
        "InjectedMassUnits": "n/a",
        "SpecificRadioactivity": "n/a",
        "SpecificRadioactivityUnits": "n/a",
        "ModeOfAdministration": "bolus",
        "TimeZero": "10:00:00",
        "ScanStart": 0.0,
        "InjectionStart": 0.0,
        "InjectionEnd": 0.0,
        "AcquisitionMode": "list mode",
        "AttenuationCorrection": "none: simulated activity",
    }


def region_means(phantom: Phantom, data: np.ndarray) -> np.ndarray:
    """Return the mean over each region of the phantom, shape (regions, ...) float64."""
    return np.stack(
        [data[phantom.labels == label].mean(axis=0, dtype=np.float64) for label in phantom.names]
    )


def write_dynamic(
    out: Path, scan: DynamicScan, settings: Mapping[str, Any], format: str = "nii.gz"
) -> dict[str, Path]:
    """Write the files of a dynamic scan; return name to path.

    Images of an earlier simulation in another format are removed: they would contradict the rest.

    Raises:
        OutputError: If a file cannot be written.
    """
    paths = {
        "description": out / "dataset_description.json",
        "blood": out / f"{_SOURCE}_recording-manual_blood.tsv",
        "dseg": out / f"{_SOURCE}_dseg.nii.gz",
        "labels": out / f"{_SOURCE}_dseg.tsv",
        "tacs": out / f"{_SOURCE}_tacs.tsv",
        "pet": out / f"{_SOURCE}_pet.{format}",
        "truth/pet": out / "truth" / f"{_SOURCE}_pet.{format}",
        "truth/kinpar": out / "truth" / f"{_SOURCE}_kinpar.tsv",
        "truth/simulation": out / "truth" / f"{_SOURCE}_simulation.json",
    }
    write_dataset_description(out, f"Simulated dynamic {scan.profile.tracer.name} brain scan")
    write_blood(paths["blood"], scan.blood)
    names = scan.phantom.names
    labels: dict[str, Any] = {"index": list(names), "name": list(names.values())}
    write_table(paths["labels"], labels)
    write_labels(paths["dseg"], scan.phantom.labels, scan.phantom.affine)
    truth = _image(scan, scan.clean, {"ReconMethodName": "noise-free truth"})
    write_pet(paths["truth/pet"], truth)
    maps = {**scan.maps, "Ki": _influx(scan.maps)}
    for name, values in maps.items():
        path = out / "truth" / f"{_SOURCE}_model-2TCM_meas-{name}_mimap.nii.gz"
        write_map(path, values, truth, {"Units": PARAMETER_UNITS[name]})
        paths[f"truth/{name}"] = path
    _write_region_truth(paths["truth/kinpar"], scan)
    write_json(
        paths["truth/simulation"],
        {**settings, "delay": scan.delay, "noise_at_dose": scan.noise, "noise_unit": _noise_unit()},
    )
    image = _image(scan, scan.image, _recon_fields(scan, settings))
    table = TacTable(
        values=region_means(scan.phantom, scan.image),
        frames=scan.profile.frames,
        unit="Bq/mL",
        names=tuple(names.values()),
        tracer=scan.profile.tracer,
        decay_corrected_to=0.0,
        metadata=pet_fields(scan.profile),
    )
    write_tacs(paths["tacs"], table)
    write_pet(paths["pet"], image)
    return paths


def write_pet(path: Path, image: PetImage) -> None:
    """Write an image as its name ends, and remove that of an earlier simulation in another format.

    Raises:
        OutputError: If it cannot be written.
    """
    write = write_zarr_image if path.suffix == ".zarr" else write_image
    write(path, image)
    for other in FORMATS:
        old = path.with_name(f"{_SOURCE}_pet.{other}")
        if old == path:
            continue
        if old.is_dir():
            shutil.rmtree(old)
        elif old.exists():
            old.unlink()
            sidecar_path(old).unlink(missing_ok=True)


def _image(scan: DynamicScan, data: np.ndarray, fields: Mapping[str, Any]) -> PetImage:
    return PetImage(
        data=data,
        affine=scan.phantom.affine,
        unit="Bq/mL",
        frames=scan.profile.frames,
        tracer=scan.profile.tracer,
        decay_corrected_to=0.0,
        metadata={**pet_fields(scan.profile), **fields},
    )


def _recon_fields(scan: DynamicScan, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ReconMethodName": "simulated",
        "ReconMethodParameterLabels": ["noise level", "noise kernel FWHM", "resolution FWHM"],
        "ReconMethodParameterUnits": [_noise_unit(), "mm", "mm"],
        "ReconMethodParameterValues": [
            scan.noise,
            settings["noise_fwhm"],
            settings["partial_volume"],
        ],
        "ReconFilterType": "none",
    }


def _noise_unit() -> str:
    return PARAMETER_UNITS["noise"]


def _influx(maps: Mapping[str, np.ndarray]) -> np.ndarray:
    leaving = maps["k2"] + maps["k3"]
    return maps["K1"] * np.divide(
        maps["k3"], leaving, out=np.zeros_like(leaving), where=leaving > 0
    )


def _write_region_truth(path: Path, scan: DynamicScan) -> None:
    """Region means of the parameter maps; Ki and VT are means of voxels, not ratios of means."""
    maps = dict(scan.maps)
    k2, k3, k4 = (np.where(maps[p] > 0, maps[p], 1.0) for p in ("k2", "k3", "k4"))
    maps["Ki"] = _influx(maps)
    maps["VT"] = maps["K1"] / k2 * (1 + k3 / k4)
    columns: dict[str, Any] = {"region": list(scan.phantom.names.values())}
    columns["voxels"] = [int((scan.phantom.labels == i).sum()) for i in scan.phantom.names]
    columns |= {p: region_means(scan.phantom, maps[p]) for p in (*PARAMETERS, "Ki", "VT")}
    columns["delay"] = [scan.delay] * len(scan.phantom.names)
    units = {p: {"Units": PARAMETER_UNITS[p]} for p in (*PARAMETERS, "Ki", "VT", "delay")}
    write_table(path, columns, units)
