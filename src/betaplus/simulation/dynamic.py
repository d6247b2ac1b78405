"""A dynamic brain scan with known truth, from anatomy to noisy frames; bodies: `dynamic_study`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.input_function import InputFunction
from betaplus.core.progress import Progress, Silent
from betaplus.core.seeds import generator
from betaplus.simulation.brain import make_brain
from betaplus.simulation.fields import sigma_of_fwhm
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.noise import add_image_noise, noise_at_dose, noise_sd
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.subject import PARAMETERS, draw_region_kinetics, voxel_kinetics
from betaplus.simulation.tracers import TracerProfile, find_profile

if TYPE_CHECKING:
    from betaplus.physics.response import InputResponse

__all__ = ["NOISE_LEVEL", "DynamicScan", "draw_dynamic", "frame_means", "simulate_dynamic"]

NOISE_LEVEL = 5.0
"""l of the noise model at full dose [sqrt(Bq/mL min)]: the middle of the 2.9-7.1 that PET-TRACER
(arXiv 2509.13614) gives for FDG voxels."""

_CHUNK = 4096  # voxels


@dataclass(frozen=True, eq=False, kw_only=True)
class DynamicScan:
    """A simulated scan and its truth, in memory.

    Attributes:
        profile: The tracer.
        phantom: Label map.
        maps: K1, k2, k3, k4, VB, each shape (X, Y, Z); 0 in air.
        blood: Blood samples, which are the true input.
        delay: Arrival at the brain after the blood sampler [s].
        noise: Noise level l at the dose of the scan [sqrt(Bq/mL min)].
        clean: Noise-free frame means, shape (X, Y, Z, T) float32 [Bq/mL].
        image: With noise, likewise; 0 in air.
    """

    profile: TracerProfile
    phantom: Phantom
    maps: Mapping[str, np.ndarray]
    blood: InputFunction
    delay: float
    noise: float
    clean: np.ndarray
    image: np.ndarray


def simulate_dynamic(
    out: str | Path,
    *,
    anatomy: str = "brain",
    tracer: str = "FDG",
    dose_fraction: float = 1.0,
    size: str = "small",
    seed: int = 0,
    noise: float = NOISE_LEVEL,
    noise_fwhm: float = 5.0,
    partial_volume: float = 0.0,
    format: str = "nii.gz",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Simulate a dynamic scan and write it as PET-BIDS files with the truth beside it.

    Args:
        out: Folder to write to.
        anatomy: ``brain``, or ``body``: a trunk with FDG in the calibrated surrogate of a scanner,
            whose noise and resolution take the place of those below
            (`betaplus.simulation.dynamic_study.dataset.simulate_body`).
        tracer: ``FDG`` or ``PBR28``.
        dose_fraction: Fraction of the counts that is kept; activities stay those of the full dose.
        size: ``small`` (40 x 48 x 32 at 4.5 mm), ``full`` (96 x 112 x 80 at 2 mm) or ``large``
            (148 x 172 x 124 at 1.3 mm, with 1.1 to 1.3 million voxels inside the head).
        seed: Chooses the head, its kinetics, the blood, the delay and the noise; the same seed
            gives the same voxels on any number of threads.
        noise: Noise level l at full dose [sqrt(Bq/mL min)], whatever the voxel size.
        noise_fwhm: Width of the kernel that correlates the noise [mm].
        partial_volume: Width of the resolution kernel that blurs the noise-free frames before
            noise is added [mm]; 0 leaves every voxel one tissue. The truth is never blurred.
        format: ``nii.gz`` or ``zarr``: what the image and its noise-free truth are written as.
        overwrite: Replace files of an earlier simulation.
        progress: What to report to.

    Returns:
        What was written: ``pet``, ``blood``, ``dseg``, ``tacs``, ``description`` and
        ``truth/...``, name to path.

    Raises:
        UsageError: If a name is unknown or a number is out of range.
        OutputError: If the files exist or cannot be written.
    """
    from betaplus.simulation.dataset import FORMATS, refuse_existing, write_dynamic

    out = Path(out)
    if anatomy == "body":
        from betaplus.simulation.dynamic_study.dataset import simulate_body

        if tracer.upper() != "FDG" or partial_volume or noise != NOISE_LEVEL or noise_fwhm != 5.0:
            raise UsageError(
                "a body with another tracer, noise or resolution",
                "expected FDG with the noise and resolution of the scanner",
                "leave out the tracer, noise and partial volume",
            )
        return simulate_body(
            out,
            dose_fraction=dose_fraction,
            size=size,
            seed=seed,
            format=format,
            overwrite=overwrite,
            progress=progress,
        )
    if anatomy != "brain":
        raise UsageError(f"anatomy {anatomy!r} is unknown", "expected brain or body")
    if format not in FORMATS:
        raise UsageError(f"format {format!r} is unknown", f"expected {' or '.join(FORMATS)}")
    refuse_existing(out, overwrite)
    scan = draw_dynamic(
        tracer=tracer,
        dose_fraction=dose_fraction,
        size=size,
        seed=seed,
        noise=noise,
        noise_fwhm=noise_fwhm,
        partial_volume=partial_volume,
        progress=progress,
    )
    settings = {
        "tracer": scan.profile.tracer.name,
        "dose_fraction": dose_fraction,
        "size": size,
        "seed": seed,
        "noise": noise,
        "noise_fwhm": noise_fwhm,
        "partial_volume": partial_volume,
    }
    return write_dynamic(out, scan, settings, format)


def draw_dynamic(
    *,
    tracer: str = "FDG",
    dose_fraction: float = 1.0,
    size: str = "small",
    seed: int = 0,
    noise: float = NOISE_LEVEL,
    noise_fwhm: float = 5.0,
    partial_volume: float = 0.0,
    progress: Progress | None = None,
) -> DynamicScan:
    """Return the scan that `simulate_dynamic` writes."""
    from betaplus.physics.noise import noise_floor, noise_gain
    from betaplus.physics.response import InputResponse

    progress = progress or Silent()
    profile = find_profile(tracer)
    level = noise_at_dose(noise, dose_fraction)
    for name, value in (("noise", noise), ("noise FWHM", noise_fwhm), ("blur", partial_volume)):
        if not (np.isfinite(value) and value >= 0):
            raise UsageError(f"{name} is {value:g}", "expected a number from 0 up")
    phantom = make_brain(size, seed)
    maps = voxel_kinetics(phantom, draw_region_kinetics(profile, seed), seed)
    frames = profile.frames
    rng = generator(seed, item=0, draw=5)
    blood = draw_blood(profile.blood, profile.activity_per_gram, float(frames.end[-1]), rng)
    delay = float(rng.uniform(*profile.delay))
    response = InputResponse(blood.curve(float(frames.end[-1])), frames, profile.tracer.half_life)
    head = phantom.labels > 0
    clean = np.zeros((*head.shape, len(frames)), dtype=np.float32)
    voxels = np.flatnonzero(head)
    rows = clean.reshape(-1, len(frames))
    progress.start("frames", voxels.size)
    for part, values in _mean_chunks(response, {p: maps[p][head] for p in PARAMETERS}, delay):
        rows[voxels[part]] = values
        progress.advance(part.stop - part.start)
    progress.finish()
    gain, floor = noise_gain(frames, profile.tracer.half_life), noise_floor(response)
    image = np.zeros_like(clean)
    voxel = (phantom.voxel,) * 3
    progress.start("noise", len(frames))
    for frame in range(len(frames)):
        mean = _blurred(clean[..., frame].astype(np.float64), partial_volume, phantom.voxel)
        sd = noise_sd(mean, level, gain[frame], floor)
        noisy = add_image_noise(mean, sd, frame, voxel, noise_fwhm, seed)
        image[..., frame] = np.where(head, noisy, 0.0)
        progress.advance()
    progress.finish()
    return DynamicScan(
        profile=profile,
        phantom=phantom,
        maps={p: np.where(head, maps[p], 0.0) for p in PARAMETERS},
        blood=blood,
        delay=delay,
        noise=level,
        clean=clean,
        image=image,
    )


def frame_means(
    response: InputResponse,
    parameters: Mapping[str, np.ndarray],
    delay: float | np.ndarray = 0.0,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return noise-free frame means, shape (N, T) float64 [input unit].

    Chunks of one size on one thread, so that the result does not depend on the number of threads.

    Args:
        response: Input function and frames.
        parameters: K1, k2 and any of k3, k4, VB, each shape (N,).
        delay: Scalar or shape (N,) [s].
        progress: What to report to.
    """
    progress = progress or Silent()
    n = np.size(parameters["K1"])
    out = np.empty((n, len(response.frames)))
    progress.start("frames", n)
    for part, values in _mean_chunks(response, parameters, delay):
        out[part] = values
        progress.advance(part.stop - part.start)
    progress.finish()
    return out


def _mean_chunks(
    response: InputResponse, parameters: Mapping[str, np.ndarray], delay: float | np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (curves, their frame means float64), a chunk at a time."""
    import torch

    from betaplus.physics.compartments import predict

    values = {k: np.asarray(v, dtype=np.float64) for k, v in parameters.items()}
    n = values["K1"].size
    values["delay"] = np.broadcast_to(np.asarray(delay, dtype=np.float64), n)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for start in range(0, n, _CHUNK):
            part = slice(start, min(start + _CHUNK, n))
            chunk = {k: torch.tensor(v[part]) for k, v in values.items()}
            yield part, predict(response, chunk).numpy()
    finally:
        torch.set_num_threads(threads)


def _blurred(frame: np.ndarray, fwhm: float, voxel: float) -> np.ndarray:
    if fwhm <= 0:
        return frame
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(frame, sigma_of_fwhm(fwhm) / voxel, mode="constant")
