"""The blood of a run: files, an image-derived input, a population's curve, and models of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.tacs import TacTable
from betaplus.kinetics.blood.aif import with_aif_model
from betaplus.kinetics.blood.parent_fraction import with_parent_model
from betaplus.kinetics.curves import Curves
from betaplus.kinetics.input import input_curve
from betaplus.kinetics.input_draws import draw_inputs
from betaplus.pipeline.blood import BloodChoice, declared, load_samples
from betaplus.pipeline.kinetics.request import KineticsRequest

__all__ = ["Blood", "load_run_blood"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Blood:
    """What was drawn and what the models are given.

    Attributes:
        samples: Blood samples, to show.
        used: What the fit is given: the samples, or the curve of a model of them.
        curve: Input curve [Bq/mL].
        files: Files that it depends on.
        draws: Input functions to average over, where that was asked for.
    """

    samples: InputFunction
    used: InputFunction | InputCurve
    curve: InputCurve
    files: tuple[Path, ...]
    draws: tuple[InputFunction, ...] = ()


def load_run_blood(
    request: KineticsRequest, data: PetImage | TacTable, curves: Curves, injection: float
) -> Blood:
    """Load the blood that a request names, and put its models in place.

    Args:
        request: The request.
        data: Image or table, for an image-derived input and for dose and weight.
        curves: Its curves; of an image a probe will do.
        injection: Injection start [s from TimeZero].

    Raises:
        InputError: If a file cannot be used.
        UsageError: If options contradict each other or the data.
    """
    activity = request.injected_activity
    choice = BloodChoice(
        items=tuple(str(item) for item in request.blood),
        unit=request.blood_unit,
        activity=None if activity is None else 1e6 * activity,
        weight=request.weight,
    )
    samples, files = load_samples(choice, data, Path(request.source), injection)
    _refuse_suv(samples, files[0])
    samples = declared(samples, request.plasma)
    draws: tuple[InputFunction, ...] = ()
    if request.input_draws:
        if isinstance(data, PetImage):
            raise UsageError("--input-draws with an image", "expected it with a table of curves")
        draws = tuple(draw_inputs(samples, request.parent, request.input_draws, request.seed))
    if request.parent != "samples":
        samples = with_parent_model(samples, request.parent)
    curve, _ = input_curve(samples, curves, request.dispersion)
    if request.aif == "samples":
        return Blood(samples=samples, used=samples, curve=curve, files=files, draws=draws)
    modelled = with_aif_model(samples, request.aif, float(curves.frames.end[-1]))
    curve, _ = input_curve(modelled, curves, request.dispersion)
    return Blood(samples=samples, used=modelled, curve=curve, files=files)


def _refuse_suv(blood: InputFunction, path: Path) -> None:
    if blood.unit == "SUV":
        raise InputError(
            f"{path.name} is in SUV",
            "expected Bq/mL, kBq/mL or MBq/mL, in the image and in the blood",
            "convert it back with the injected activity and the body weight, or give a population's"
            " curve as population:FILE",
        )
