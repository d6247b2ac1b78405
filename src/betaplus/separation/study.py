"""From a dynamic image of two tracers to what methods of separation work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputFunction
from betaplus.core.progress import Progress, Silent
from betaplus.core.units import activity_factor
from betaplus.physics.dual.mixing import Mixing
from betaplus.separation.basis import CurveSpace
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.study_arrival import fit_arrivals
from betaplus.separation.study_dose import amplitudes
from betaplus.separation.study_input import check_image, mixing_of, own_blood, read_mixture
from betaplus.separation.study_noise import NoiseEstimate, estimate_noise, tissue_of
from betaplus.separation.study_tracers import StudyTracer, parse_tracers
from betaplus.separation.tissue_curves import TissueCurves, tissue_curves

__all__ = ["Study", "make_study"]

DIRECTIONS = 6
"""Of the spaces of curves, or as many as a tracer has frames."""

_ARRIVALS = (-60.0, 120.0)  # s
_PEOPLE = 400  # that spaces and tissues are drawn from
_SEED = 1  # of these people
_NEGATIVE = 0.02  # of the largest mean of a frame: a mean that far below 0 is no noise


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """A scan made ready.

    Attributes:
        problem: What methods see.
        image: The image it comes from.
        tracers: The two.
        mixing: Decay of each in every frame.
        noise: How noisy frames are.
        tissue: Voxels of the mask that are not air, shape (X, Y, Z) bool.
        mean_curve: Mean of the tissue, not decay-corrected, shape (T,) [Bq/mL].
        amplitudes: Of the curves of each tracer over those of its population; 1 where its blood is
            known.
        remarks: What was found untidy, taken for granted or done about it.
    """

    problem: SeparationProblem
    image: PetImage
    tracers: tuple[StudyTracer, StudyTracer]
    mixing: Mixing
    noise: NoiseEstimate
    tissue: np.ndarray
    mean_curve: np.ndarray
    amplitudes: tuple[float, float]
    remarks: tuple[str, ...]


def make_study(
    image: PetImage,
    tracers: str | Sequence[str] | tuple[StudyTracer, StudyTracer],
    delay: float,
    *,
    blood: tuple[InputFunction | None, InputFunction | None] = (None, None),
    arrivals: tuple[float | None, float | None] = (None, None),
    mask: np.ndarray | None = None,
    progress: Progress | None = None,
) -> Study:
    """Return a scan made ready for methods of separation; the image is read once and held.

    Args:
        image: Dynamic image; decay correction for one nuclide is undone.
        tracers: Two names (`betaplus.separation.study_tracers.parse_tracers`); the injection of the
            first is that of the image.
        delay: Second injection after the first [s].
        blood: Of each tracer, in its own time and decay-corrected to its own injection.
        arrivals: Of each at the tissue after the blood sampler [s]; where None it is found from
            the mean curve, or, where that does not show it, spaces of curves allow for the range
            of the population and fits take 0.
        mask: Voxels wanted, shape (X, Y, Z); by default all that are not zero in all frames.
        progress: What to report to.

    Raises:
        InputError: If image or blood cannot be used.
        UsageError: If tracers, delay or arrivals are out of range.
    """
    progress = progress or Silent()
    pair = tracers if _parsed(tracers) else parse_tracers(tracers)  # type: ignore[arg-type]
    one, two = pair
    remarks = [*image.remarks, *check_image(image)]
    for given in arrivals:
        if given is not None and not _ARRIVALS[0] <= given <= _ARRIVALS[1]:
            raise UsageError(
                f"an arrival of {given:g} s", f"expected {_ARRIVALS[0]:g} to {_ARRIVALS[1]:g} s"
            )
    mixing = mixing_of(image, pair, delay)
    ends = [float(mixing.own_frames(i).end[-1]) for i in (0, 1)]
    own = (own_blood(blood[0], one, ends[0]), own_blood(blood[1], two, ends[1]))
    remarks += _said_of(image, mixing, pair)
    progress.start("frames", 1)
    frames = mixing.frames
    to_unit = np.full(len(frames), activity_factor(image.unit, "Bq/mL"))
    mixture, inside = read_mixture(image, mask, to_unit / _corrected(image))
    progress.finish()
    voxel = image.voxel_size
    static = np.tensordot(mixture, (frames.duration / frames.duration.sum()).astype(np.float32), 1)
    tissue = tissue_of(static, inside, voxel)
    mean = np.array([mixture[..., f][tissue].mean(dtype=np.float64) for f in range(len(frames))])
    _check_mean(mean, image)
    noise = estimate_noise(mixture, inside, tissue, frames.duration, voxel)
    scale = float(mean.max())
    known = arrivals
    arrivals = fit_arrivals(mean, mixing, own, known, noise.weights)
    for part, before, after in zip(pair, known, arrivals, strict=True):
        if before is None and after is not None:
            remarks.append(
                f"{part.label}: the tissue lags the blood by {after:g} s, which its mean curve says"
            )
    spaces, tissues, sizes = None, None, (1.0, 1.0)
    if one.profile is not None and two.profile is not None:
        tissues, raw = _expected(pair, mixing, own, arrivals, noise.weights)
        sizes = amplitudes(mean, raw, mixing.decay, (own[0] is None, own[1] is None))
        spaces = (raw[0].scaled(sizes[0] / scale), raw[1].scaled(sizes[1] / scale))
        tissues = tissues.scaled((sizes[0] / scale, sizes[1] / scale))
        for part, curve, size in zip(pair, own, sizes, strict=True):
            if curve is None:
                remarks.append(
                    f"{part.label}: no blood; its curves are those of a population,"
                    f" {size:.2g} times as large as at the usual dose, which the image says"
                )
    mixture /= np.float32(scale)
    mixture[~inside] = 0.0
    problem = SeparationProblem(
        mixture=torch.from_numpy(mixture),
        scale=scale,
        decay=mixing.decay,
        frames=frames,
        weights=noise.weights,
        noise=torch.from_numpy(noise.noise / np.float32(scale)),
        noise_fwhm=noise.fwhm,
        voxel=voxel,
        mask=torch.from_numpy(inside),
        tracers=(one.tracer, two.tracer),
        injections=(mixing.injections[0], mixing.injections[1]),
        blood=own,
        arrivals=(arrivals[0] or 0.0, arrivals[1] or 0.0),
        spaces=spaces,
        tissues=tissues,
    )
    return Study(
        problem=problem,
        image=image,
        tracers=(one, two),
        mixing=mixing,
        noise=noise,
        tissue=tissue,
        mean_curve=mean,
        amplitudes=sizes,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def _parsed(tracers: object) -> bool:
    return isinstance(tracers, tuple) and all(isinstance(one, StudyTracer) for one in tracers)


def _corrected(image: PetImage) -> np.ndarray:
    """Return what frames were multiplied by to correct them for decay, shape (T,)."""
    assert image.frames is not None
    if image.decay_corrected_to is None:
        return np.ones(len(image.frames))
    assert image.tracer is not None
    factors = image.frames.decay_factors(image.tracer.half_life)
    return factors * np.exp(-image.tracer.decay_constant * image.decay_corrected_to)


def _said_of(
    image: PetImage, mixing: Mixing, tracers: tuple[StudyTracer, StudyTracer]
) -> list[str]:
    said = []
    if image.decay_corrected_to is not None and image.tracer is not None:
        said.append(
            f"the image was decay-corrected for {image.tracer.radionuclide} to"
            f" {image.decay_corrected_to:g} s; this is undone"
        )
    for i, one in enumerate(tracers):
        for f in np.flatnonzero(mixing.split[i]):
            said.append(
                f"{one.label} is injected at {mixing.injections[i]:g} s, inside frame {f + 1}: its"
                " image there is the mean from the injection on"
            )
    return said


def _check_mean(mean: np.ndarray, image: PetImage) -> None:
    where = image.source.name if image.source else "the image"
    low = int(np.argmin(mean))
    if not mean.max() > 0.0 or mean[low] < -_NEGATIVE * mean.max():
        raise InputError(
            f"the mean of {where} in frame {low + 1} is {mean[low]:.3g} Bq/mL",
            "expected activity, which is not below 0 but for noise",
            "check the frame, or --mask",
        )


def _expected(
    tracers: tuple[StudyTracer, StudyTracer],
    mixing: Mixing,
    blood: tuple[InputFunction | None, InputFunction | None],
    arrivals: tuple[float | None, float | None],
    weights: np.ndarray,
) -> tuple[TissueCurves, tuple[CurveSpace, CurveSpace]]:
    """Return curves of people at large [Bq/mL], and the space of each tracer's."""
    profiles = tracers[0].profile, tracers[1].profile
    assert profiles[0] is not None and profiles[1] is not None
    curves = tissue_curves(
        (profiles[0], profiles[1]), mixing, blood=blood, arrivals=arrivals, subjects=_PEOPLE,
        seed=_SEED,
    )  # fmt: skip
    sizes = [min(DIRECTIONS, int(seen.sum())) for seen in mixing.seen]
    one, two = (curves.space(mixing, i, weights=weights, size=sizes[i]) for i in (0, 1))
    return curves, (one, two)
