"""Curves of both tracers in the tissues of people, in the frames of a scan."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from betaplus.core.input_function import InputFunction
from betaplus.physics.dual.mixing import Mixing
from betaplus.separation.basis import CurveSpace, draw_curves, space_of_curves
from betaplus.separation.tissue_kinetics import VB_MOST, Kinetics, TissueKinetics, draw_tissues
from betaplus.simulation.dual_study.rate_table import RateTable
from betaplus.simulation.tracers import TracerProfile

__all__ = ["CurveSource", "TissueCurves", "curves_of", "tissue_curves"]

_END_MARGIN = 1.0  # s

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False, kw_only=True)
class CurveSource:
    """What makes curves of any kinetics, where all people have one blood and one arrival.

    Attributes:
        kinetics: Of people.
        tables: Of each tracer, frame means in the frames that it has [Bq/mL].
        seen: Frames that each tracer has, shape (2, T) bool.
        factors: Of each tracer, one Bq/mL in the scale.
    """

    kinetics: TissueKinetics
    tables: tuple[RateTable, RateTable]
    seen: np.ndarray
    factors: tuple[float, float] = (1.0, 1.0)

    def curves(self, tracer: int, values: Kinetics) -> np.ndarray:
        """Return frame means, 0 before the injection, shape (N, T) [scale].

        Args:
            tracer: Which.
            values: K1, k2, k3, k4, VB, each shape (N,).
        """
        out = np.zeros((values["K1"].size, self.seen.shape[1]))
        capped = {**values, "VB": np.minimum(values["VB"], VB_MOST)}
        out[:, self.seen[tracer]] = self.tables[tracer].frame_means(capped)
        return out * self.factors[tracer]


@dataclass(frozen=True, eq=False, kw_only=True)
class TissueCurves:
    """Frame means of P people in R regions, decay-corrected to each injection, 0 before it.

    Attributes:
        names: Of the regions.
        regions: Of each tracer, those of regions as a whole, shape (P, R, T) [scale].
        voxels: Of each tracer, those of one voxel of every region, likewise.
        altered: Of each tracer, those of altered tissue in every region, likewise.
        hosts: Numbers of the regions in which tissue may be altered.
        source: What they were made from; None where people differ in more than their kinetics.
    """

    names: tuple[str, ...]
    regions: Pair
    voxels: Pair
    altered: Pair
    hosts: tuple[int, ...]
    source: CurveSource | None = None

    def scaled(self, factors: tuple[float, float]) -> TissueCurves:
        """Return the curves of each tracer in a unit of which a factor make one of this one."""
        one, two = factors

        def times(pair: Pair) -> Pair:
            return pair[0] * one, pair[1] * two

        source = self.source
        if source is not None:
            a, b = source.factors
            source = dataclasses.replace(source, factors=(a * one, b * two))
        return dataclasses.replace(
            self,
            regions=times(self.regions),
            voxels=times(self.voxels),
            altered=times(self.altered),
            source=source,
        )

    def space(
        self, mixing: Mixing, index: int, *, weights: np.ndarray | None = None, size: int = 6
    ) -> CurveSpace:
        """Return the space of a tracer's curves.

        Args:
            mixing: Frames, half-lives and injections.
            index: Which of the tracers it is.
            weights: Precision of the frames, shape (T,); their durations if None.
            size: Directions.

        Raises:
            UsageError: If there are more directions than frames.
        """
        curves = self.voxels[index].reshape(-1, len(mixing.frames))
        return space_of_curves(
            curves[:, mixing.seen[index]], mixing, index, weights=weights, size=size
        )


def tissue_curves(
    profiles: tuple[TracerProfile, TracerProfile],
    mixing: Mixing,
    *,
    blood: tuple[InputFunction | None, InputFunction | None] = (None, None),
    arrivals: tuple[float | None, float | None] = (None, None),
    subjects: int = 200,
    seed: int = 0,
    kinetics: TissueKinetics | None = None,
) -> TissueCurves:
    """Return curves from the prior of both tracers [Bq/mL].

    Args:
        profiles: The tracers and their priors of kinetics.
        mixing: Frames, half-lives and injections.
        blood: Measured inputs; of the population, people in turn, where None.
        arrivals: Arrival after the blood sampler [s]; drawn for each person where None.
        subjects: P.
        seed: Chooses the people.
        kinetics: Theirs, where they were drawn before.
    """
    drawn = kinetics or draw_tissues(profiles, subjects, seed)

    tables = [_table(profiles[i], mixing, i, blood[i], arrivals[i]) for i in (0, 1)]

    def made(i: int, values: Kinetics) -> np.ndarray:
        table = tables[i]
        if table is not None:
            return table.frame_means(values)
        return draw_curves(
            profiles[i], mixing, i, blood=blood[i], arrival=arrivals[i], seed=seed, kinetics=values
        )

    one, two = tables
    known = None
    if one is not None and two is not None:
        known = CurveSource(kinetics=drawn, tables=(one, two), seen=mixing.seen)
    return dataclasses.replace(curves_of(drawn, mixing, made), source=known)


def _table(
    profile: TracerProfile,
    mixing: Mixing,
    index: int,
    blood: InputFunction | None,
    arrival: float | None,
) -> RateTable | None:
    """Return frame means by table, where all people have one blood and one arrival."""
    if blood is None or arrival is None:
        return None
    frames = mixing.own_frames(index)
    curve = blood.curve(float(frames.end[-1]) + _END_MARGIN)
    return RateTable(curve, frames, profile.tracer.half_life, arrival)


def curves_of(
    kinetics: TissueKinetics,
    mixing: Mixing,
    made: Callable[[int, Kinetics], np.ndarray],
    scale: float = 1.0,
) -> TissueCurves:
    """Return the curves that the kinetics of people make.

    Args:
        kinetics: Of the people.
        mixing: Frames, half-lives and injections.
        made: From the number of a tracer and kinetics to its frame means, shape (P x R, frames
            seen) [Bq/mL].
        scale: The activity that is 1 [Bq/mL].
    """

    def whole(both: tuple[Kinetics, Kinetics]) -> Pair:
        out = np.zeros((2, both[0]["K1"].size, len(mixing.frames)))
        for i, values in enumerate(both):
            out[i][:, mixing.seen[i]] = made(i, values) / scale
        one, two = out.reshape(2, -1, len(kinetics.names), len(mixing.frames))
        return one, two

    return TissueCurves(
        names=kinetics.names,
        regions=whole(kinetics.regions),
        voxels=whole(kinetics.voxels),
        altered=whole(kinetics.altered),
        hosts=kinetics.hosts,
    )
