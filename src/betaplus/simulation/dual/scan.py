r"""A dynamic scan of two tracers, in memory.

What is measured in frame f is the sum of two activities that decay each on its own,

.. math:: m_f = d_{1,f} x_{1,f} + d_{2,f} x_{2,f} ,

with x the frame means of a tracer decay-corrected to its own injection, and d one over the decay
correction factor of the frame, counted from that injection; x is 0 before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputFunction
from betaplus.core.progress import Progress, Silent
from betaplus.core.seeds import generator
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.simulation.brain import make_brain
from betaplus.simulation.dynamic import NOISE_LEVEL, frame_means
from betaplus.simulation.head_spread import USUAL, HeadSpread
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.noise import add_image_noise, noise_at_dose, noise_sd
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.subject import PARAMETERS, draw_region_kinetics, voxel_kinetics
from betaplus.simulation.tracers import TracerProfile, find_profile

__all__ = ["DualScan", "TracerPart", "draw_dual", "dual_frames"]

_DRAW = 41
_LONGEST = 4 * 3600.0  # s: of a delay
_SLIVER = 1.0  # s: a frame that ends less than this after the second injection ends there


@dataclass(frozen=True, eq=False, kw_only=True)
class TracerPart:
    """One of the tracers.

    Attributes:
        profile: The tracer.
        injection: Its injection [s from TimeZero, which is the first injection].
        blood: Its blood samples, in its own time and decay-corrected to its own injection.
        delay: Arrival at the brain after the blood sampler [s].
        maps: K1, k2, k3, k4, VB, each shape (X, Y, Z); 0 in air.
        clean: Frame means decay-corrected to its own injection, shape (X, Y, Z, T) float32 [Bq/mL].
        decay: One over its decay correction factors, shape (T,); 0 before its injection.
    """

    profile: TracerProfile
    injection: float
    blood: InputFunction
    delay: float
    maps: Mapping[str, np.ndarray]
    clean: np.ndarray
    decay: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class DualScan:
    """A simulated scan of two tracers and its truth.

    Attributes:
        phantom: Label map.
        frames: Frame timing from the first injection.
        parts: The tracers, that injected first before the other.
        noise: Noise level l at the dose of the scan [sqrt(Bq/mL min)].
        image: What is measured, with noise, not decay-corrected, shape (X, Y, Z, T) float32
            [Bq/mL]; 0 in air.
    """

    phantom: Phantom
    frames: FrameTiming
    parts: tuple[TracerPart, TracerPart]
    noise: float
    image: np.ndarray

    @property
    def mixture(self) -> np.ndarray:
        """What is measured without noise, shape (X, Y, Z, T) float32 [Bq/mL]."""
        first, second = (part.clean * part.decay.astype(np.float32) for part in self.parts)
        return np.asarray(first + second)


def dual_frames(first: TracerProfile, second: TracerProfile, delay: float) -> FrameTiming:
    """Return the frames of the first tracer up to the second injection, then those of the second.

    Args:
        first: Tracer injected at 0.
        second: Tracer injected at `delay`.
        delay: Second injection [s].

    Raises:
        UsageError: If the delay is out of range.
    """
    if not (np.isfinite(delay) and 0 <= delay <= _LONGEST):
        raise UsageError(f"delay is {delay:g} s", f"expected 0 to {_LONGEST:g} s")
    before: list[float] = []
    left = delay
    for duration in (*first.durations, np.inf):
        if left <= 0:
            break
        before.append(left if duration > left - _SLIVER else duration)
        left -= before[-1]
    return FrameTiming.from_durations((*before, *second.durations))


def draw_dual(
    *,
    tracers: tuple[str, str] = ("FDG", "PBR28"),
    delay: float = 1800.0,
    dose_fraction: float = 1.0,
    size: str = "small",
    seed: int = 0,
    noise: float = NOISE_LEVEL,
    noise_fwhm: float = 5.0,
    spread: HeadSpread = USUAL,
    progress: Progress | None = None,
) -> DualScan:
    """Return the scan that `simulate_dual` writes."""
    progress = progress or Silent()
    profiles = tuple(find_profile(name) for name in tracers)
    if len(profiles) != 2:
        raise UsageError(f"{len(profiles)} tracers", "expected two")
    frames = dual_frames(profiles[0], profiles[1], delay)
    level = noise_at_dose(noise, dose_fraction)
    for name, value in (("noise", noise), ("noise FWHM", noise_fwhm)):
        if not (np.isfinite(value) and value >= 0):
            raise UsageError(f"{name} is {value:g}", "expected a number from 0 up")
    phantom = make_brain(size, seed, spread=spread)
    parts = (
        _part(phantom, frames, profiles[0], 0.0, seed, progress),
        _part(phantom, frames, profiles[1], delay, _second(seed), progress),
    )
    head = phantom.labels > 0
    image = np.zeros((*head.shape, len(frames)), dtype=np.float32)
    minutes = frames.duration / SECONDS_PER_MINUTE
    floor = sum(_floor(part) for part in parts)
    progress.start("noise", len(frames))
    for t in range(len(frames)):
        mean = sum(part.decay[t] * part.clean[..., t].astype(np.float64) for part in parts)
        sd = noise_sd(mean, level, 1.0 / minutes[t], floor)
        noisy = add_image_noise(mean, sd, t, (phantom.voxel,) * 3, noise_fwhm, seed)
        image[..., t] = np.where(head, noisy, 0.0)
        progress.advance()
    progress.finish()
    return DualScan(phantom=phantom, frames=frames, parts=parts, noise=level, image=image)


def _second(seed: int) -> int:
    """Return the seed of the second tracer: its kinetics are drawn apart from the first's."""
    return int(generator(seed, item=0, draw=_DRAW).integers(2**31))


def _part(
    phantom: Phantom,
    frames: FrameTiming,
    profile: TracerProfile,
    injection: float,
    seed: int,
    progress: Progress,
) -> TracerPart:
    from betaplus.physics.response import InputResponse

    seen = frames.start >= injection - 0.5 * _SLIVER
    own = FrameTiming(start=frames.start[seen] - injection, duration=frames.duration[seen])
    end = float(own.end[-1])
    rng = generator(seed, item=0, draw=5)
    blood = draw_blood(profile.blood, profile.activity_per_gram, end, rng)
    arrival = float(rng.uniform(*profile.delay))
    response = InputResponse(blood.curve(end), own, profile.tracer.half_life)
    maps = voxel_kinetics(phantom, draw_region_kinetics(profile, seed), seed)
    head = phantom.labels > 0
    means = frame_means(response, {p: maps[p][head] for p in PARAMETERS}, arrival, progress)
    values = np.zeros((int(head.sum()), len(frames)), dtype=np.float32)
    values[:, seen] = means
    clean = np.zeros((*head.shape, len(frames)), dtype=np.float32)
    clean[head] = values
    decay = np.zeros(len(frames))
    decay[seen] = 1.0 / own.decay_factors(profile.tracer.half_life)
    return TracerPart(
        profile=profile,
        injection=injection,
        blood=blood,
        delay=arrival,
        maps={p: np.where(head, maps[p], 0.0) for p in PARAMETERS},
        clean=clean,
        decay=decay,
    )


def _floor(part: TracerPart) -> float:
    """Return what keeps the variance above 0 before arrival [Bq/mL]; see `physics.noise`."""
    from betaplus.physics.noise import NOISE_FLOOR

    plasma = part.blood.plasma
    return 0.0 if plasma is None else NOISE_FLOOR * float(np.max(plasma))
