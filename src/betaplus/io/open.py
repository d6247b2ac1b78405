"""One way in: an image or a table of curves, told apart by the file's name."""

from __future__ import annotations

from pathlib import Path

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.core.tacs import TacTable
from betaplus.io.dicom.files import is_series
from betaplus.io.dicom.series import load_dicom
from betaplus.io.ecat import load_ecat
from betaplus.io.ecat_file import is_ecat
from betaplus.io.images import load_image
from betaplus.io.pmod import load_pmod_tacs
from betaplus.io.raw.open_raw import is_raw
from betaplus.io.tacs import load_tacs
from betaplus.io.zarr_images import load_zarr_image

__all__ = ["load"]


def load(
    path: str | Path,
    *,
    unit: str | None = None,
    radionuclide: str | None = None,
    decay_corrected_to: str | float | None = None,
) -> PetImage | TacTable:
    """Load a PET image (NIfTI, ``.zarr``, a DICOM folder, ECAT 7) or curves (``.tsv``, ``.tac``).

    Options fill only what the sidecar lacks.

    Args:
        path: The file, with its PET-BIDS JSON beside it; or the folder (or a file) of a DICOM
            series.
        unit: Activity unit: Bq/mL, kBq/mL, MBq/mL or SUV.
        radionuclide: For example ``F18``.
        decay_corrected_to: ``injection``, ``scan``, ``none`` or seconds from TimeZero.

    Raises:
        InputError: If the file is missing, of another kind, or a field that is needed is missing
            or wrong.
        UsageError: If an option contradicts the sidecar.
    """
    path = Path(path)
    name = path.name.lower()
    if not path.exists():
        raise InputError(f"{path} does not exist", "expected an image or a table of curves")
    options = {
        "unit": unit,
        "radionuclide": radionuclide,
        "decay_corrected_to": decay_corrected_to,
    }
    if is_raw(path):
        raise InputError(
            f"{path.name} is raw data", "expected an image or curves", "reconstruct it first"
        )
    if name.endswith((".nii", ".nii.gz")) and path.is_file():
        return load_image(path, **options)  # type: ignore[arg-type]
    if name.endswith(".zarr") and path.is_dir():
        return load_zarr_image(path, **options)  # type: ignore[arg-type]
    if name.endswith(("_blood.tsv", "_inputfunction.tsv", ".bld")):
        raise InputError(
            f"{path.name} is a blood file", "expected an image or curves", "give it with --blood"
        )
    if name.endswith(".tsv") and path.is_file():
        return load_tacs(path, **options)  # type: ignore[arg-type]
    if name.endswith(".tac") and path.is_file():
        return load_pmod_tacs(path, **options)  # type: ignore[arg-type]
    if path.is_file() and is_ecat(path):
        return load_ecat(path, **options)  # type: ignore[arg-type]
    if is_series(path):
        return load_dicom(path, **options)  # type: ignore[arg-type]
    raise InputError(
        f"{path.name} is of an unsupported kind",
        "expected an image (.nii, .nii.gz, .zarr, DICOM, ECAT 7) or curves (.tsv with frame_start"
        " and frame_end, or PMOD's .tac)",
    )
