"""A static study of a head or a body, from the options to the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.simulation.noise import noise_at_dose
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static.anatomy import voxel_of
from betaplus.simulation.static.noise import blurred, image_noise
from betaplus.simulation.static.scan import draw_static

__all__ = ["simulate_static"]


def simulate_static(
    out: str | Path,
    *,
    anatomy: str | Path | Phantom = "brain",
    tracer: str = "FDG",
    dose_fraction: float = 1.0,
    size: str = "small",
    resolution: float = 4.5,
    lesions: int | None = None,
    group: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Simulate a static scan and write it as PET-BIDS files with the truth beside it.

    Args:
        out: Folder to write to.
        anatomy: ``brain``, ``body`` (vertex to thighs), or a label image with known names
            (`betaplus.simulation.labelled.read_anatomy`), whose grid is kept.
        tracer: Name in `betaplus.simulation.uptake.UPTAKE`.
        dose_fraction: Fraction of the counts that is kept; activities stay those of the full dose.
        size: ``small`` (brain 4 mm, body 6 mm) or ``full`` (2 mm).
        resolution: Width of the Gaussian that blurs the image before noise is added [mm]; the
            truth is never blurred.
        lesions: Number of lesions, 0 to 15; drawn if None.
        group: Group of people, where the tracer has several (``amyloid-positive``); drawn if None.
        seed: Chooses everything that is drawn; the same seed gives the same voxels.
        overwrite: Replace files of an earlier simulation.
        progress: What to report to.

    Returns:
        What was written: ``pet``, ``dseg``, ``labels``, ``description`` and ``truth/...``, name to
        path.

    Raises:
        UsageError: If a name is unknown or a number is out of range.
        InputError: If a label image cannot be used.
        OutputError: If the files exist or cannot be written.
    """
    from betaplus.simulation.raw.dataset import refuse_earlier
    from betaplus.simulation.static.dataset import write_static

    progress = progress or Silent()
    noise_at_dose(1.0, dose_fraction)
    if not (np.isfinite(resolution) and 0 <= resolution <= 50):
        raise UsageError(f"resolution is {resolution:g} mm", "expected 0 to 50 mm")
    voxel = voxel_of(anatomy, size)
    out = Path(out)
    refuse_earlier(out, overwrite)
    progress.start("subject", 2)
    scan = draw_static(anatomy, tracer, seed, voxel=voxel, lesions=lesions, group=group)
    progress.advance()
    edges = scan.phantom.voxel_size
    mean = blurred(scan.activity, edges, resolution)
    image = image_noise(mean, scan.mu, edges, dose_fraction, seed)
    progress.advance()
    progress.finish()
    settings = {
        "anatomy": "phantom" if isinstance(anatomy, Phantom) else Path(anatomy).name,
        "tracer": tracer,
        "group": scan.group,
        "dose_fraction": dose_fraction,
        "size": size,
        "resolution": resolution,
        "lesions": len(scan.lesions),
        "seed": seed,
    }
    return write_static(out, scan, image, settings)
