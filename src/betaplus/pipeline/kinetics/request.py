"""What the kinetics verb is asked for, and the checks that need no data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.settings import make_settings
from betaplus.engine import check_engine
from betaplus.io.tsv import column_numbers, read_table
from betaplus.kinetics.compare import COMPARED, check_models
from betaplus.kinetics.delay import delay_option
from betaplus.kinetics.glucose import check_glucose
from betaplus.kinetics.method import find_method
from betaplus.kinetics.models import KineticModel, resolve
from betaplus.kinetics.prior import Prior, find_prior
from betaplus.kinetics.shared import check_shared
from betaplus.physics.perfusion import find_extraction
from betaplus.pipeline.blood import check_plasma_option
from betaplus.pipeline.run_request import ImageRequest, check_cpu, check_run
from betaplus.pipeline.typed_settings import typed_settings

__all__ = ["KineticsRequest", "Options", "check_options"]

_WITH_T_STAR = ("patlak", "logan", "mrtm2", "suvr")
_PARENT = ("samples", "hill", "exponential", "power")
_AIF = ("samples", "feng", "triexp")
_FASTEST, _SLOWEST = 0.0, 1e5  # s
_MOST_SAMPLES = 100_000


@dataclass(frozen=True, kw_only=True)
class KineticsRequest(ImageRequest):
    """The options of the verb, by the same names and with the same defaults.

    Attributes:
        blood: Blood files, ``idif:MASK`` or ``population:FILE``.
        reference: Reference region in place of blood: its name, or a mask.
        t_star: Start of the linear part [s], or None to choose it.
        model: Name of the model, or None for the usual one.
        method: Name of the method, likewise.
        prior: Name of the prior, or a TOML file.
        samples: Posterior draws of each curve.
        delay: ``fit``, ``fit-once``, ``region:NAME`` or seconds.
        dispersion: Of the sampling line [s].
        plasma: ``measured``, ``unmetabolised`` or ``whole-blood``.
        parent: Model of the parent fraction, or ``samples``.
        aif: Model of the plasma curve, or ``samples``.
        input_draws: Draws of the parent fraction that the posterior is averaged over.
        injected_activity: For a population's curve [MBq].
        weight: Body weight, likewise [kg].
        extraction: Tracer or a,b, for flow from K1.
        glucose: In plasma, for CMRglc [mmol/L].
        lumped_constant: Likewise.
        noise: ``auto``, ``estimate``, a level, or a TSV.
        weights: ``model``, ``uniform``, ``duration``, or a TSV.
        save_draws: Whether to keep the draws.
        compare_models: Whether to compare 1TCM, 2TCM3k and 2TCM besides.
        share: A parameter that all curves of a table have in common.
        blood_unit: Unit of the blood, where its file gives none.
    """

    blood: tuple[str | Path, ...] = ()
    reference: str | None = None
    t_star: float | None = None
    model: str | None = None
    method: str | None = None
    prior: str = "default"
    samples: int = 0
    delay: str = "fit"
    dispersion: float = 0.0
    plasma: str = "measured"
    parent: str = "samples"
    aif: str = "samples"
    input_draws: int = 0
    injected_activity: float | None = None
    weight: float | None = None
    extraction: str | None = None
    glucose: float | None = None
    lumped_constant: float | None = None
    noise: str = "auto"
    weights: str = "model"
    save_draws: bool = False
    compare_models: bool = False
    share: str | None = None
    blood_unit: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Options:
    """A request's options, read and checked.

    Attributes:
        model: The model.
        method: Name of the method.
        settings: The method's `Settings`.
        prior: The prior.
        noise: ``auto``, ``estimate``, a level, or standard deviations per frame.
        weights: ``model``, ``uniform``, ``duration``, or weights per frame.
        extraction: a and b of Renkin and Crone, or None.
        max_memory: Bound on the run [bytes].
        derived: What follows from an option: F, CMRglc.
    """

    model: KineticModel
    method: str
    settings: Any
    prior: Prior
    extraction: tuple[float, float] | None
    noise: float | str | np.ndarray
    weights: str | np.ndarray
    max_memory: int | None
    derived: tuple[str, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of what gets maps, in the order of tables."""
        return (*self.model.parameters, *self.model.macro, *self.derived)


def check_options(request: KineticsRequest) -> Options:
    """Read what needs no data.

    Raises:
        UsageError: If an option is unknown, out of range, or contradicts another.
        InputError: If a file it names cannot be read.
        OutputError: If the folder to write to is a file, or holds another kind of thing.
    """
    check_run(request)
    model, method = resolve(request.model, request.method, request.reference is not None)
    kind = find_method(method)
    check_glucose(model, request.glucose, request.lumped_constant)
    extraction = None if request.extraction is None else find_extraction(request.extraction)
    if extraction is not None and model.name != "1TCM":
        raise UsageError(f"--extraction with model {model.name}", "expected model 1TCM")
    if request.t_star is not None and not _FASTEST <= request.t_star <= _SLOWEST:
        raise UsageError(f"--t-star is {request.t_star:g}", "expected seconds from TimeZero")
    if request.t_star is not None and method not in _WITH_T_STAR:
        raise UsageError(f"--t-star with method {method}", f"expected {', '.join(_WITH_T_STAR)}")
    _check_blood(request)
    check_cpu(request.device, f"method {method} runs on the CPU only")
    if not 0 <= request.samples <= _MOST_SAMPLES:
        raise UsageError(f"--samples is {request.samples}", f"expected 0 to {_MOST_SAMPLES}")
    if request.save_draws and not request.samples:
        raise UsageError("--save-draws without draws", "expected --samples above 0")
    if request.seed < 0:
        raise UsageError(f"--seed is {request.seed}", "expected 0 or more")
    check_engine(request.engine, request.workers)
    prior = find_prior(request.prior)
    delay_option(request.delay, prior)
    derived = [name for name, on in (("F", extraction), ("CMRglc", request.glucose)) if on]
    noise = _noise(request.noise)
    if request.compare_models and request.reference is not None:
        raise UsageError("--compare-models with --reference", "expected it with --blood")
    if request.compare_models:
        check_models(COMPARED, noise)
    if request.share is not None:
        check_shared(request.share, model, method, prior, request.delay, noise)
    return Options(
        model=model,
        method=method,
        settings=make_settings(kind.Settings, typed_settings(request.config, request.settings)),
        prior=prior,
        extraction=extraction,
        derived=tuple(derived),
        noise=noise,
        weights=_weights(request.weights),
        max_memory=request.memory_limit,
    )


def _check_blood(request: KineticsRequest) -> None:
    if request.reference is not None:
        with_blood = {
            "--blood": bool(request.blood),
            "--dispersion": bool(request.dispersion),
            "--plasma": request.plasma != "measured",
            "--parent": request.parent != "samples",
            "--aif": request.aif != "samples",
            "--delay": request.delay != "fit",
        }
        for option, given in with_blood.items():
            if given:
                raise UsageError(f"{option} with --reference", "expected one of the two")
        return
    if not request.blood:
        raise UsageError(
            "no input function", "expected --blood FILE or --reference REGION", "name one"
        )
    check_plasma_option(request.plasma)
    for option, value, known in (
        ("--parent", request.parent, _PARENT),
        ("--aif", request.aif, _AIF),
    ):
        if value not in known:
            raise UsageError(f"{option} is {value!r}", f"expected {', '.join(known)}")
    if request.input_draws:
        _check_draws(request)
    if not any(str(item).startswith("population:") for item in request.blood):
        for option, number in (
            ("--injected-activity", request.injected_activity),
            ("--weight", request.weight),
        ):
            if number is not None:
                raise UsageError(
                    f"{option} without a population's curve", "expected --blood population:FILE"
                )


def _check_draws(request: KineticsRequest) -> None:
    for option, clashes in (
        ("--aif", request.aif != "samples"),
        ("--share", request.share is not None),
        ("--compare-models", request.compare_models),
    ):
        if clashes:
            raise UsageError(f"--input-draws with {option}", "expected one of the two")
    if request.parent == "samples":
        raise UsageError(
            "--input-draws without a model of the parent fraction",
            "expected --parent hill, exponential or power",
        )


def _weights(text: str) -> str | np.ndarray:
    if text.lower().endswith(".tsv"):
        path = Path(text)
        columns = read_table(path)
        if "weight" not in columns:
            raise InputError(f"no column weight in {path.name}", "expected one weight per frame")
        return column_numbers(columns["weight"], "weight", path.name)
    if text not in ("model", "uniform", "duration"):
        raise UsageError(
            f"--weights is {text!r}", "expected model, uniform, duration or a .tsv of weights"
        )
    return text


def _noise(text: str) -> float | str | np.ndarray:
    if text in ("auto", "estimate"):
        return text
    if text.lower().endswith(".tsv"):
        path = Path(text)
        columns = read_table(path)
        name = "sd" if "sd" in columns else next(iter(columns))
        if len(columns) > 1 and name != "sd":
            raise InputError(f"no column sd in {path.name}", "expected one SD per frame")
        values = column_numbers(columns[name], name, path.name)
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise InputError(f"an SD in {path.name} is not above 0", "expected positive numbers")
        return values
    try:
        level = float(text)
    except ValueError:
        level = np.nan
    if not 0 < level < np.inf:
        raise UsageError(
            f"--noise is {text!r}", "expected auto, estimate, a level above 0 or a .tsv of SDs"
        )
    return level
