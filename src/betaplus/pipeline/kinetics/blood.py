"""The blood of a run: files, an image-derived input, a population's curve, and models of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.tacs import TacTable
from betaplus.io.blood import load_blood
from betaplus.io.voxels import load_mask
from betaplus.kinetics.blood.aif import with_aif_model
from betaplus.kinetics.blood.image_derived import image_derived
from betaplus.kinetics.blood.parent_fraction import with_parent_model
from betaplus.kinetics.blood.population import body_weight, injected_activity, scale_population
from betaplus.kinetics.curves import Curves
from betaplus.kinetics.input import input_curve
from betaplus.kinetics.input_draws import draw_inputs
from betaplus.pipeline.kinetics.request import KineticsRequest

__all__ = ["Blood", "load_run_blood"]

_KINDS = {"unmetabolised": "parent", "whole-blood": "whole-blood"}


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
    items = [str(item) for item in request.blood]
    special = [item for item in items if item.startswith(("idif:", "population:"))]
    if special and len(items) > 1:
        raise UsageError(f"--blood {special[0]} beside other blood", "expected it alone")
    if special:
        kind, _, name = special[0].partition(":")
        files: tuple[Path, ...] = (Path(name),)
        make = _image_derived if kind == "idif" else _population
        samples = make(Path(name), request, data, injection)
    else:
        files = tuple(Path(item) for item in items)
        samples = load_blood(list(files), unit=request.blood_unit, injection=injection)
        _refuse_suv(samples, files[0])
    if request.plasma != "measured":
        samples = _declared(samples, request.plasma)
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


def _image_derived(
    path: Path, request: KineticsRequest, data: PetImage | TacTable, injection: float
) -> InputFunction:
    if not isinstance(data, PetImage):
        raise UsageError("--blood idif: with a table of curves", "expected it with an image only")
    return image_derived(data, load_mask(path, data))


def _population(
    path: Path, request: KineticsRequest, data: PetImage | TacTable, injection: float
) -> InputFunction:
    blood = load_blood([path], unit=request.blood_unit, injection=injection)
    remarks: list[str] = []
    if request.injected_activity is not None:
        activity = 1e6 * request.injected_activity
    else:
        activity, notes = injected_activity(data.metadata, _where(data))
        remarks += notes
    if request.weight is not None:
        weight = request.weight
    else:
        weight, notes = body_weight(Path(request.source), data.metadata)
        remarks += notes
    scaled = scale_population(blood, activity, weight)
    return dataclasses.replace(scaled, remarks=(*scaled.remarks, *remarks))


def _declared(blood: InputFunction, plasma: str) -> InputFunction:
    """Blood whose plasma is said to be unmetabolised, or to be stood in for by whole blood."""
    where = blood.source.name if blood.source else "the blood"
    if plasma == "whole-blood" and blood.whole_blood is None:
        raise InputError(f"{where} holds no whole blood", "expected it with --plasma whole-blood")
    if plasma == "unmetabolised" and blood.parent_fraction is not None:
        raise UsageError(
            f"--plasma unmetabolised, but {where} holds a parent fraction",
            "expected one or the other",
        )
    if plasma == "unmetabolised" and blood.plasma is None:
        raise InputError(f"{where} holds no plasma", "expected it with --plasma unmetabolised")
    return dataclasses.replace(blood, plasma_kind=_KINDS[plasma])


def _refuse_suv(blood: InputFunction, path: Path) -> None:
    if blood.unit == "SUV":
        raise InputError(
            f"{path.name} is in SUV",
            "expected Bq/mL, kBq/mL or MBq/mL, in the image and in the blood",
            "convert it back with the injected activity and the body weight, or give a population's"
            " curve as population:FILE",
        )


def _where(data: PetImage | TacTable) -> str:
    return data.source.name if data.source else "the input"
