"""`betaplus.patlak.fit`: a dynamic image and its blood to maps of Ki and V0."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from betaplus.core.bed_times import BedTimes
from betaplus.core.crew import Crew
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.plasma import check_plasma
from betaplus.core.progress import Progress, Silent
from betaplus.core.views import view_of
from betaplus.engine import EngineCrew, open_engine, workers_of
from betaplus.patlak.method import LEARNED, UNWEIGHTED, find_method
from betaplus.patlak.options import (
    bed_times_option,
    check_options,
    method_settings,
    t_star_option,
)
from betaplus.patlak.orientation import RasAxes
from betaplus.patlak.prior_choice import PriorChoice, choose_prior
from betaplus.patlak.study import Study, make_study

__all__ = ["PatlakFit", "fit", "fit_study", "read_study"]

MAPS = ("Ki", "V0")


@dataclass(frozen=True, eq=False, kw_only=True)
class PatlakFit:
    """Maps, and what they were made from.

    Attributes:
        maps: ``Ki`` [mL/cm3/min] and ``V0`` [mL/cm3], shape (X, Y, Z) float32, 0 outside the mask;
            of the relative plot Ki' and V0' (see `Study.relative`).
        std: Their posterior SD, likewise; None where the method has none.
        draws: Posterior draws, shape (K, X, Y, Z); None likewise.
        u: Both maps as `PatlakMaps.u`.
        study: The scan as methods see it: t* and its rule, frames, weights.
        method: Name of the method.
        settings: Of it.
        found: What it chose or saw.
        prior: The prior; None for methods without.
        remarks: What was found untidy, taken for granted or done about it.
    """

    maps: Mapping[str, np.ndarray]
    std: Mapping[str, np.ndarray] | None
    draws: Mapping[str, np.ndarray] | None
    u: Tensor
    study: Study
    method: str
    settings: Any
    found: Mapping[str, float]
    prior: PriorChoice | None
    remarks: tuple[str, ...]

    @property
    def Ki(self) -> np.ndarray:
        """Ki [mL/cm3/min], shape (X, Y, Z)."""
        return self.maps["Ki"]

    @property
    def V0(self) -> np.ndarray:
        """V0 [mL/cm3], shape (X, Y, Z)."""
        return self.maps["V0"]

    def _repr_html_(self) -> str:
        return str(view_of("facts")(self))

    def plot(self, name: str = "Ki") -> Any:
        """Return a picture of slices of a map, and of its SD; it has ``save``.

        Args:
            name: ``Ki`` or ``V0``.
        """
        return view_of("plot_map")(self, name)


def fit(
    image: PetImage,
    blood: InputFunction | InputCurve,
    *,
    method: str = "hqs",
    t_star: float | str = "auto",
    samples: int | None = None,
    bundle: str | Path | None = None,
    anatomy: str = "auto",
    bf16: bool = False,
    mask: np.ndarray | None = None,
    delay: float = 0.0,
    relative: bool = False,
    bed_times: BedTimes | str | Path | None = None,
    dose: float | None = None,
    weight: float | None = None,
    level: float = 1.0,
    settings: Any = None,
    seed: int = 0,
    engine: str | Executor = "threads",
    workers: int | None = None,
    progress: Progress | None = None,
) -> PatlakFit:
    """Return maps of Ki and V0.

    Args:
        image: Dynamic image, decay-corrected.
        blood: Samples or a ready curve, decay-corrected to TimeZero, in the same kind of unit.
        method: One of `betaplus.patlak.METHODS`.
        t_star: Only frames that start at or after it are used [s]; ``auto`` chooses it.
        samples: Draws of ``gibbs``.
        bundle: Folder of a prior, or None for one that is shipped.
        anatomy: Which of those: ``body``, ``brain``, or ``auto``, by the extent of the activity.
        bf16: Whether the network of the prior computes in bfloat16.
        mask: Voxels wanted, shape (X, Y, Z); by default all that are not zero in all frames.
        delay: Of the tissue after the blood sampler [s].
        relative: Relative Patlak plot, for an input whose beginning is missing.
        bed_times: When each slice was seen: times, a TSV, or ``once``; None reads the sidecar.
        dose: Activity administered [Bq], where the sidecar lacks it.
        weight: Body weight [kg], likewise.
        level: Mean SUV of the body in the last frame, where dose or weight is unknown.
        settings: Of the method: its `Settings`, a mapping, or None.
        seed: Of draws.
        engine: One of `betaplus.engine.ENGINES`, or an executor of `betaplus.engine.open_engine`.
        workers: Threads or processes; the cores available if None. The result does not depend on
            them.
        progress: What to report to.

    Raises:
        InputError: If image, blood, bed times or the bundle cannot be used.
        UsageError: If an option is unknown or does not fit the method.
    """
    bundle = None if bundle is None else Path(bundle)
    wanted = method_settings(method, settings, samples)
    check_options(method, bundle, anatomy, _name(engine), workers)
    study = read_study(
        image, blood, method=method, t_star=t_star, mask=mask, delay=delay, relative=relative,
        bed_times=bed_times, dose=dose, weight=weight, level=level, progress=progress,
    )  # fmt: skip
    prior = choose_prior(study, bundle, anatomy, bf16=bf16) if method in LEARNED else None
    with open_engine(engine, workers, progress) as executor:
        return fit_study(
            study, method=method, settings=wanted, prior=prior, seed=seed,
            crew=EngineCrew(executor, workers_of(executor, workers)), progress=progress,
        )  # fmt: skip


def read_study(
    image: PetImage,
    blood: InputFunction | InputCurve,
    *,
    method: str,
    t_star: float | str,
    mask: np.ndarray | None,
    delay: float,
    relative: bool,
    bed_times: BedTimes | str | Path | None,
    dose: float | None,
    weight: float | None,
    level: float,
    progress: Progress | None,
    crew: Crew | None = None,
) -> Study:
    """Return the scan as a method wants it; arguments as those of `fit`.

    Raises:
        InputError: If image, blood or bed times cannot be used.
        UsageError: If an option is out of range.
    """
    if isinstance(blood, InputFunction) and image.tracer is not None:
        check_plasma(blood, image.tracer)
    return make_study(
        image,
        blood,
        mask=mask,
        t_star=t_star_option(t_star),
        weighted=method not in UNWEIGHTED,
        delay=delay,
        relative=relative,
        bed_times=bed_times_option(bed_times, image),
        dose=dose,
        weight=weight,
        level=level,
        progress=progress,
        crew=crew,
    )


def fit_study(
    study: Study,
    *,
    method: str,
    settings: Any,
    prior: PriorChoice | None,
    seed: int = 0,
    workers: int = 1,
    crew: Crew | None = None,
    progress: Progress | None = None,
) -> PatlakFit:
    """Return the maps of a study.

    Args:
        study: The scan.
        method: One of `betaplus.patlak.METHODS`.
        settings: Its `Settings`.
        prior: The prior, for methods that need one.
        seed: Of draws.
        workers: Threads, where nobody else computes.
        crew: Who computes, and keeps what is finished; so many threads if None.
        progress: What to report to.
    """
    kind = find_method(method)
    made = kind(settings) if prior is None else kind(settings, prior.prior)
    axes = RasAxes(study.image.affine, study.problem)
    with _one_thread():
        found = made.fit(
            axes.turn(study.problem),
            seed=seed,
            threads=workers,
            progress=progress or Silent(),
            crew=crew,
        )
    found = axes.back(found)
    scale = study.problem.scale.float()

    def split(u: Tensor | None) -> dict[str, np.ndarray] | None:
        if u is None:
            return None
        return {name: (u[..., i, :, :, :] * scale[i]).numpy() for i, name in enumerate(MAPS)}

    maps = split(found.u)
    assert maps is not None
    return PatlakFit(
        maps=maps,
        std=split(found.std),
        draws=split(found.draws),
        u=found.u,
        study=study,
        method=method,
        settings=settings,
        found=found.found,
        prior=prior,
        remarks=(*study.remarks, *(prior.remarks if prior is not None else ())),
    )


def _name(engine: str | Executor) -> str:
    """Return what options are checked with: an executor that is open is of no matter to them."""
    return engine if isinstance(engine, str) else "threads"


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Have torch compute in one thread, so that bits do not depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
