"""Outputs as DICOM beside NIfTI, where the input was a DICOM series (``--dicom``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus import __version__
from betaplus.core.errors import UsageError
from betaplus.core.image import PetImage
from betaplus.io.dicom.files import is_series
from betaplus.io.dicom.out.clock import decay_word
from betaplus.io.dicom.out.maps import MapKind, refuse_without_highdicom, write_parametric_map
from betaplus.io.dicom.out.pet import write_pet
from betaplus.io.dicom.out.source import MAKER, About, Source, new_uid, open_source
from betaplus.io.images import load_image
from betaplus.io.jsons import file_stem, read_json, sidecar_path
from betaplus.io.nifti import open_nifti
from betaplus.io.open import load
from betaplus.pipeline.run_request import ImageRequest, RunRequest

__all__ = ["dicom_paths", "write_dicom"]

_NIFTI = (".nii.gz", ".nii")
_SERIES = 100  # numbers of series for the outputs of one source


def dicom_paths(request: RunRequest, outputs: Iterable[Path]) -> list[Path]:
    """Return what is written as DICOM besides some outputs: none where that was not asked for.

    A map becomes a file, an image and its SD a folder of files.

    Args:
        request: What was asked.
        outputs: Files of the run; NIfTI files among them have a twin.

    Raises:
        InputError: If the series cannot be read, or its decay correction cannot be said in DICOM.
        UsageError: If the input is no DICOM series, or highdicom is needed and not installed.
    """
    if not request.dicom or not isinstance(request, ImageRequest):
        return []
    source = Path(request.source)
    if source.suffix.lower() == ".zarr" or not is_series(source):
        raise UsageError(
            f"--dicom is given but {source.name} is no DICOM series",
            "expected a folder of DICOM files",
            "leave --dicom out",
        )
    images = [path for path in outputs if path.name.endswith(_NIFTI)]
    if any(not _is_pet(path) for path in images):
        refuse_without_highdicom()
    image = load(
        source,
        unit=request.unit,
        radionuclide=request.radionuclide,
        decay_corrected_to=request.decay_corrected_to,
    )
    assert isinstance(image, PetImage)
    decay_word(image, source.name)
    return [_twin(path) for path in images]


def write_dicom(request: RunRequest, verb: str, outputs: Sequence[Path]) -> list[Path]:
    """Write outputs as DICOM; return the paths of `dicom_paths`.

    Args:
        request: What was asked.
        verb: What made them.
        outputs: Files of the run, already written.

    Raises:
        InputError: If the series cannot be read any more.
        OutputError: If a file cannot be written.
    """
    if not request.dicom or not isinstance(request, ImageRequest):
        return []
    source = open_source(request.source, decay_option=request.decay_corrected_to is not None)
    written = []
    for number, path in enumerate(p for p in outputs if p.name.endswith(_NIFTI)):
        entities = _entities(path)
        fields = read_json(sidecar_path(path))
        about = _about(verb, entities, fields, source.number * _SERIES + number + 1)
        if _is_pet(path):
            written.append(write_pet(_twin(path), load_image(path), source, about))
        elif _is_folder(path):
            written.append(_write_std(_twin(path), path, fields, source, about))
        else:
            kind = MapKind(
                quantity=entities.get("meas", "activity"),
                statistic=entities.get("stat", ""),
                unit=str(fields.get("Units", "1")),
            )
            values = np.asarray(open_nifti(path)[...])
            written.append(write_parametric_map(_twin(path), values, source, kind, about))
    return written


def _write_std(
    folder: Path, path: Path, fields: Mapping[str, Any], source: Source, about: About
) -> Path:
    """Write the SD of an image: a parametric map for each frame, in one series."""
    from betaplus.io.atomic import atomic_path

    data, series = open_nifti(path), new_uid()
    unit = str(fields.get("Units", "1"))
    unit = str(fields.get("SUVType", "SUVbw")) if unit == "SUV" else unit
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for t in range(data.shape[3] if data.ndim == 4 else 1):
            kind = MapKind(quantity="activity", statistic="std", unit=unit, frame=t)
            values = np.asarray(data[..., t] if data.ndim == 4 else data[...])
            write_parametric_map(
                temporary / f"{t + 1:03d}.dcm", values, source, kind, about, series
            )
    return folder


def _about(verb: str, entities: Mapping[str, str], fields: Mapping[str, Any], number: int) -> About:
    made = fields.get("betaplus")
    method = made.get("method") if isinstance(made, Mapping) else None
    named = [entities[key] for key in ("model", "meas", "trc", "desc", "stat") if key in entities]
    said = str(fields.get("Description", ""))
    how = f"{MAKER} {__version__} {verb}" + (f", method {method}" if method else "")
    return About(
        description=f"{MAKER} {verb}: {' '.join(named)}",
        number=number,
        model=verb,
        derivation=f"{how}{': ' if said else ''}{said}. Research use.",
    )


def _is_pet(path: Path) -> bool:
    """Return whether an output is an image, not a map and not an SD."""
    return file_stem(path).endswith("_pet") and "stat" not in _entities(path)


def _is_folder(path: Path) -> bool:
    return file_stem(path).endswith("_pet")


def _twin(path: Path) -> Path:
    stem = file_stem(path)
    return path.with_name(f"{stem}_dicom" if _is_folder(path) else f"{stem}.dcm")


def _entities(path: Path) -> dict[str, str]:
    parts = [part.partition("-") for part in file_stem(path).split("_")]
    return {key: label for key, dash, label in parts if dash}
