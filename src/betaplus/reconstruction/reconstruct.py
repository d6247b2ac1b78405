"""Raw data to images, frame by frame: the verb's Python side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.grid import ImageGrid
from betaplus.core.image import PetImage
from betaplus.core.progress import Progress
from betaplus.core.raw import RawScan
from betaplus.core.scanner import Scanner
from betaplus.reconstruction.count_model import model_of
from betaplus.reconstruction.frames import FrameReconstructor
from betaplus.reconstruction.method import SCORE_METHODS

__all__ = ["default_grid", "reconstruct"]


def default_grid(
    scanner: Scanner, *, voxel: float | None = None, width: int | None = None
) -> ImageGrid:
    """Return the grid of a scanner: slices of half the ring pitch over all rings.

    Args:
        scanner: The scanner.
        voxel: Edge of a voxel across [mm]; the width of a radial bin if None.
        width: Voxels along x and y; as many as the field of view takes if None.

    Raises:
        UsageError: If the two make no grid.
    """
    edge = scanner.bin_width if voxel is None else voxel
    if not 0.1 <= edge <= 50.0:
        raise UsageError(f"voxels of {edge:g} mm", "expected 0.1 to 50 mm")
    inside = min(scanner.fov_radius, 0.98 * scanner.radius / np.sqrt(2.0))
    count = 2 * int(inside // edge) if width is None else width
    if not 1 <= count <= 2048:
        raise UsageError(f"{count} voxels across", "expected 1 to 2048")
    return ImageGrid(
        shape=(count, count, 2 * scanner.rings - 1),
        voxel_size=(edge, edge, scanner.ring_pitch / 2.0),
    )


def reconstruct(
    scan: RawScan,
    *,
    grid: ImageGrid | None = None,
    method: str = "osem",
    settings: Mapping[str, Any] | None = None,
    efficiency: np.ndarray | None = None,
    attenuation: np.ndarray | None = None,
    psf: float = 0.0,
    mask: np.ndarray | None = None,
    threads: int | None = None,
    bundle: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> PetImage:
    """Reconstruct all frames of a scan.

    Args:
        scan: Raw data, as `betaplus.io.raw.open_raw` reads them.
        grid: The image grid; that of `default_grid` if None.
        method: ``osem``, ``map-em``, ``bsrem`` or ``svrg``; or one with a score model: ``dds``,
            ``dds-published``, ``lisch``, ``conditional``, ``gibbs`` or ``dps``, of which the mean
            of draws is returned.
        settings: Settings of the method.
        efficiency: Of each line, shape (view, radial, plane), in place of the scan's.
        attenuation: Share of photon pairs that leaves the body, likewise.
        psf: Resolution of the model, full width at half maximum [mm]; 0 leaves it out.
        mask: Voxels that may hold activity, or None.
        threads: Threads; the cores available if None.
        bundle: Folder of a prior, for methods with a score model; one that is shipped if None.
        seed: Of their draws.
        progress: What to report to.

    Returns:
        Image of shape (X, Y, Z), or (X, Y, Z, T) for several frames, in Bq/mL decay-corrected to
        TimeZero where the scan's sensitivity is known, else in counts per mm of line, with its
        remarks.

    Raises:
        InputError: If the data or factors cannot be used.
        UsageError: If the method, a setting or the grid is none.
    """
    grid = grid or default_grid(scan.scanner)
    model = model_of(scan, efficiency=efficiency, attenuation=attenuation)
    score = None
    if method in SCORE_METHODS:
        from betaplus.reconstruction.score.choice import choose_prior

        slices = str((settings or {}).get("slices", "axial"))
        score = choose_prior(
            scan, grid, bundle, method=method, slices=slices, psf=psf, seed=seed
        )  # fmt: skip
    frames = FrameReconstructor(
        scan, model, grid, method=method, settings=settings, psf=psf, mask=mask, threads=threads,
        score=score,
    )  # fmt: skip
    images = [frames.frame(n, progress) for n in range(scan.n_frames)]
    several = scan.frames is not None and scan.n_frames > 1
    return PetImage(
        data=np.stack(images, axis=-1) if several else images[0],
        affine=grid.affine,
        unit=frames.unit or "counts",
        frames=scan.frames,
        tracer=scan.tracer,
        decay_corrected_to=0.0 if scan.tracer is not None and frames.unit else None,
        injection=scan.injection,
        metadata=scan.metadata,
        source=scan.source,
        remarks=(*scan.remarks, *model.remarks),
    )
