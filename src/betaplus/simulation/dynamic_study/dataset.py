"""A dynamic study of a trunk as PET-BIDS files, with the truth in a folder beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.image import PetImage
from betaplus.core.progress import Progress, Silent
from betaplus.core.tacs import TacTable
from betaplus.core.units import PARAMETER_UNITS
from betaplus.simulation.dynamic_study.kinetics import FDG_ORGANS
from betaplus.simulation.dynamic_study.study import PatlakStudy, draw_patlak_study

__all__ = ["SIZES", "simulate_body"]

SIZES: Mapping[str, tuple[int, float]] = {"small": (48, 8.0), "full": (96, 4.0)}
"""Size to voxels along each axis and voxel edge [mm]: 384 mm from the heart to below the liver."""

_SOURCE = "sub-01"


def simulate_body(
    out: Path,
    *,
    dose_fraction: float = 1.0,
    size: str = "small",
    seed: int = 0,
    format: str = "nii.gz",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Simulate an hour of FDG in a trunk and write it as PET-BIDS files with the truth beside it.

    Args:
        out: Folder to write to.
        dose_fraction: Fraction of the counts that is kept, in (0, 1].
        size: ``small`` (48 x 48 x 48 at 8 mm) or ``full`` (96 x 96 x 96 at 4 mm).
        seed: Chooses everything that is drawn; the same seed gives the same voxels.
        format: ``nii.gz`` or ``zarr``.
        overwrite: Replace files of an earlier simulation.
        progress: What to report to.

    Returns:
        What was written: ``pet``, ``blood``, ``dseg``, ``tacs``, ``description`` and
        ``truth/...``, name to path.

    Raises:
        UsageError: If a name is unknown or a number is out of range.
        OutputError: If the files exist or cannot be written.
    """
    from betaplus.simulation.dataset import FORMATS, refuse_existing

    if size not in SIZES:
        raise UsageError(
            f"size {size!r} is unknown for a body", f"expected one of {', '.join(SIZES)}"
        )
    if format not in FORMATS:
        raise UsageError(f"format {format!r} is unknown", f"expected {' or '.join(FORMATS)}")
    if not 0.0 < dose_fraction <= 1.0:
        raise UsageError(f"dose fraction {dose_fraction:g}", "expected a number in (0, 1]")
    refuse_existing(out, overwrite)
    progress = progress or Silent()
    edge, voxel = SIZES[size]
    study = draw_patlak_study("body", seed, voxel=voxel, shape=(edge,) * 3, early=True)
    frames = len(study.protocol)
    clean = np.zeros((*study.shape, frames), np.float32)
    image = np.zeros_like(clean)
    progress.start("frames", frames)
    for f in range(frames):
        clean[..., f] = study.clean_frame(f)
        image[..., f] = study.frame(f, dose_fraction)
        study.release()
        progress.advance()
    progress.finish()
    settings = {
        "anatomy": "body",
        "tracer": "FDG",
        "dose_fraction": dose_fraction,
        "size": size,
        "style": study.protocol.style.name,
        "lesions": len(study.lesions),
        "seed": seed,
    }
    return _write(out, study, clean, image, settings, format)


def _write(
    out: Path,
    study: PatlakStudy,
    clean: np.ndarray,
    image: np.ndarray,
    settings: Mapping[str, Any],
    format: str,
) -> dict[str, Path]:
    from betaplus.io.derivatives import (
        write_blood,
        write_dataset_description,
        write_json,
        write_map,
        write_table,
        write_tacs,
    )
    from betaplus.io.labels import write_labels
    from betaplus.simulation.dataset import write_pet

    truth = out / "truth"
    paths = {
        "description": out / "dataset_description.json",
        "blood": out / f"{_SOURCE}_recording-manual_blood.tsv",
        "dseg": out / f"{_SOURCE}_dseg.nii.gz",
        "labels": out / f"{_SOURCE}_dseg.tsv",
        "tacs": out / f"{_SOURCE}_tacs.tsv",
        "pet": out / f"{_SOURCE}_pet.{format}",
        "truth/pet": truth / f"{_SOURCE}_pet.{format}",
        "truth/lesions": truth / f"{_SOURCE}_lesions.tsv",
        "truth/simulation": truth / f"{_SOURCE}_simulation.json",
    }
    write_dataset_description(out, "Simulated dynamic FDG body scan")
    write_blood(paths["blood"], study.blood)
    write_table(paths["labels"], {"index": list(study.names), "name": list(study.names.values())})
    write_labels(paths["dseg"], study.labels, study.affine)
    true = _image(study, clean, {"ReconMethodName": "noise-free truth"})
    write_pet(paths["truth/pet"], true)
    late = (study.protocol.start >= study.protocol.t_star).all(axis=1)
    Ki, V0 = study.fit(clean[..., late], late)
    for model, name, values in (
        *(("2TCM", p, m) for p, m in study.maps.items()),
        ("2TCM", "Ki", study.true_Ki),
        ("Patlak", "Ki", Ki),
        ("Patlak", "V0", V0),
    ):
        path = truth / f"{_SOURCE}_model-{model}_meas-{name}_mimap.nii.gz"
        write_map(path, values, true, {"Units": PARAMETER_UNITS[name]})
        paths[f"truth/{name}" if model == "2TCM" else f"truth/Patlak {name}"] = path
    _write_lesions(paths["truth/lesions"], study)
    write_json(paths["truth/simulation"], {**settings, "per_suv": study.per_suv})
    fields = {
        "ReconMethodName": f"simulated OSEM, {settings['style']}",
        "ReconMethodParameterLabels": ["dose fraction", "updates"],
        "ReconMethodParameterUnits": ["none", "none"],
        "ReconMethodParameterValues": [
            settings["dose_fraction"], study.protocol.style.updates,
        ],
        "ReconFilterType": "Gaussian",
        "ReconFilterSize": study.protocol.style.filter,
    }  # fmt: skip
    noisy = _image(study, image, fields)
    table = TacTable(
        values=np.stack(
            [noisy.data[study.labels == i].mean(axis=0, dtype=np.float64) for i in study.names]
        ),
        frames=study.protocol.timing(0),
        unit="Bq/mL",
        names=tuple(study.names.values()),
        tracer=FDG_ORGANS.tracer,
        decay_corrected_to=0.0,
        metadata=_fields(study),
    )
    write_tacs(paths["tacs"], table)
    write_pet(paths["pet"], noisy)
    return paths


def _image(study: PatlakStudy, suv: np.ndarray, fields: Mapping[str, Any]) -> PetImage:
    return PetImage(
        data=suv * np.float32(study.per_suv),
        affine=study.affine,
        unit="Bq/mL",
        frames=study.protocol.timing(0),
        tracer=FDG_ORGANS.tracer,
        decay_corrected_to=0.0,
        metadata={**_fields(study), **fields},
    )


def _fields(study: PatlakStudy) -> dict[str, Any]:
    from betaplus.simulation.dataset import pet_fields

    return {
        **pet_fields(FDG_ORGANS),
        "BodyPart": "BODY",
        "BodyWeight": study.person.weight,
        "InjectedRadioactivity": study.person.dose,
    }


def _write_lesions(path: Path, study: PatlakStudy) -> None:
    from betaplus.io.derivatives import write_table

    found = [one.lesion for one in study.lesions]
    columns: dict[str, Any] = {
        "lesion": list(range(1, len(found) + 1)),
        "site": [lesion.site for lesion in found],
        "region": [lesion.host for lesion in found],
        **{axis: [lesion.centre[i] for lesion in found] for i, axis in enumerate("xyz")},
        "diameter": [lesion.diameter for lesion in found],
        "Ki": [one.Ki for one in study.lesions],
    }
    units = {k: {"Units": "mm"} for k in ("x", "y", "z", "diameter")}
    write_table(path, columns, {**units, "Ki": {"Units": PARAMETER_UNITS["Ki"]}})
