"""The demo's scan as a DICOM series: in as from a scanner, out as maps that viewers lay on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from betaplus.core.image import PetImage
from betaplus.core.progress import Progress
from betaplus.io.nifti import open_nifti
from betaplus.pipeline.patlak import PatlakRequest, PatlakRun, run_patlak
from betaplus.simulation.dicom_series import write_dicom_series

__all__ = ["FromDicom", "PatlakReport", "from_dicom"]

PatlakReport = Callable[[Path, PatlakRun], None]

_T_STAR = "1200"  # s


@dataclass(frozen=True, eq=False, kw_only=True)
class FromDicom:
    """Ki of one scan, given as NIfTI and as DICOM.

    Attributes:
        Ki: ``NIfTI``, ``DICOM`` and ``DICOM map`` (read back from what was written as DICOM, where
            that could be), on the grid of the NIfTI image; (X, Y, Z) [mL/cm3/min].
        files: Of the series.
        difference: Largest between the first two, of the largest Ki.
        map_file: The map as DICOM, or None without highdicom.
    """

    Ki: dict[str, np.ndarray]
    files: int
    difference: float
    map_file: Path | None


def from_dicom(
    image: PetImage,
    source: Path,
    blood: Path,
    out: Path,
    *,
    seed: int,
    overwrite: bool,
    progress: Progress,
    report: PatlakReport | None,
) -> FromDicom:
    """Map Ki from both kinds of files.

    Args:
        image: The scan.
        source: Its NIfTI file.
        blood: Blood samples.
        out: Folder for the series and a folder of results for each kind.
        seed: Seed.
        overwrite: Replace what is there.
        progress: What to report to.
        report: Writes the report of the run on DICOM.
    """
    progress.note("the scan as a DICOM series")
    series = write_dicom_series(out / "series", image)
    found: dict[str, np.ndarray] = {}
    made: dict[str, Path] = {}
    dicom = find_spec("highdicom") is not None
    for name, given in (("NIfTI", source), ("DICOM", series)):
        request = PatlakRequest(
            source=given,
            blood=(str(blood),),
            out=out / name,
            method="wls",
            t_star=_T_STAR,
            dicom=dicom and name == "DICOM",
            seed=seed,
            overwrite=overwrite,
        )
        run_patlak(request, progress, report if name == "DICOM" else None)
        (made[name],) = (out / name).glob("*meas-Ki_stat-mean_mimap.nii.gz")
        file = open_nifti(made[name])
        found[name] = _turned(file.read(), file.header.affine, image.affine)
    map_file = made["DICOM"].with_name(made["DICOM"].name.replace(".nii.gz", ".dcm"))
    if dicom:
        values, affine = _read_map(map_file)
        found["DICOM map"] = _turned(values, affine, image.affine)
    largest = np.abs(found["DICOM"] - found["NIfTI"]).max()
    return FromDicom(
        Ki=found,
        files=sum(1 for _ in series.iterdir()),
        difference=float(largest / found["NIfTI"].max()),
        map_file=map_file if dicom else None,
    )


def _read_map(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a map with highdicom: voxels (X, Y, Z), and their matrix to RAS."""
    import highdicom

    volume = highdicom.imread(path).get_volume()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    return np.transpose(volume.array, (2, 1, 0)), affine[:, [2, 1, 0, 3]]


def _turned(values: np.ndarray, affine: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return voxels with their axes the way that another matrix has them."""
    opposed = np.diag(affine)[:3] * np.diag(like)[:3] < 0
    return np.asarray(np.flip(values, tuple(np.flatnonzero(opposed))))
