"""`betaplus.separation.separate`: a dynamic image of two tracers to an image of each."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from betaplus.core.crew import Crew, ThreadCrew
from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputFunction
from betaplus.core.progress import Progress, Silent
from betaplus.core.units import activity_factor
from betaplus.core.views import view_of
from betaplus.engine import EngineCrew, open_engine, workers_of
from betaplus.separation.bundle import TrainedSeparation, load_separation
from betaplus.separation.method import IN_PIECES, LEARNED, SeparationMethod, find_method
from betaplus.separation.options import check_blood, check_options, method_settings
from betaplus.separation.problem import SeparatedImages
from betaplus.separation.study import Study, make_study
from betaplus.separation.study_tracers import parse_tracers
from betaplus.separation.usual_method import usual_method

__all__ = ["SeparationFit", "fit_study", "separate"]

_OF_ONE_DOSE = (
    "InjectedRadioactivity",
    "InjectedRadioactivityUnits",
    "InjectedMass",
    "InjectedMassUnits",
    "InjectedMassPerWeight",
    "InjectedMassPerWeightUnits",
    "InjectedVolume",
    "SpecificRadioactivity",
    "SpecificRadioactivityUnits",
    "MolarActivity",
    "MolarActivityUnits",
    "ModeOfAdministration",
    "InfusionRadioactivity",
    "InfusionStart",
    "InfusionSpeed",
    "InjectionEnd",
    "TracerName",
    "TracerMolecularWeight",
    "TracerMolecularWeightUnits",
    "TracerRadLex",
    "TracerSNOMED",
    "SUVbwFactor",
    "Tracers",
)
"""Fields of a sidecar that are those of one injection."""

_WHOLE_FRAMES = ("nmf", "inn-published", "ced", "cnn3d")
"""Methods that know nothing of frames in which an injection falls."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SeparationFit:
    """Images of two tracers, and what they were made from.

    Attributes:
        found: What the method made, in the scale of the problem.
        study: The scan as methods see it.
        method: Name of the method.
        settings: Of it.
        made: The method itself.
        trained: The network; None for methods without.
        remarks: What was found untidy, taken for granted or done about it.
    """

    found: SeparatedImages
    study: Study
    method: str
    settings: Any
    made: SeparationMethod
    trained: TrainedSeparation | None
    remarks: tuple[str, ...]

    @property
    def images(self) -> tuple[PetImage, PetImage]:
        """The image of each tracer, in the unit of the scan, decay-corrected to its injection."""
        return self.image(0), self.image(1)

    def _repr_html_(self) -> str:
        return str(view_of("facts")(self))

    @property
    def std(self) -> tuple[PetImage, PetImage] | None:
        """Posterior SD of both, likewise; None where the method has none."""
        if self.found.std is None:
            return None
        return self.image(0, self.found.std), self.image(1, self.found.std)

    def image(self, index: int, values: Tensor | None = None) -> PetImage:
        """Return the image of one tracer, or values like it.

        Args:
            index: 0 or 1.
            values: As `SeparatedImages.x`; that itself if None.
        """
        x = self.found.x if values is None else values
        return self.like(index, x[index].numpy() * np.float32(self.to_unit))

    @property
    def to_unit(self) -> float:
        """What turns the scale of the problem into the unit of the scan."""
        return self.study.problem.scale * activity_factor("Bq/mL", self.study.image.unit)

    def like(self, index: int, data: Any) -> PetImage:
        """Return an image with what is to be said of one tracer.

        A frame in which the tracer's injection falls begins at it.

        Args:
            index: 0 or 1.
            data: Shape (X, Y, Z, T) [unit of the scan].
        """
        study, source = self.study, self.study.image
        injection = study.problem.injections[index]
        frames, split = study.problem.frames, study.mixing.split[index]
        start = np.where(split, injection, frames.start)
        tracer = study.tracers[index].tracer
        fields = {k: v for k, v in source.metadata.items() if k not in _OF_ONE_DOSE}
        fields |= _own_fields(source, index, tracer.name)
        return dataclasses.replace(
            source,
            data=data,
            frames=FrameTiming(start, frames.end - start),
            tracer=tracer,
            decay_corrected_to=injection,
            injection=injection,
            metadata=fields,
        )


def separate(
    image: PetImage,
    tracers: str | Sequence[str],
    delay: float,
    *,
    blood: tuple[InputFunction | None, InputFunction | None] = (None, None),
    method: str | None = None,
    samples: int | None = None,
    bundle: str | Path | None = None,
    mask: np.ndarray | None = None,
    arrivals: tuple[float | None, float | None] = (None, None),
    settings: Any = None,
    seed: int = 0,
    engine: str | Executor = "threads",
    workers: int | None = None,
    progress: Progress | None = None,
) -> SeparationFit:
    """Return the images of two tracers that are in one scan.

    Args:
        image: Dynamic image; decay correction for one nuclide is undone.
        tracers: Two names, such as ``FMZ,FDG``; that injected first before the other.
        delay: Second injection after the first [s].
        blood: Of each tracer, in its own time and decay-corrected to its own injection.
        method: One of `betaplus.separation.METHODS`; ``inn`` where its network is for the tracers
            and the delay, else ``tissues``, if None.
        samples: Draws, of methods that have any.
        bundle: Folder of a network, or None for one that is shipped.
        mask: Voxels wanted, shape (X, Y, Z); by default all that are not zero in all frames.
        arrivals: Of each tracer at the tissue after the blood sampler [s].
        settings: Of the method: its `Settings`, a mapping, or None.
        seed: Of draws.
        engine: One of `betaplus.engine.ENGINES`, or an executor of `betaplus.engine.open_engine`.
        workers: Threads or processes; the cores available if None. The result does not depend on
            them.
        progress: What to report to.

    Raises:
        InputError: If image, blood or the bundle cannot be used.
        UsageError: If an option is unknown or does not fit the method.
    """
    bundle, why = None if bundle is None else Path(bundle), ""
    if method is None:
        method, why = usual_method(parse_tracers(tracers), delay, bundle)
    wanted = method_settings(method, settings, samples)
    check_options(method, bundle, _name(engine), workers)
    check_blood(method, (blood[0] is not None, blood[1] is not None))
    trained = load_separation(method, bundle) if method in LEARNED else None
    study = make_study(
        image, tracers, delay, blood=blood, arrivals=arrivals, mask=mask, progress=progress
    )
    with open_engine(engine, workers, progress) as executor:
        fit = fit_study(
            study, method=method, settings=wanted, trained=trained, seed=seed,
            crew=EngineCrew(executor, workers_of(executor, workers)), progress=progress,
        )  # fmt: skip
    return dataclasses.replace(fit, remarks=(why, *fit.remarks)) if why else fit


def fit_study(
    study: Study,
    *,
    method: str,
    settings: Any,
    trained: TrainedSeparation | None = None,
    seed: int = 0,
    workers: int = 1,
    crew: Crew | None = None,
    progress: Progress | None = None,
) -> SeparationFit:
    """Return the images of a study.

    Args:
        study: The scan.
        method: One of `betaplus.separation.METHODS`.
        settings: Its `Settings`.
        trained: The network, for methods that need one.
        seed: Of draws.
        workers: Threads, where nobody else computes.
        crew: Who computes, and keeps what is finished; so many threads if None.
        progress: What to report to.

    Raises:
        InputError: If an injection falls into a frame and the method cannot allow for it.
        UsageError: If the method needs kinetics of tracers that are not known.
    """
    crew = crew or ThreadCrew(workers)
    if method in _WHOLE_FRAMES:
        study.mixing.require_whole_frames()
    if method in ("tissues", "linear", "inn") and study.problem.spaces is None:
        raise unknown_kinetics(method, study)
    kind = find_method(method)
    made = kind(settings) if trained is None else kind(settings, trained)
    with _one_thread():
        found = made.fit(
            study.problem, seed=seed, threads=crew.threads, progress=progress or Silent(),
            **({"crew": crew} if method in IN_PIECES else {}),
        )  # fmt: skip
    remarks = list(study.remarks)
    if trained is not None:
        remarks += trained.remarks(study.problem)
    return SeparationFit(
        found=found,
        study=study,
        method=method,
        settings=settings,
        made=made,
        trained=trained,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def unknown_kinetics(method: str, study: Study) -> UsageError:
    """Return the error of a method that needs kinetics which are not known."""
    unknown = " and ".join(one.label for one in study.tracers if one.profile is None)
    return UsageError(
        f"the kinetics of {unknown} are not known",
        f"expected tracers with known kinetics for method {method}",
        "choose compartment with --blood-a and --blood-b, or nmf",
    )


def _own_fields(image: PetImage, index: int, name: str) -> dict[str, Any]:
    """Return the fields of one injection: those that the source lists by tracer, or the first's."""
    listed = image.metadata.get("betaplus")
    items = listed.get("Tracers") if isinstance(listed, Mapping) else None
    for item in items if isinstance(items, list) else []:
        if isinstance(item, Mapping) and item.get("TracerName") == name:
            return {k: v for k, v in item.items() if k in _OF_ONE_DOSE} | (
                {"InjectedRadioactivityUnits": image.metadata["InjectedRadioactivityUnits"]}
                if "InjectedRadioactivityUnits" in image.metadata
                else {}
            )
    same = str(image.metadata.get("TracerName", "")).lower() == name.lower()
    if index == 0 and same:
        return {k: image.metadata[k] for k in _OF_ONE_DOSE if k in image.metadata}
    return {}


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
