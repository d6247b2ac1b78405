"""The files of the reconstruct verb, opened and brought to the scanner's axes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.grid import ImageGrid
from betaplus.core.raw import RawScan
from betaplus.core.scanner import Scanner
from betaplus.io.nifti import LazyNifti, open_nifti
from betaplus.io.raw.interfile_image import read_interfile_image
from betaplus.io.raw.listmode_open import open_listmode
from betaplus.io.raw.norm import read_norm
from betaplus.io.raw.open_raw import open_raw
from betaplus.pipeline.reconstruct.request import Options, ReconstructRequest
from betaplus.reconstruction.attenuation import factors_of_map, on_grid
from betaplus.reconstruction.frames import EventsOfFrame
from betaplus.reconstruction.reconstruct import default_grid

__all__ = ["Inputs", "load_inputs"]

_TOLERANCE = 1e-3  # mm, and of direction cosines


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """What the verb works on.

    Attributes:
        scan: Raw data.
        grid: The image grid.
        psf: Resolution of the model [mm].
        efficiency: From --norm, or None.
        attenuation: From --mu, or None.
        mask: From --mask on the image grid, or None.
        events: Frame to its prompts, where they are to be used one by one, or None.
        files: Role to file, of all that a result depends on.
        remarks: What was taken for granted.
    """

    scan: RawScan
    grid: ImageGrid
    psf: float
    efficiency: np.ndarray | None
    attenuation: np.ndarray | None
    mask: np.ndarray | None
    events: EventsOfFrame | None
    files: dict[str, Path]
    remarks: tuple[str, ...]


def load_inputs(request: ReconstructRequest, options: Options) -> Inputs:
    """Open the files.

    Raises:
        InputError: If one cannot be used, or does not fit the others.
        UsageError: If the grid is none.
    """
    scan = open_raw(request.source, scanner=options.scanner)
    scanner, remarks = scan.scanner, []
    if request.like is not None:
        grid = _grid_like(request.like)
    else:
        grid = default_grid(scanner, voxel=request.voxel, width=request.matrix)
    files = {"source": Path(request.source)}
    efficiency = attenuation = mask = None
    if request.norm is not None:
        efficiency = read_norm(request.norm, scanner)
        files["norm"] = Path(request.norm)
        if scan.efficiency is not None:
            remarks.append("--norm replaces the efficiencies of the data")
    if request.mu is not None:
        values, affine = _image(request.mu, "mu map", scanner)
        attenuation = factors_of_map(values, affine, scanner, threads=request.workers)
        files["mu"] = Path(request.mu)
        if scan.attenuation is not None:
            remarks.append("--mu replaces the attenuation of the data")
    if request.mask is not None:
        values, affine = _image(request.mask, "mask", scanner)
        mask = on_grid((values != 0).astype(np.float32), affine, grid) >= 0.5
        files["mask"] = Path(request.mask)
        if not mask.any():
            raise InputError(f"{Path(request.mask).name} leaves no voxel of the image")
    return Inputs(
        scan=scan,
        grid=grid,
        psf=scanner.resolution if request.psf is None else request.psf,
        efficiency=efficiency,
        attenuation=attenuation,
        mask=mask,
        events=_events(request, options) if request.list_mode else None,
        files=files,
        remarks=tuple(remarks),
    )


def _events(request: ReconstructRequest, options: Options) -> EventsOfFrame:
    file = open_listmode(request.source, options.scanner)

    def prompts(frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = file.events()  # a list file is one frame here
        prompt = found.prompt
        return found.view[prompt], found.radial[prompt], found.rings[prompt]

    return prompts


def _image(path: Path, what: str, scanner: Scanner) -> tuple[np.ndarray, np.ndarray]:
    """Return a 3-D image and its affine, from NIfTI or Interfile."""
    path = Path(path)
    if path.name.lower().endswith((".hv", ".hdr")):
        read = read_interfile_image(path, scanner)
        values, affine = np.asarray(read.data, dtype=np.float32), read.affine
    else:
        file = open_nifti(path)
        _check_placed(path, what)
        if file.ndim != 3:
            raise InputError(f"{what} {path.name} has {file.ndim} dimensions", "expected 3")
        values, affine = file.read(), file.header.affine
    if not np.isfinite(values).all():
        raise InputError(f"{what} {path.name} holds values that are not numbers")
    return values, affine


def _check_placed(path: Path, what: str) -> None:
    """Refuse an image that does not say where it is."""
    import nibabel

    header = nibabel.load(path).header
    if not int(header["sform_code"]) and not int(header["qform_code"]):
        raise InputError(
            f"{what} {path.name} does not say where it is (sform and qform codes are 0)",
            "expected an affine in world coordinates",
            "set it, or resample the image to the reconstruction's grid",
        )


def _grid_like(path: Path) -> ImageGrid:
    """Return the grid of an image that was reconstructed or simulated on a scanner's axes."""
    file: LazyNifti = open_nifti(path)
    affine = np.asarray(file.header.affine, dtype=np.float64)
    size = -np.diag(affine)[:3]
    if (size <= 0.0).any() or np.abs(affine[:3, :3] + np.diag(size)).max() > _TOLERANCE:
        raise InputError(
            f"{Path(path).name} is not along the scanner's axes",
            "expected an image that was reconstructed (its axes run to the right, the front and"
            " the head)",
        )
    x, y, z = (int(n) for n in file.shape[:3])
    shape = (x, y, z)
    centre = -affine[:3, 3] + 0.5 * (np.array(shape) - 1) * size
    return ImageGrid(
        shape=shape,
        voxel_size=(float(size[0]), float(size[1]), float(size[2])),
        centre=(float(centre[0]), float(centre[1]), float(centre[2])),
    )
