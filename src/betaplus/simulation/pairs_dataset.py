"""Pairs of images as PET-BIDS files, with full counts and the truth in a folder beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import OutputError
from betaplus.core.image import PetImage
from betaplus.io.derivatives import (
    write_dataset_description,
    write_image,
    write_json,
    write_map,
    write_table,
)
from betaplus.io.labels import write_labels
from betaplus.simulation.pairs import Pair
from betaplus.simulation.static import StaticScan
from betaplus.simulation.static.dataset import static_fields
from betaplus.simulation.surrogate.style import ScanStyle

__all__ = ["refuse_earlier_pairs", "remove_earlier_pairs", "write_pair"]

_PER_CM = 10.0  # 1/cm in a 1/mm
_OURS = (
    "sub-*_pet.nii.gz", "sub-*_pet.json", "sub-*_dseg.*", "truth/sub-*_pet.nii.gz",
    "truth/sub-*_pet.json", "truth/mu/sub-*_mu.*", "truth/sub-*_simulation.json",
)  # fmt: skip
_OTHERS = ("sub-*_pet.zarr", "sub-*_raw.zarr", "sub-*_tacs.tsv")


def refuse_earlier_pairs(out: Path, overwrite: bool) -> None:
    """Refuse a folder that holds a simulation already, and what is no folder.

    Raises:
        OutputError: If it does and `overwrite` is not set.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file", "expected a folder", "choose another -o")
    held = [] if overwrite else [p for pattern in (*_OURS, *_OTHERS) for p in out.glob(pattern)]
    if held:
        raise OutputError(
            f"{min(held)} exists", "expected a new folder", "choose another -o or --overwrite"
        )


def remove_earlier_pairs(out: Path) -> None:
    """Remove images of an earlier simulation, which would contradict the new ones.

    Raises:
        OutputError: If one cannot be removed.
    """
    for path in sorted(path for pattern in _OURS for path in out.glob(pattern)):
        try:
            path.unlink()
        except OSError as error:
            raise OutputError(
                f"cannot replace {path}: {error.strerror or error}", todo="choose another -o"
            ) from error


def write_pair(
    out: Path,
    source: str,
    scan: StaticScan,
    pair: Pair,
    style: ScanStyle,
    settings: Mapping[str, Any],
    complement: bool,
) -> dict[str, Path]:
    """Write the files of one subject; return name to path.

    Images are in Bq/mL, decay-corrected to injection: times BodyWeight over InjectedRadioactivity
    of the sidecar they are SUVbw.

    Args:
        out: Folder.
        source: Name of the subject, such as ``sub-01``.
        scan: The subject.
        pair: Its images.
        style: Of the scan.
        settings: What was asked for.
        complement: Whether complements are written.

    Raises:
        OutputError: If a file cannot be written.
    """
    truth = out / "truth"
    several = len(pair.doses) > 1
    paths = {
        f"{source}/dseg": out / f"{source}_dseg.nii.gz",
        f"{source}/labels": out / f"{source}_dseg.tsv",
        f"{source}/truth/pet": truth / f"{source}_pet.nii.gz",
        f"{source}/truth/mean": truth / f"{source}_desc-mean_pet.nii.gz",
        f"{source}/truth/full": truth / f"{source}_desc-full_pet.nii.gz",
        f"{source}/truth/mu": truth / "mu" / f"{source}_mu.nii.gz",
        f"{source}/truth/simulation": truth / f"{source}_simulation.json",
    }
    write_dataset_description(out, f"Simulated {scan.profile.tracer.name} scans at several doses")
    names = scan.phantom.names
    write_labels(paths[f"{source}/dseg"], scan.phantom.labels, scan.phantom.affine)
    write_table(paths[f"{source}/labels"], {"index": list(names), "name": list(names.values())})
    write_image(
        paths[f"{source}/truth/pet"],
        _image(scan, scan.activity, {"ReconMethodName": "noise-free truth"}),
    )
    mean = _image(scan, pair.mean, {**_fields(style, 1.0), "ReconMethodName": "mean image"})
    write_image(paths[f"{source}/truth/mean"], mean)
    write_image(paths[f"{source}/truth/full"], _image(scan, pair.full, _fields(style, 1.0)))
    write_map(
        paths[f"{source}/truth/mu"],
        scan.mu * np.float32(_PER_CM),
        PetImage(data=scan.mu, affine=scan.phantom.affine, unit="1/cm"),
        {"Units": "1/cm", "Description": "linear attenuation at 511 keV"},
    )
    for n, dose in enumerate(pair.doses):
        entity = f"_acq-dose{_label(dose)}" if several else ""
        key = f"/{dose:g}" if several else ""
        path = out / f"{source}{entity}_pet.nii.gz"
        write_image(path, _image(scan, pair.low[n], _fields(style, dose)))
        paths[f"{source}/pet{key}"] = path
        if complement:
            path = truth / f"{source}{entity}_desc-complement_pet.nii.gz"
            image = _image(scan, pair.complement(n), _fields(style, 1.0 - dose))
            write_image(path, image)
            paths[f"{source}/truth/complement{key}"] = path
    write_json(
        paths[f"{source}/truth/simulation"],
        {
            **settings,
            "scan_style": dataclasses.asdict(style),
            "weight": scan.weight,
            "dose": scan.dose,
            "per_suv": scan.per_suv,
        },
    )
    return {"description": out / "dataset_description.json", **paths}


def _label(dose: float) -> str:
    """Return a fraction as a BIDS label: 0.05 is 0p05."""
    return f"{dose:g}".replace(".", "p").replace("-", "m")


def _fields(style: ScanStyle, dose: float) -> dict[str, Any]:
    return {
        "ManufacturersModelName": f"simulated {style.name}",
        "ReconMethodName": "surrogate of OSEM",
        "ReconMethodParameterLabels": ["dose fraction", "sub-iterations", "resolution FWHM"],
        "ReconMethodParameterUnits": ["none", "none", "mm"],
        "ReconMethodParameterValues": [dose, style.updates, style.resolution],
        "ReconFilterType": "Gaussian" if style.filter else "none",
        **({"ReconFilterSize": style.filter} if style.filter else {}),
        "AttenuationCorrection": "simulated",
    }


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
