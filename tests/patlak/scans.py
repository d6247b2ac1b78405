"""Dynamic images that follow Patlak's line exactly, and their blood."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from betaplus.core.bed_times import BedTimes
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputFunction
from betaplus.core.tracer import Tracer
from betaplus.simulation.input_functions import feng

HALF_LIFE = 6584.04
DECAY = np.log(2) / HALF_LIFE
FRAMES = FrameTiming.from_durations([15.0] * 4 + [30] * 4 + [60] * 4 + [300] * 11)
SHAPE = (6, 5, 8)


def blood() -> InputFunction:
    """Samples whose straight connection is the input, to 75 min [Bq/mL]."""
    time = np.concatenate(
        [np.arange(0, 240, 2.0), np.arange(240, 900, 15), np.arange(900, 4501, 60)]
    )
    value = 300 * feng((time - 30) / 60, (851.1, 21.88, 20.81), (4.134, 0.1191, 0.01043))
    return InputFunction(time=time, plasma=value, plasma_kind="parent")


@functools.cache
def fine() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time [s], the input and its integral [Bq/mL, Bq/mL min] on a grid with all samples in it."""
    samples = blood()
    time = np.unique(np.r_[np.arange(0, 4500.5, 0.5), samples.time])
    plasma = np.interp(time, samples.time, samples.plasma)
    steps = np.diff(time) * (plasma[1:] + plasma[:-1]) / 2
    return time, plasma, np.r_[0, np.cumsum(steps)] / 60


def frame_mean(curve: np.ndarray, start: float, duration: float) -> float:
    """Decay-corrected mean of what a frame sees, by trapezia."""
    t = np.linspace(start, start + duration, 2001)
    weight = np.exp(-DECAY * t)
    return float(np.trapezoid(weight * np.interp(t, fine()[0], curve), t) / np.trapezoid(weight, t))


def basis(start: np.ndarray, duration: np.ndarray) -> np.ndarray:
    """a and b of frames, shape (T, 2): the integral of the input, and the input."""
    _, plasma, integral = fine()
    pairs = zip(start, duration, strict=True)
    return np.array([[frame_mean(c, s, d) for c in (integral, plasma)] for s, d in pairs])


def maps(shape=SHAPE, seed=0) -> np.ndarray:
    """Ki and V0, shape (2, X, Y, Z)."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.uniform(0.002, 0.05, shape), rng.uniform(0.1, 1.0, shape)])


def scan(truth=None, frames=FRAMES, noise=0.0, seed=0, **changes) -> PetImage:
    """An image of maps, seen at once; `noise` is relative to each frame mean."""
    truth = maps() if truth is None else truth
    y = np.einsum("ti,ixyz->xyzt", basis(frames.start, frames.duration), truth)
    return image(y, frames, noise, seed, **changes)


def bed_scan(truth, times: BedTimes, noise=0.0, seed=0, **changes) -> PetImage:
    """An image of maps, every slice at its own times; its frame times are those of passes."""
    y = np.empty((*truth.shape[1:], len(times)))
    for bed in times.beds():
        rows = basis(bed.frames.start, bed.frames.duration)
        y[:, :, bed.slices] = np.einsum("ti,ixyz->xyzt", rows, truth[..., bed.slices])
    start = times.start.min(1)
    frames = FrameTiming(start, times.end.max(1) - start)
    return image(y, frames, noise, seed, **changes)


def image(y, frames, noise=0.0, seed=0, **changes) -> PetImage:
    y = y * (1 + noise * np.random.default_rng(seed).normal(size=y.shape))
    plain = PetImage(
        data=y.astype(np.float32),
        affine=np.diag([4.0, 4, 4, 1]),
        unit="Bq/mL",
        frames=frames,
        tracer=Tracer.of("F18"),
        decay_corrected_to=0.0,
    )
    return dataclasses.replace(plain, **changes)
