"""A static study as PET-BIDS files, with the truth in a folder beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.image import PetImage
from betaplus.io.derivatives import (
    write_dataset_description,
    write_image,
    write_json,
    write_map,
    write_table,
)
from betaplus.io.labels import write_labels
from betaplus.simulation.dataset import region_means
from betaplus.simulation.static.scan import StaticScan

__all__ = ["static_fields", "write_static"]

_SOURCE = "sub-01"
_PER_CM = 10.0  # 1/cm in a 1/mm


def static_fields(scan: StaticScan) -> dict[str, Any]:
    """Return the PET-BIDS fields that do not depend on the image."""
    whole = "Liver" in scan.phantom.names.values()
    return {
        "Modality": "PT",
        "Manufacturer": "betaplus",
        "ManufacturersModelName": "simulation",
        "BodyPart": "BODY" if whole else "BRAIN",
        "BodyWeight": scan.weight,
        "InjectedRadioactivity": scan.dose,
        "InjectedRadioactivityUnits": "Bq",
        "InjectedMass": "n/a",
        "InjectedMassUnits": "n/a",
        "SpecificRadioactivity": "n/a",
        "SpecificRadioactivityUnits": "n/a",
        "ModeOfAdministration": "bolus",
        "TimeZero": "10:00:00",
        "ScanStart": scan.profile.start,
        "InjectionStart": 0.0,
        "InjectionEnd": 0.0,
        "AcquisitionMode": "list mode",
        "AttenuationCorrection": "none: simulated activity",
    }


def write_static(
    out: Path, scan: StaticScan, image: np.ndarray, settings: Mapping[str, Any]
) -> dict[str, Path]:
    """Write the files of a static study; return name to path.

    Images are in Bq/mL, decay-corrected to injection: times BodyWeight over InjectedRadioactivity
    of the sidecar they are SUV.

    Args:
        out: Folder.
        scan: The subject.
        image: Blurred and with noise, shape (X, Y, Z) [SUV].
        settings: What was asked for.

    Raises:
        OutputError: If a file cannot be written.
    """
    from betaplus.simulation.raw.dataset import remove_stale

    truth = out / "truth"
    paths = {
        "description": out / "dataset_description.json",
        "dseg": out / f"{_SOURCE}_dseg.nii.gz",
        "labels": out / f"{_SOURCE}_dseg.tsv",
        "pet": out / f"{_SOURCE}_pet.nii.gz",
        "truth/pet": truth / f"{_SOURCE}_pet.nii.gz",
        "truth/mu": truth / "mu" / f"{_SOURCE}_mu.nii.gz",
        "truth/uptake": truth / f"{_SOURCE}_uptake.tsv",
        "truth/lesions": truth / f"{_SOURCE}_lesions.tsv",
        "truth/simulation": truth / f"{_SOURCE}_simulation.json",
    }
    remove_stale(out)
    name = scan.profile.tracer.name
    write_dataset_description(out, f"Simulated static {name} scan")
    names = scan.phantom.names
    write_table(paths["labels"], {"index": list(names), "name": list(names.values())})
    write_labels(paths["dseg"], scan.phantom.labels, scan.phantom.affine)
    clean = _image(scan, scan.activity, {"ReconMethodName": "noise-free truth"})
    write_image(paths["truth/pet"], clean)
    write_map(
        paths["truth/mu"],
        scan.mu * np.float32(_PER_CM),
        PetImage(data=scan.mu, affine=scan.phantom.affine, unit="1/cm"),
        {"Units": "1/cm", "Description": "linear attenuation at 511 keV"},
    )
    _write_uptake(paths["truth/uptake"], scan)
    _write_lesions(paths["truth/lesions"], scan)
    write_json(
        paths["truth/simulation"],
        {**settings, "weight": scan.weight, "dose": scan.dose, "per_suv": scan.per_suv},
    )
    fields = {
        "ReconMethodName": f"simulated OSEM, {settings['style']}",
        "ReconMethodParameterLabels": ["dose fraction", "updates"],
        "ReconMethodParameterUnits": ["none", "none"],
        "ReconMethodParameterValues": [settings["dose_fraction"], settings["updates"]],
        "ReconFilterType": "Gaussian" if settings["filter"] else "none",
        "ReconFilterSize": settings["filter"],
    }
    write_image(paths["pet"], _image(scan, image, fields))
    return paths


def _image(scan: StaticScan, suv: np.ndarray, fields: Mapping[str, Any]) -> PetImage:
    return PetImage(
        data=(suv * np.float32(scan.per_suv)).astype(np.float32),
        affine=scan.phantom.affine,
        unit="Bq/mL",
        frames=scan.profile.frames,
        tracer=scan.profile.tracer,
        decay_corrected_to=0.0,
        metadata={**static_fields(scan), **fields},
    )


def _write_uptake(path: Path, scan: StaticScan) -> None:
    """SUV of each region as drawn, and its mean over the voxels as painted."""
    names = list(scan.phantom.names.values())
    sizes = [int((scan.phantom.labels == i).sum()) for i in scan.phantom.names]
    columns: dict[str, Any] = {
        "region": names,
        "voxels": sizes,
        "SUV": [scan.uptake.get(name, np.nan) for name in names],
        "SUVmean": region_means(scan.phantom, scan.activity),
    }
    units = {"SUV": {"Units": "g/mL"}, "SUVmean": {"Units": "g/mL"}}
    write_table(path, columns, units)


def _write_lesions(path: Path, scan: StaticScan) -> None:
    lesions = scan.lesions
    columns: dict[str, Any] = {
        "lesion": list(range(1, len(lesions) + 1)),
        "site": [lesion.site for lesion in lesions],
        "region": [lesion.host for lesion in lesions],
        **{axis: [lesion.centre[i] for lesion in lesions] for i, axis in enumerate("xyz")},
        "diameter": [lesion.diameter for lesion in lesions],
        "contrast": [lesion.contrast for lesion in lesions],
        "core": [np.nan if lesion.core is None else lesion.core for lesion in lesions],
    }
    units = {k: {"Units": "mm"} for k in ("x", "y", "z", "diameter")}
    write_table(path, columns, units)
