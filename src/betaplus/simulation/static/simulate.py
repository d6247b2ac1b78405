"""A static study of a head or a body, from the options to the files."""

from __future__ import annotations

from pathlib import Path

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static.anatomy import voxel_of
from betaplus.simulation.static.scan import draw_static
from betaplus.simulation.surrogate.style import ScanStyle
from betaplus.simulation.surrogate.styles import find_style
from betaplus.simulation.surrogate.surrogate import Surrogate

__all__ = ["simulate_static"]


def simulate_static(
    out: str | Path,
    *,
    anatomy: str | Path | Phantom = "brain",
    tracer: str = "FDG",
    dose_fraction: float = 1.0,
    size: str = "small",
    style: str | ScanStyle = "Quadra",
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
        style: Scanner and reconstruction, or their name in
            `betaplus.simulation.surrogate.styles.STYLES`; the truth is as it was drawn.
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
    if not 0.0 < dose_fraction <= 1.0:
        raise UsageError(f"dose fraction {dose_fraction:g}", "expected a number in (0, 1]")
    style = find_style(style) if isinstance(style, str) else style
    voxel = voxel_of(anatomy, size)
    out = Path(out)
    refuse_earlier(out, overwrite)
    progress.start("subject", 2)
    scan = draw_static(anatomy, tracer, seed, voxel=voxel, lesions=lesions, group=group)
    progress.advance()
    surrogate = Surrogate(scan.activity, scan.mu, scan.phantom.voxel_size, style)
    image = surrogate.image(dose_fraction, seed=seed)
    progress.advance()
    progress.finish()
    settings = {
        "anatomy": "phantom" if isinstance(anatomy, Phantom) else Path(anatomy).name,
        "tracer": tracer,
        "group": scan.group,
        "dose_fraction": dose_fraction,
        "size": size,
        "style": style.name,
        "updates": style.updates,
        "filter": style.filter,
        "lesions": len(scan.lesions),
        "seed": seed,
    }
    return write_static(out, scan, image, settings)
