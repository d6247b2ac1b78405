"""A scan of two tracers as PET-BIDS files, with both truths in a folder beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.image import PetImage
from betaplus.core.units import PARAMETER_UNITS
from betaplus.io.derivatives import (
    bids_label,
    write_blood,
    write_dataset_description,
    write_image,
    write_json,
    write_map,
    write_table,
)
from betaplus.io.labels import write_labels
from betaplus.simulation.dataset import pet_fields, region_means
from betaplus.simulation.dual.scan import DualScan, TracerPart
from betaplus.simulation.subject import PARAMETERS

__all__ = ["write_dual"]

_SOURCE = "sub-01"


def write_dual(out: Path, scan: DualScan, settings: Mapping[str, Any]) -> dict[str, Path]:
    """Write the files of a scan of two tracers; return name to path.

    The measured image is not decay-corrected: with two half-lives there is no factor for it. Each
    truth is decay-corrected to its tracer's own injection, as its sidecar says. Blood is in its
    tracer's own time, from its injection.

    Raises:
        OutputError: If a file cannot be written.
    """
    from betaplus.simulation.raw.dataset import remove_stale

    names = scan.phantom.names
    first, second = (bids_label(part.profile.tracer.name) for part in scan.parts)
    labels = (first, second) if first != second else (f"{first}1", f"{second}2")
    paths = {
        "description": out / "dataset_description.json",
        "dseg": out / f"{_SOURCE}_dseg.nii.gz",
        "labels": out / f"{_SOURCE}_dseg.tsv",
        "pet": out / f"{_SOURCE}_pet.nii.gz",
        "truth/pet": out / "truth" / f"{_SOURCE}_pet.nii.gz",
        "truth/simulation": out / "truth" / f"{_SOURCE}_simulation.json",
    }
    remove_stale(out)
    write_dataset_description(out, f"Simulated dynamic scan of {' and '.join(labels)} in a brain")
    write_table(paths["labels"], {"index": list(names), "name": list(names.values())})
    write_labels(paths["dseg"], scan.phantom.labels, scan.phantom.affine)
    write_image(paths["truth/pet"], _mixed(scan, scan.mixture, labels, "noise-free truth"))
    for part, label in zip(scan.parts, labels, strict=True):
        paths |= _write_part(out, scan, part, label)
    write_json(
        paths["truth/simulation"],
        {
            **settings,
            "noise_at_dose": scan.noise,
            "arrival": {label: p.delay for label, p in zip(labels, scan.parts, strict=True)},
        },
    )
    write_image(paths["pet"], _mixed(scan, scan.image, labels, "simulated"))
    return paths


def _mixed(scan: DualScan, data: np.ndarray, labels: tuple[str, str], how: str) -> PetImage:
    first, second = scan.parts
    fields = {
        **pet_fields(first.profile),
        "ReconMethodName": how,
        "ReconFilterType": "none",
        "betaplus": {
            "Tracers": [
                {
                    "TracerName": label,
                    "TracerRadionuclide": part.profile.tracer.radionuclide,
                    "InjectionStart": part.injection,
                    "InjectedRadioactivity": part.profile.activity,
                }
                for label, part in zip(labels, (first, second), strict=True)
            ]
        },
    }
    return PetImage(
        data=data,
        affine=scan.phantom.affine,
        unit="Bq/mL",
        frames=scan.frames,
        tracer=first.profile.tracer,
        decay_corrected_to=None,
        metadata=fields,
    )


def _write_part(out: Path, scan: DualScan, part: TracerPart, label: str) -> dict[str, Path]:
    """Write the blood and the truth of one tracer."""
    truth = out / "truth"
    paths = {
        f"blood/{label}": out / f"{_SOURCE}_trc-{label}_recording-manual_blood.tsv",
        f"truth/{label}": truth / f"{_SOURCE}_trc-{label}_pet.nii.gz",
        f"truth/kinpar/{label}": truth / f"{_SOURCE}_trc-{label}_kinpar.tsv",
    }
    write_blood(paths[f"blood/{label}"], part.blood)
    image = PetImage(
        data=part.clean,
        affine=scan.phantom.affine,
        unit="Bq/mL",
        frames=scan.frames,
        tracer=part.profile.tracer,
        decay_corrected_to=part.injection,
        injection=part.injection,
        metadata={
            **pet_fields(part.profile),
            "InjectionEnd": part.injection,
            "ReconMethodName": "noise-free truth",
        },
    )
    write_image(paths[f"truth/{label}"], image)
    for name in PARAMETERS:
        path = truth / f"{_SOURCE}_trc-{label}_model-2TCM_meas-{name}_mimap.nii.gz"
        write_map(path, part.maps[name], image, {"Units": PARAMETER_UNITS[name]})
        paths[f"truth/{label}/{name}"] = path
    columns: dict[str, Any] = {"region": list(scan.phantom.names.values())}
    columns |= {p: region_means(scan.phantom, part.maps[p]) for p in PARAMETERS}
    units = {p: {"Units": PARAMETER_UNITS[p]} for p in PARAMETERS}
    write_table(paths[f"truth/kinpar/{label}"], columns, units)
    return paths
