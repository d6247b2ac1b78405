"""What `betaplus separate` is asked to do, and the checks that need no data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.engine import Choice
from betaplus.pipeline.blood import check_plasma_option
from betaplus.pipeline.run_names import RunNames
from betaplus.pipeline.run_request import ImageRequest, check_cpu, check_run
from betaplus.pipeline.typed_settings import typed_settings
from betaplus.separation.costs import MOST_PIECES
from betaplus.separation.options import check_blood, method_settings
from betaplus.separation.options import check_options as check_method
from betaplus.separation.study_tracers import StudyTracer, parse_tracers
from betaplus.separation.usual_method import usual_method

__all__ = ["Names", "Options", "SeparateRequest", "check_options"]


@dataclass(frozen=True, kw_only=True)
class SeparateRequest(ImageRequest):
    """The options of the verb, by the same names and with the same defaults.

    Attributes:
        tracers: Two names with a comma between; that injected first before the other.
        delay: Second injection after the first [s].
        blood_a: Files of the first tracer's blood.
        blood_b: Of the second's.
        method: Name of a method; None for `betaplus.separation.usual_method`.
        samples: Draws, or None.
        bundle: Folder of a network, or None for one that is shipped.
        arrival_a: Of the first tracer at the tissue after the blood sampler [s], or None.
        arrival_b: Of the second.
        plasma_a: ``measured``, ``unmetabolised`` or ``whole-blood``.
        plasma_b: Likewise.
        blood_unit: Unit of the blood, where its file gives none.
    """

    tracers: str = ""
    delay: float | None = None
    blood_a: tuple[str, ...] = ()
    blood_b: tuple[str, ...] = ()
    method: str | None = None
    samples: int | None = None
    bundle: Path | None = None
    arrival_a: float | None = None
    arrival_b: float | None = None
    plasma_a: str = "measured"
    plasma_b: str = "measured"
    blood_unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options, read.

    Attributes:
        tracers: The two.
        delay: Second injection after the first [s].
        method: Its name.
        why: Why it is that method, where it was not chosen: a sentence, or "".
        settings: `Settings` of the method.
        max_memory: [bytes], or None.
        workers: Threads or processes wanted.
        engine: What blocks run in.
    """

    tracers: tuple[StudyTracer, StudyTracer]
    delay: float
    method: str
    why: str
    settings: Any
    max_memory: int | None
    workers: int
    engine: Choice


@dataclass(frozen=True)
class Names(RunNames):
    """Where the outputs go."""

    verb = "separate"

    def image(self, label: str, stat: str | None = None) -> Path:
        """Return the path of a tracer's image, or of its ``std``."""
        entities = {"trc": label, "desc": "separated"} | ({"stat": stat} if stat else {})
        return self.path(entities, "pet", ".nii.gz")

    @property
    def chi2(self) -> Path:
        """Chi-square of what the pair leaves of the mixture."""
        return self.path({"desc": "mixing"}, "chi2", ".tsv")


def check_options(request: SeparateRequest) -> Options:
    """Check the options against each other.

    Raises:
        UsageError: If one is unknown or contradicts another.
        InputError: If the file of settings cannot be read.
        OutputError: If the folder to write to is a file, or holds another kind of thing.
    """
    check_run(request)
    if not request.tracers:
        raise UsageError(
            "no tracers", "expected --tracers A,B, that injected first before the other"
        )
    tracers = parse_tracers(request.tracers)
    if request.delay is None:
        raise UsageError("no delay", "expected --delay SECONDS between the two injections")
    check_plasma_option(request.plasma_a, "--plasma-a")
    check_plasma_option(request.plasma_b, "--plasma-b")
    _check_files(request)
    typed = typed_settings(request.config, request.settings)
    method, why = request.method, ""
    if method is None:
        method, why = usual_method(tracers, request.delay, request.bundle)
    settings = method_settings(method, typed, request.samples)
    engine = check_method(method, request.bundle, request.engine, request.workers)
    check_blood(method, (bool(request.blood_a), bool(request.blood_b)))
    check_cpu(request.device, "tracers are separated on the CPU")
    return Options(
        tracers=tracers,
        delay=request.delay,
        method=method,
        why=why,
        settings=settings,
        max_memory=request.memory_limit,
        workers=request.threads if engine.here else request.workers or MOST_PIECES,
        engine=engine,
    )


def _check_files(request: SeparateRequest) -> None:
    first, second = ([str(item) for item in one] for one in (request.blood_a, request.blood_b))
    for item in (*first, *second):
        if item.startswith(("idif:", "population:")):
            raise UsageError(
                f"blood {item}",
                "expected a file: an image holds both tracers, and where blood is missing that of"
                " a population is taken anyway",
            )
    same = set(first) & set(second)
    if same:
        raise UsageError(
            f"{sorted(same)[0]} is given for both tracers", "expected the blood of each"
        )
