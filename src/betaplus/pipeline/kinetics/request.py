"""What the kinetics verb is asked for, and the checks that need no data."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.engine import make_executor, parse_memory
from betaplus.io.tsv import column_numbers, read_table
from betaplus.kinetics.delay import delay_option
from betaplus.kinetics.method import METHODS, find_method, make_settings
from betaplus.kinetics.prior import Prior, find_prior
from betaplus.physics.compartments import MODELS, find_model

__all__ = ["KineticsRequest", "Options", "check_options"]

_PLANNED_METHODS = (
    "consistency",
    "consistency-published",
    "flow",
    "nuts",
    "abc",
    "ddpm",
    "score",
    "patlak",
    "logan",
)
_PLANNED_MODELS = ("SRTM", "MRTM2")
_MOST_SAMPLES = 100_000


@dataclass(frozen=True, kw_only=True)
class KineticsRequest:
    """The options of ``betaplus kinetics``, by the same names and with the same defaults.

    Attributes:
        source: Image or table of curves.
        out: Folder to write to.
        blood: Blood files.
        command: The command line, for the record.
    """

    source: Path
    out: Path
    blood: tuple[str | Path, ...] = ()
    reference: str | None = None
    t_star: float | None = None
    model: str = "2TCM"
    method: str = "exact"
    prior: str = "default"
    samples: int = 0
    delay: str = "fit"
    noise: str = "auto"
    mask: Path | None = None
    regions: Path | None = None
    save_draws: bool = False
    settings: tuple[str, ...] = ()
    config: Path | None = None
    unit: str | None = None
    radionuclide: str | None = None
    decay_corrected_to: str | None = None
    blood_unit: str | None = None
    seed: int = 0
    engine: str = "threads"
    workers: int | None = None
    max_memory: str | None = None
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    command: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Options:
    """A request's options, read and checked.

    Attributes:
        settings: The method's `Settings`.
        prior: The prior.
        noise: ``auto``, ``estimate``, a level, or standard deviations per frame.
        max_memory: Bound on the run [bytes].
    """

    settings: Any
    prior: Prior
    noise: float | str | np.ndarray
    max_memory: int | None


def check_options(request: KineticsRequest) -> Options:
    """Read what needs no data.

    Raises:
        UsageError: If an option is unknown, out of range, or contradicts another.
        InputError: If a file it names cannot be read.
    """
    if request.reference is not None or request.t_star is not None:
        option = "--reference" if request.reference is not None else "--t-star"
        raise UsageError(
            f"{option} is not built yet", f"there are {', '.join(MODELS)}, with --blood"
        )
    _not_yet("model", request.model, _PLANNED_MODELS, list(MODELS))
    _not_yet("method", request.method, _PLANNED_METHODS, list(METHODS))
    find_model(request.model)
    kind = find_method(request.method)
    _check_blood(request)
    _check_device(request)
    if not 0 <= request.samples <= _MOST_SAMPLES:
        raise UsageError(f"--samples is {request.samples}", f"expected 0 to {_MOST_SAMPLES}")
    if request.save_draws and not request.samples:
        raise UsageError("--save-draws without draws", "expected --samples above 0")
    if request.seed < 0:
        raise UsageError(f"--seed is {request.seed}", "expected 0 or more")
    if request.resume and request.overwrite:
        raise UsageError("--resume and --overwrite are both given", "they exclude each other")
    make_executor(request.engine, request.workers).shutdown()
    prior = find_prior(request.prior)
    delay_option(request.delay, prior)
    return Options(
        settings=make_settings(kind.Settings, _settings(request)),
        prior=prior,
        noise=_noise(request.noise),
        max_memory=None if request.max_memory is None else parse_memory(request.max_memory),
    )


def _not_yet(what: str, name: str, planned: tuple[str, ...], there: list[str]) -> None:
    if name in planned and name not in there:
        raise UsageError(f"{what} {name!r} is not built yet", f"there are {', '.join(there)}")


def _check_blood(request: KineticsRequest) -> None:
    if not request.blood:
        raise UsageError("no input function", "expected --blood FILE", "name the blood samples")
    for item in request.blood:
        if str(item).startswith("idif:"):
            raise UsageError(
                f"--blood {item}: image-derived input is not built yet",
                "expected a *_blood.tsv or *_inputfunction.tsv",
            )


def _check_device(request: KineticsRequest) -> None:
    if request.device.partition(":")[0] == "cuda":
        raise UsageError(
            f"--device is {request.device}",
            f"method {request.method} runs on the CPU only",
            "give --device auto or cpu",
        )
    if request.device not in ("auto", "cpu"):
        raise UsageError(f"--device is {request.device!r}", "expected auto or cpu")


def _settings(request: KineticsRequest) -> dict[str, Any]:
    """Settings of the method: those of the file, overruled by those of the command line."""
    values: dict[str, Any] = {}
    if request.config is not None:
        path = Path(request.config)
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path.name} is not valid TOML: {error}") from error
    for text in request.settings:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {text!r}", "expected NAME=VALUE")
        values[name.strip()] = value.strip()
    return values


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
