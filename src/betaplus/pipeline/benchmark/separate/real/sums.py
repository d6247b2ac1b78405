"""Sums of real curves with known parts: a C-11 tracer of one person, then FDG of another.

[11C]PBR28 (kinfitr) and [11C]MC1 (OpenNeuro ds004869) are of brain regions, FDG of a voxel of a
total-body scan (PET-TRACER), whose blood is that of its image. Parts are measured, so that no model
holds exactly. The curve fills a small block, with noise of voxels added where that is asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputFunction
from betaplus.core.tracer import Tracer
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.physics.dual import Mixing
from betaplus.physics.frame_curve import curve_through_means
from betaplus.physics.response import InputResponse
from betaplus.pipeline.benchmark.patlak.real.cases import real_cases
from betaplus.pipeline.benchmark.tracer_studies import Study, mc1_studies, pbr28_studies
from betaplus.separation.basis import CurveSpace
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.tissue_curves import tissue_curves
from betaplus.simulation.dual_study.noise import noise_fields
from betaplus.simulation.tracers import PROFILES

__all__ = ["Part", "RealSum", "parts_of", "real_sums", "sum_of", "with_noise"]

BLOCK = (8, 8, 8)
"""Voxels that the curve fills."""

VOXEL = 2.5  # mm
NOISE_FWHM = 5.0  # mm

_FDG_END = 3000.0  # s: of its curve that is used
_FDG_ARRIVAL = 4.0  # s: of the brain after the heart, whose blood it is; nominal
_BEFORE = (*[10.0] * 6, *[30.0] * 4, *[60.0] * 5, *[240.0] * 20)  # s: frames before the second
_FLOOR = 0.02  # of the largest mixture: activity that noise is of at least
_SCANS = 4
_REGIONS = {"PBR28": ("THA", "FC"), "MC1": ("thalamus", "frontal")}
_KILO = 1000.0
_DIRECTIONS = 6
_PEOPLE = 150


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """A measured curve of one tracer.

    Attributes:
        name: Where it is from.
        tracer: Name, nuclide, half-life.
        frames: Of the curve, from its injection on.
        values: Decay-corrected to the injection, shape (T,) [Bq/mL].
        blood: Its blood [Bq/mL].
        arrival: At the tissue after the blood sampler [s].
        profile: Name of the population whose curves its own are expected to be like.
    """

    name: str
    tracer: Tracer
    frames: FrameTiming
    values: np.ndarray
    blood: InputFunction
    arrival: float
    profile: str


@dataclass(frozen=True, eq=False, kw_only=True)
class RealSum:
    """A scan that is the sum of two parts.

    Attributes:
        name: Both parts.
        pair: Names of the tracers, with a plus.
        delay: Second injection after the first [s].
        problem: The scan without noise in it, as methods see it.
        truth: Parts in its frames, shape (2, T) [scale of the problem].
    """

    name: str
    pair: str
    delay: float
    problem: SeparationProblem
    truth: np.ndarray


def real_sums(folder: Path, delays: tuple[float, ...], scans: int = _SCANS) -> Iterator[RealSum]:
    """Yield sums of what is in a folder of reference data.

    Args:
        folder: Reference data.
        delays: Second injection after the first [s].
        scans: Of each C-11 tracer.
    """
    fdg = _fdg(folder)
    if fdg is None:
        return
    for first in parts_of(folder, scans):
        for delay in delays:
            yield sum_of(first, fdg, delay)


def parts_of(folder: Path, scans: int = _SCANS) -> Iterator[Part]:
    """Yield regions of the first scans, one a subject, of each C-11 tracer."""
    for tracer, studies, sessions in (
        ("PBR28", pbr28_studies(folder), ("1",)),
        ("MC1", mc1_studies(folder), ("baseline",)),
    ):
        usable = (s for s in studies if s.session in sessions and s.tacs is not None)
        for study, _ in zip(usable, range(scans), strict=False):
            for region in _REGIONS[tracer]:
                yield _c11(study, region, tracer)


def sum_of(first: Part, second: Part, delay: float) -> RealSum:
    """Put both curves into the frames of one scan.

    Args:
        first: Injected at 0.
        second: Injected at `delay`.
        delay: [s].
    """
    before = FrameTiming.from_durations(_BEFORE)
    before = before.select(before.end <= delay + 1.0)
    gap = delay - float(before.end[-1])
    after = second.frames.duration[second.frames.end <= _FDG_END]
    frames = FrameTiming.from_durations([*before.duration, *([gap] if gap > 1.0 else []), *after])
    parts, injections = (first, second), (0.0, delay)
    mixing = Mixing(frames, [p.tracer for p in parts], injections)
    x = np.zeros((2, len(frames)))
    for i, part in enumerate(parts):
        half_life = part.tracer.half_life
        curve = curve_through_means(part.frames, np.maximum(part.values, 0.0), half_life)
        response = InputResponse(curve, mixing.own_frames(i), half_life)
        x[i, mixing.seen[i]] = response.plasma_mean().numpy()
    mixture = mixing.forward(x[:, None])[0]
    scale = float(mixture.max())
    precision = frames.duration / (mixture + _FLOOR * scale)
    weights = precision / precision.mean()

    tissues = tissue_curves(
        (PROFILES[first.profile], PROFILES[second.profile]),
        mixing,
        blood=(first.blood, second.blood),
        arrivals=(first.arrival, second.arrival),
        subjects=_PEOPLE,
    ).scaled((1.0 / scale, 1.0 / scale))

    def space(i: int) -> CurveSpace:
        size = min(_DIRECTIONS, int(mixing.seen[i].sum()))
        return tissues.space(mixing, i, weights=weights, size=size)

    block = np.broadcast_to((mixture / scale).astype(np.float32), (*BLOCK, len(frames)))
    problem = SeparationProblem(
        mixture=torch.from_numpy(block.copy()),
        scale=scale,
        decay=mixing.decay,
        frames=frames,
        weights=weights,
        noise=torch.full(BLOCK, 0.01),
        noise_fwhm=NOISE_FWHM,
        voxel=(VOXEL,) * 3,
        mask=torch.ones(BLOCK, dtype=torch.bool),
        tracers=(first.tracer, second.tracer),
        injections=injections,
        blood=(first.blood, second.blood),
        arrivals=(first.arrival, second.arrival),
        spaces=(space(0), space(1)),
        tissues=tissues,
    )
    return RealSum(
        name=f"{first.name}, {second.name}",
        pair=f"{first.tracer.name}+{second.tracer.name}",
        delay=delay,
        problem=problem,
        truth=x / scale,
    )


def with_noise(one: RealSum, level: float, seed: int) -> SeparationProblem:
    """Return the scan with noise of variance level^2 (m + floor) / D.

    Args:
        one: The scan.
        level: Noise level [sqrt(Bq/mL min)].
        seed: Of the noise.
    """
    problem = one.problem
    clean = problem.mixture.numpy()
    minutes = problem.frames.duration / SECONDS_PER_MINUTE
    mean = clean[0, 0, 0].astype(np.float64) + _FLOOR
    noise = noise_fields(BLOCK, problem.voxel, len(minutes), NOISE_FWHM, seed, 0, 0)
    sd = level * np.sqrt(mean / minutes / problem.scale)
    s = level / np.sqrt(float((minutes / mean).mean()) * problem.scale)
    return dataclasses.replace(
        problem,
        mixture=torch.from_numpy((clean + noise * sd).astype(np.float32)),
        noise=torch.full(BLOCK, float(s)),
    )


def _fdg(folder: Path) -> Part | None:
    for case in real_cases(folder):
        if "brain" not in case.name:
            continue
        blood = InputFunction(
            time=case.time, whole_blood=np.maximum(case.blood, 0.0), plasma_kind="whole-blood"
        )
        return Part(
            name=case.name, tracer=Tracer.of("F18", name="FDG"),
            frames=FrameTiming.from_durations(case.duration), values=case.values, blood=blood,
            arrival=_FDG_ARRIVAL, profile="FDG",
        )  # fmt: skip
    return None


def _c11(study: Study, region: str, name: str) -> Part:
    assert study.tacs is not None and study.blood is not None and study.tacs.names is not None
    assert study.tacs.tracer is not None
    tacs, blood = study.tacs, _thinned(study.blood)
    factor = _KILO if tacs.unit == "kBq/mL" else 1.0
    per = _KILO if blood.unit == "kBq/mL" else 1.0
    series = {
        key: None if values is None else per * np.asarray(values)
        for key, values in (("plasma", blood.plasma), ("whole_blood", blood.whole_blood))
    }
    return Part(
        name=f"{name} {study.subject} {region}",
        tracer=tacs.tracer,
        frames=tacs.frames,
        values=factor * tacs.values[tacs.names.index(region)],
        blood=dataclasses.replace(blood, unit="Bq/mL", **series),
        arrival=0.0,
        profile="PBR28",
    )


def _thinned(blood: InputFunction) -> InputFunction:
    """Return blood with a sample every 4 s at first, then every minute: no line between bends."""
    time = np.asarray(blood.time)
    if len(time) < 300:
        return blood
    keep = np.searchsorted(time, np.r_[np.arange(0, 240, 4), np.arange(240, time[-1], 60)])
    keep = np.unique(np.r_[keep, len(time) - 1])
    series = {
        key: None if values is None else np.asarray(values)[keep]
        for key, values in (("plasma", blood.plasma), ("whole_blood", blood.whole_blood))
    }
    return dataclasses.replace(blood, time=time[keep], **series)
