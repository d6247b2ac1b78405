r"""Checks of every run: does the pair explain the mixture, and can it be told apart at all?

Noise is that which the scan's own curves leave (`betaplus.separation.study_noise`), a fit takes up
part of it, which is found by fitting simulated voxels again
(`betaplus.separation.study_leverage`). Frames that a method
meets exactly whatever they are cannot be checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from betaplus.core.seeds import generator
from betaplus.physics.dual import Separability, TracerKinetics, check_residual, separability
from betaplus.separation.method import SeparationMethod
from betaplus.separation.problem import SeparatedImages, SeparationProblem
from betaplus.separation.study import Study
from betaplus.separation.study_leverage import leverage_of
from betaplus.separation.study_tracers import StudyTracer
from betaplus.simulation.input_functions import draw_blood

__all__ = [
    "BAND",
    "HARD",
    "REGION_BAND",
    "MixingCheck",
    "check_mixing",
    "hard_to_tell",
    "macro_of",
    "study_separability",
]

HARD = 3.0
"""Inflation of an SD above which a warning is due."""

BAND = 0.4
"""How far above 1 chi-square may be where the noise was estimated, besides chance."""

REGION_BAND = 1.0
"""Likewise of a region, whose noise is known less well than that of all tissue."""

_FLOOR = 0.02  # of the largest mean: as for the weights
_SURE = 4.0  # SD of chance
_MOST = 200_000  # voxels that are looked at
_DRAW = 77
_OPEN = 0.02  # 1 - h: below it a frame is met whatever it is
_ONE_TISSUE = 1e-4  # 1/min: median k3 of grey matter
_REVERSIBLE = 0.02  # 1/min: median k4 of grey matter
_END_MARGIN = 1.0  # s


@dataclass(frozen=True, eq=False, kw_only=True)
class MixingCheck:
    """Chi-square of what the pair leaves of the mixture.

    Attributes:
        names: Of the R regions; the first is ``all``, the tissue.
        chi_square: By frame, shape (R, T); NaN where it cannot be said.
        chance: SD of it on data that the pair describes, shape (R,).
        mean: Mean residual over the SD of a voxel's noise, shape (R, T).
        warn: Frames that are not explained, shape (R, T) bool.
        leverage: Share of the noise of each frame that the fit took up, shape (T,).
    """

    names: tuple[str, ...]
    chi_square: np.ndarray
    chance: np.ndarray
    mean: np.ndarray
    warn: np.ndarray
    leverage: np.ndarray

    @property
    def overall(self) -> np.ndarray:
        """Mean over the frames, shape (R,)."""
        known = np.isfinite(self.chi_square)
        total = np.where(known, self.chi_square, 0.0).sum(1)
        return np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)

    @property
    def flags(self) -> list[str]:
        """``pass`` or ``warn`` of each region."""
        return ["warn" if row.any() else "pass" for row in self.warn]


def check_mixing(
    study: Study,
    found: SeparatedImages,
    method: str,
    made: SeparationMethod,
    *,
    labels: np.ndarray | None = None,
    names: Mapping[int, str] | None = None,
    seed: int = 0,
) -> MixingCheck:
    """Return chi-square of a pair, of all tissue and of regions.

    Args:
        study: The scan.
        found: What a method made of it.
        method: Its name.
        made: The method itself.
        labels: Region of every voxel, shape (X, Y, Z), or None.
        names: Label to name; regions without tissue are left out.
        seed: Of the simulated voxels.
    """
    problem = study.problem
    looked = np.flatnonzero(study.tissue)
    looked = looked[:: max(len(looked) // _MOST, 1)]
    tissue = torch.zeros(study.tissue.size, dtype=torch.bool)
    tissue[torch.from_numpy(looked)] = True
    tissue = tissue.reshape(study.tissue.shape)
    mixture, noise = problem.mixture[tissue], problem.noise[tissue]
    decay = torch.from_numpy(problem.decay.astype(np.float32))
    fitted = decay[0] * found.x[0][tissue] + decay[1] * found.x[1][tissue]
    residual = (mixture - fitted).numpy()[:, None, None]
    weights = problem.weights.astype(np.float32)
    variance = (noise.numpy()[:, None, None, None] ** 2) / weights
    leverage = leverage_of(study, found, method, made, seed)
    open_ = 1.0 - leverage > _OPEN
    free = np.where(open_, leverage, 0.0)
    inside = np.zeros(len(residual), np.int64)
    if labels is not None:
        inside = labels[tissue.numpy()].astype(np.int64)
    held = set(np.unique(inside).tolist())
    kept = {one: name for one, name in (names or {}).items() if one in held and one != 0}
    activity = mixture.double().numpy()
    regions = [("all", np.ones(len(residual), bool), BAND)]
    regions += [(name, inside == one, REGION_BAND) for one, name in kept.items()]
    shape = (len(regions), len(weights))
    chi, mean, warn = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, bool)
    chance = np.zeros(len(regions))
    for row, (name, where, band) in enumerate(regions):
        found_here = check_residual(
            residual[where],
            variance[where] * _counts(activity, where, problem).astype(np.float32),
            np.ones((int(where.sum()), 1, 1), np.int64),
            {1: name},
            leverage=free,
            together=study.noise.together,
        )
        chance[row] = found_here.chance[0]
        chi[row] = np.where(open_, found_here.chi_square[0], np.nan)
        alike = study.noise.together / max(float(where.sum()), study.noise.together)
        mean[row] = found_here.mean[0] * np.sqrt(alike)
        with np.errstate(invalid="ignore"):
            warn[row] = chi[row] > 1.0 + band + _SURE * chance[row]
    return MixingCheck(
        names=tuple(name for name, _, _ in regions),
        chi_square=chi,
        chance=chance,
        mean=mean,
        warn=warn,
        leverage=leverage,
    )


def _counts(activity: np.ndarray, where: np.ndarray, problem: SeparationProblem) -> np.ndarray:
    """Return by how much a region's variance in each frame differs from s^2 / w, shape (T,).

    s knows how much activity a region has, w when most of the tissue has it; a vessel has its at
    another time. Variance goes with activity, as counts do.
    """
    share = problem.frames.duration / problem.frames.duration.sum()
    here, all_ = activity[where].mean(0), activity.mean(0)
    floor = _FLOOR * float(all_.max())
    ratio = (np.maximum(here, 0.0) + floor) / (np.maximum(all_, 0.0) + floor)
    static = (here @ share + floor) / (all_ @ share + floor)
    return np.asarray(ratio / static)


def macro_of(tracer: StudyTracer) -> str:
    """Return what a scan of a tracer is for, ``Ki`` or ``VT``, by its grey matter."""
    assert tracer.profile is not None
    grey = tracer.profile.tissues["grey matter"]
    free = grey["k3"][1] < _ONE_TISSUE or grey["k4"][1] > _REVERSIBLE
    return "VT" if free else "Ki"


def study_separability(study: Study) -> Separability | None:
    """Return the bounds of the scan's protocol in grey matter; None where kinetics are not known.

    Inputs are those measured, else of the population; frames weigh as the scan's noise says.

    Args:
        study: The scan.
    """
    if any(one.profile is None for one in study.tracers):
        return None
    parts = [_kinetics(study, i) for i in (0, 1)]
    return separability(study.mixing.frames, parts, precision=study.noise.weights)


def hard_to_tell(bounds: Separability | None, tracers: tuple[StudyTracer, StudyTracer]) -> str:
    """Return a warning in one line; empty where there is nothing to warn about."""
    if bounds is None:
        return ""
    hard = []
    for one, ratio in zip(tracers, bounds.inflation, strict=True):
        name = macro_of(one)
        value = ratio.get(name, float("nan"))
        if not value <= HARD:
            said = "cannot be told" if not np.isfinite(value) else f"{value:.1f} times the SD"
            hard.append(f"{name} of {one.label}: {said}")
    if not hard:
        return ""
    return (
        f"this protocol hardly tells the tracers apart ({'; '.join(hard)} of a scan with that"
        " tracer alone, for any unbiased estimate): images lean on what was expected of them"
    )


def _kinetics(study: Study, i: int) -> TracerKinetics:
    tracer, problem = study.tracers[i], study.problem
    profile = tracer.profile
    assert profile is not None
    own = study.mixing.own_frames(i)
    end = float(own.end[-1]) + _END_MARGIN
    blood = problem.blood[i]
    if blood is None:
        rng = generator(0, i, _DRAW)
        blood = draw_blood(profile.blood, profile.activity_per_gram, end, rng)
    middle = {p: q[1] for p, q in profile.tissues["grey matter"].items()}
    model = "2TCM3k" if macro_of(tracer) == "Ki" else "2TCM"
    if middle["k3"] < _ONE_TISSUE:
        model = "1TCM"
    names: Mapping[str, tuple[str, ...]] = {
        "1TCM": ("K1", "k2", "VB"),
        "2TCM3k": ("K1", "k2", "k3", "VB"),
        "2TCM": ("K1", "k2", "k3", "k4", "VB"),
    }
    values: dict[str, Any] = {p: float(middle[p]) for p in names[model]}
    return TracerKinetics(
        tracer=tracer.tracer,
        injection=problem.injections[i],
        curve=blood.curve(end),
        model=model,
        values=values,
        arrival=problem.arrivals[i],
    )
