"""Which prior a scan is reconstructed with, and what 1 of its unit is in counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.grid import ImageGrid
from betaplus.core.image import PetImage
from betaplus.core.raw import RawScan
from betaplus.generative.image_prior import ImagePrior, load_image_prior
from betaplus.io.suv import suv_conversion
from betaplus.reconstruction.score.prior import SLICES, ScoreInputs, check_voxels

__all__ = [
    "PRIORS",
    "SHOWN",
    "ScorePrior",
    "activity_width",
    "choose_prior",
    "shipped_prior",
    "unlike",
]

PRIORS = {"brain": ("brain2d-sharp", "brain2d"), "body": ("body3d",)}
"""What was scanned to the names of its priors, the first of which that is there is taken: of images
as sharp as the voxels, since the model of the counts holds the scanner's resolution."""

SHOWN = {"brain": "brain2d-osem"}
"""What was scanned to the prior that is shown OSEM of the same counts, where the scan is like those
that it learned from."""

_SIGHTED = ("dds", "lisch", "conditional")  # methods that such a prior is for
_SHOWN_ALONE = ("conditional",)  # those that no other is for
_HEAD = 260.0  # mm: no head is as wide
_SLACK = 1e-3  # beyond what a prior was shown
_EDGE = 0.1  # of a profile's largest value
_VIEWS = 12  # profiles looked at
_SMOOTH = 10.0  # mm


@dataclass(frozen=True, eq=False, kw_only=True)
class ScorePrior:
    """A prior for a scan.

    Attributes:
        prior: The prior.
        seed: Seed of the run.
        per_suv: Activity of 1 SUV at TimeZero [Bq/mL], for a prior whose unit is SUV.
        why: Why this one.
    """

    prior: ImagePrior
    seed: int = 0
    per_suv: float | None = None
    why: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """What the run record says of it."""
        config = self.prior.bundle.config
        return {
            "bundle": config.folder, "sha256": config.sha256, "why": self.why,
            "per_suv": self.per_suv,
        }  # fmt: skip

    def inputs(self, frame: int, counts: float, threads: int) -> ScoreInputs:
        """Return what a method is given for a frame.

        Args:
            frame: Which: each has noise of its own.
            counts: That 1 Bq/mL gives on 1 mm.
            threads: Threads.
        """
        level = None if self.per_suv is None else self.per_suv * counts
        return ScoreInputs(
            prior=self.prior, seed=self.seed, item=frame, level=level, threads=threads
        )


def choose_prior(
    scan: RawScan,
    grid: ImageGrid,
    bundle: Path | None = None,
    *,
    method: str = "dds",
    slices: str = "axial",
    psf: float | None = None,
    seed: int = 0,
    dose: float | None = None,
    weight: float | None = None,
    bf16: bool = False,
) -> ScorePrior:
    """Return the prior for a scan on a grid.

    Args:
        scan: Raw data; where no bundle is given, activity that is less than 26 cm wide is a head's.
        grid: The image grid.
        bundle: Folder of a prior, which is taken whatever was scanned.
        method: It is for.
        slices: How that is asked to use a prior of slices.
        psf: Resolution of the model of the counts [mm]; the scanner's if None.
        seed: Seed of the run.
        dose: Activity administered [Bq], for priors in SUV, where the data do not say.
        weight: Body weight [kg], likewise.
        bf16: Whether the network computes in bfloat16.

    Raises:
        InputError: If the voxels are not of a size that the prior knows, the scan is not like those
            that a given prior is shown, a bundle is damaged, or the SUV of the scan is not known
            and the prior's unit is SUV.
        UsageError: If there is no such bundle, or the method is not for it.
    """
    psf = scan.scanner.resolution if psf is None else psf
    if bundle is not None:
        prior, why = load_image_prior("", bundle, bf16=bf16), "as given"
        if prior.sees and method not in _SIGHTED:
            raise UsageError(
                f"{prior.bundle.path.name}, which is shown OSEM of the counts, for {method}",
                f"expected {', '.join(_SIGHTED)}, or another prior",
            )
        if (wrong := unlike(prior, scan, grid, psf)) is not None:
            raise InputError(*wrong, "take another prior")
    else:
        width = activity_width(scan)
        anatomy = "brain" if width < _HEAD else "body"
        less = "less" if anatomy == "brain" else "not less"
        why = f"of a {anatomy}: the activity is {width / 10:.0f} cm wide, {less} than 26 cm"
        sighted = method in _SIGHTED and slices == "axial"
        shown = _shown_prior(anatomy, bf16) if sighted else None
        wrong = None if shown is None else unlike(shown, scan, grid, psf)
        if wrong is not None and method in _SHOWN_ALONE:
            raise InputError(*wrong, "take dds or gibbs")
        if shown is not None and wrong is None:
            prior = shown
        else:
            prior = shipped_prior(anatomy, bf16=bf16, slices=grid.shape[2])
    check_voxels(prior, grid, SLICES["axial"])
    per_suv = None if prior.unit == "uptake" else _per_suv(scan, dose, weight)
    name = prior.bundle.config.folder
    return ScorePrior(prior=prior, seed=seed, per_suv=per_suv, why=f"prior {name}, {why}")


def shipped_prior(anatomy: str, *, bf16: bool = False, slices: int | None = None) -> ImagePrior:
    """Return the prior of ``brain`` or ``body`` that is shipped, or in the folder of bundles.

    Args:
        anatomy: What was scanned.
        bf16: Whether the network computes in bfloat16.
        slices: How many slices there are: a prior of slabs needs so many; enough if None.

    Raises:
        InputError: If it is damaged.
        UsageError: If there is none.
    """
    *better, last = PRIORS[anatomy]
    for name in better:
        try:
            prior = load_image_prior(name, bf16=bf16)
        except UsageError:
            continue
        if slices is None or slices >= prior.slab:
            return prior
    return load_image_prior(last, bf16=bf16)


def unlike(prior: ImagePrior, scan: RawScan, grid: ImageGrid, psf: float) -> tuple[str, str] | None:
    """Return what of a scan a prior was not shown and what was expected; None if it fits.

    Args:
        prior: The prior; one that is shown nothing fits any scan.
        scan: Raw data.
        grid: The image grid.
        psf: Resolution of the model of the counts [mm].
    """
    if not prior.sees:
        return None
    known, name = prior.bundle.config.validity, prior.bundle.path.name
    if scan.scanner.tof:
        return "time of flight", f"expected none, as {name} was trained without it"
    if scan.scanner.name not in known["scanner"]:
        names = " or ".join(map(str, known["scanner"]))
        return f"a scan of {scan.scanner.name}", f"expected {names}, as {name} was shown"
    prompts = [float(np.sum(frame, dtype=np.float64)) for frame in scan.prompts]
    found = {
        "resolution of the model [mm]": [psf],
        "voxel size [mm]": list(grid.voxel_size),
        "prompts per voxel": [one / math.prod(grid.shape) for one in prompts],
    }
    for what, values in found.items():
        low, high = (float(end) for end in known[what])
        for value in values:
            if not low * (1 - _SLACK) <= value <= high * (1 + _SLACK):
                return f"{what}: {value:g}", f"expected {low:g} to {high:g}, as {name} was shown"
    return None


def _shown_prior(anatomy: str, bf16: bool) -> ImagePrior | None:
    """Return the prior that is shown OSEM, where there is one."""
    try:
        return load_image_prior(SHOWN.get(anatomy, ""), bf16=bf16) if anatomy in SHOWN else None
    except UsageError:
        return None


def activity_width(scan: RawScan) -> float:
    """Return how wide the activity is across, at its widest [mm].

    That of profiles of the longest frame less its background, where they are above a tenth of their
    largest value.
    """
    from scipy.ndimage import gaussian_filter1d

    scanner, frame = scan.scanner, 0
    if scan.frames is not None:
        frame = int(np.argmax(scan.frames.duration))
    counts = _profiles(scan.prompts[frame])
    if scan.randoms is not None:
        counts -= _profiles(scan.randoms[frame])
    elif scan.delayeds is not None:
        counts -= _profiles(scan.delayeds[frame])
    if scan.scatter is not None:
        counts -= _profiles(scan.scatter[frame])
    pooled = np.stack([part.sum(0) for part in np.array_split(counts, _VIEWS)])
    smooth = gaussian_filter1d(pooled, _SMOOTH / 2.355 / scanner.bin_width, axis=1)
    widest = 0.0
    for profile in smooth:
        above = np.flatnonzero(profile > _EDGE * max(float(profile.max()), 0.0))
        if above.size:
            widest = max(widest, float(above[-1] - above[0] + 1) * scanner.bin_width)
    return widest


def _profiles(sinogram: np.ndarray) -> np.ndarray:
    """Return sums over planes and time of flight, shape (view, radial)."""
    array = np.asarray(sinogram)
    return array.sum(axis=tuple(range(2, array.ndim)), dtype=np.float64)


def _per_suv(scan: RawScan, dose: float | None, weight: float | None) -> float:
    if scan.sensitivity is None or scan.frames is None or scan.tracer is None:
        raise InputError(
            "a prior in SUV for images without a unit",
            "expected the scanner's sensitivity, frame times and a radionuclide in the data",
            "take a prior whose unit is uptake, or another method",
        )
    image = PetImage(
        data=np.zeros((1, 1, 1), np.float32),
        affine=np.eye(4),
        unit="Bq/mL",
        tracer=scan.tracer,
        decay_corrected_to=0.0,
        injection=scan.injection,
        metadata={"InjectionStart": scan.injection, **scan.metadata},
        source=scan.source,
    )
    factor = float(suv_conversion(image, dose=dose, weight=weight).factor)
    if not (factor > 0.0 and math.isfinite(factor)):
        raise InputError(f"{factor:g} SUV for 1 Bq/mL", "expected a number above 0")
    return 1.0 / factor
