"""Pairs of images with few and with all counts, for training denoisers.

A subject is drawn, painted with a tracer, and seen by the surrogate of a scanner at full dose and
at one or several fractions of it. As in list-mode data a scan with fewer counts is a part of the
full one, and shares its noise with it; the complement, what the full scan holds beyond that part,
does not, and is what a denoiser can be trained against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static import StaticScan, draw_static
from betaplus.simulation.static.anatomy import voxel_of
from betaplus.simulation.surrogate.style import ScanStyle
from betaplus.simulation.surrogate.styles import find_style
from betaplus.simulation.surrogate.surrogate import Surrogate

__all__ = ["Pair", "make_pair", "simulate_pairs"]

_MOST = 10_000  # subjects of one call


@dataclass(frozen=True, eq=False, kw_only=True)
class Pair:
    """Images of one subject, all of shape (X, Y, Z) float32 [SUV].

    Attributes:
        doses: Fractions of the counts, rising, below 1.
        low: Image at each of them.
        full: Image with all counts.
        mean: Image without noise: what the mean of many full ones would be.
    """

    doses: tuple[float, ...]
    low: tuple[np.ndarray, ...]
    full: np.ndarray
    mean: np.ndarray

    def complement(self, n: int) -> np.ndarray:
        """Return (full - f low) / (1 - f) for the dose f of index n: noise of its own."""
        f = np.float32(self.doses[n])
        return np.maximum((self.full - f * self.low[n]) / (1.0 - f), 0.0)


def make_pair(
    surrogate: Surrogate, dose_fraction: float | Sequence[float], *, seed: int = 0, draw: int = 0
) -> Pair:
    """Draw nested images of a body: those at a lower dose are parts of those at higher ones.

    Args:
        surrogate: Of the body in a scan style; another draw is cheaper than another surrogate.
        dose_fraction: One or several, in (0, 1).
        seed: Of the noise.
        draw: Number of the draw.

    Raises:
        UsageError: If a dose is out of range.
    """
    doses = _doses(dose_fraction)
    *low, full = surrogate.nested((*doses, 1.0), seed=seed, draw=draw)
    return Pair(doses=doses, low=tuple(low), full=full, mean=surrogate.mean_image())


def simulate_pairs(
    out: str | Path,
    *,
    anatomy: str | Path | Phantom = "body",
    tracer: str = "FDG",
    dose_fraction: float | Sequence[float] = 0.1,
    style: str | ScanStyle = "Quadra",
    n: int = 1,
    size: str = "small",
    lesions: int | None = None,
    complement: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Simulate subjects with few and with all counts, and write them as PET-BIDS files.

    Args:
        out: Folder to write to.
        anatomy: ``body``, ``brain``, or a label image with known names, whose grid is kept.
        tracer: Name in `betaplus.simulation.uptake.UPTAKE`.
        dose_fraction: Fraction of the counts of the low-dose images; one or several.
        style: Scanner and reconstruction, or their name in
            `betaplus.simulation.surrogate.styles.STYLES`.
        n: Subjects, of seeds `seed` and up; ``sub-01`` is the first.
        size: ``small`` (body 6 mm, brain 4 mm) or ``full`` (2 mm).
        lesions: Number of lesions, 0 to 15; drawn if None.
        complement: Write the complement of each low-dose image too.
        seed: Chooses everything that is drawn; the same seed gives the same voxels.
        overwrite: Replace files of an earlier simulation.
        progress: What to report to.

    Returns:
        What was written, name to path: ``sub-01/pet`` (``sub-01/pet/0.1``... for several doses),
        ``sub-01/truth/...`` and so on, and ``description``.

    Raises:
        UsageError: If a name is unknown or a number is out of range.
        InputError: If a label image cannot be used.
        OutputError: If the files exist or cannot be written.
    """
    from betaplus.simulation.pairs_dataset import (
        refuse_earlier_pairs,
        remove_earlier_pairs,
        write_pair,
    )

    doses = _doses(dose_fraction)
    style = find_style(style) if isinstance(style, str) else style
    if not 1 <= n <= _MOST:
        raise UsageError(f"{n} subjects", f"expected 1 to {_MOST}")
    voxel = voxel_of(anatomy, size)
    out = Path(out)
    refuse_earlier_pairs(out, overwrite)
    progress = progress or Silent()
    progress.start("pairs", n)
    paths: dict[str, Path] = {}
    for i in range(n):
        scan = draw_static(anatomy, tracer, seed + i, voxel=voxel, lesions=lesions)
        pair = make_pair(_surrogate(scan, style), doses, seed=seed + i)
        settings = {
            "anatomy": "phantom" if isinstance(anatomy, Phantom) else Path(anatomy).name,
            "tracer": tracer,
            "group": scan.group,
            "dose_fractions": list(doses),
            "style": style.name,
            "size": size,
            "lesions": len(scan.lesions),
            "seed": seed + i,
        }
        if i == 0:
            remove_earlier_pairs(out)
        paths |= write_pair(out, f"sub-{i + 1:02d}", scan, pair, style, settings, complement)
        progress.advance()
    progress.finish()
    return paths


def _surrogate(scan: StaticScan, style: ScanStyle) -> Surrogate:
    return Surrogate(scan.activity, scan.mu, scan.phantom.voxel_size, style)


def _doses(dose_fraction: float | Sequence[float]) -> tuple[float, ...]:
    given = [dose_fraction] if isinstance(dose_fraction, (int, float)) else list(dose_fraction)
    doses = tuple(sorted({float(d) for d in given}))
    if not doses:
        raise UsageError("no dose fraction", "expected one or several")
    for dose in doses:
        if not 1e-4 <= dose < 1.0:
            raise UsageError(f"dose fraction {dose:g}", "expected a number in [0.0001, 1)")
    return doses
