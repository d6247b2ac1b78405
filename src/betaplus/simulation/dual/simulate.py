"""A dynamic scan of two tracers, from the options to the files."""

from __future__ import annotations

from pathlib import Path

from betaplus.core.progress import Progress
from betaplus.simulation.dual.scan import draw_dual
from betaplus.simulation.dynamic import NOISE_LEVEL

__all__ = ["simulate_dual"]


def simulate_dual(
    out: str | Path,
    *,
    tracers: tuple[str, str] = ("FDG", "PBR28"),
    delay: float = 1800.0,
    dose_fraction: float = 1.0,
    size: str = "small",
    seed: int = 0,
    noise: float = NOISE_LEVEL,
    noise_fwhm: float = 5.0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Simulate one dynamic brain scan of two tracers and write it with both truths beside it.

    Args:
        out: Folder to write to.
        tracers: The first and the second tracer, of `betaplus.simulation.PROFILES`.
        delay: Second injection after the first [s].
        dose_fraction: Fraction of the counts that is kept; activities stay those of the full dose.
        size: Grid, of `betaplus.simulation.brain.SIZES`.
        seed: Chooses the head, the kinetics of both tracers, both blood curves and the noise.
        noise: Noise level l at full dose [sqrt(Bq/mL min)].
        noise_fwhm: Width of the kernel that correlates the noise [mm].
        overwrite: Replace files of an earlier simulation.
        progress: What to report to.

    Returns:
        What was written: ``pet`` (the mixture, not decay-corrected), ``blood/<tracer>``, ``dseg``,
        ``labels``, ``description`` and ``truth/...``, name to path.

    Raises:
        UsageError: If a name is unknown or a number is out of range.
        OutputError: If the files exist or cannot be written.
    """
    from betaplus.simulation.dual.dataset import write_dual
    from betaplus.simulation.raw.dataset import refuse_earlier

    out = Path(out)
    refuse_earlier(out, overwrite)
    scan = draw_dual(
        tracers=tracers,
        delay=delay,
        dose_fraction=dose_fraction,
        size=size,
        seed=seed,
        noise=noise,
        noise_fwhm=noise_fwhm,
        progress=progress,
    )
    settings = {
        "tracers": [part.profile.tracer.name for part in scan.parts],
        "delay": delay,
        "dose_fraction": dose_fraction,
        "size": size,
        "seed": seed,
        "noise": noise,
        "noise_fwhm": noise_fwhm,
    }
    return write_dual(out, scan, settings)
