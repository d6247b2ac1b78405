"""What `betaplus patlak` is asked to do, and the checks that need no data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.engine import Choice
from betaplus.patlak.costs import MOST_PIECES
from betaplus.patlak.options import check_options as check_method
from betaplus.patlak.options import method_settings, t_star_option
from betaplus.pipeline.blood import check_plasma_option
from betaplus.pipeline.run_names import RunNames
from betaplus.pipeline.run_request import ImageRequest, check_cpu, check_run
from betaplus.pipeline.typed_settings import typed_settings

__all__ = ["Names", "Options", "PatlakRequest", "check_options"]


@dataclass(frozen=True, kw_only=True)
class PatlakRequest(ImageRequest):
    """The options of the verb, by the same names and with the same defaults.

    Attributes:
        blood: Files, or ``idif:MASK`` or ``population:FILE``.
        method: Name of a method.
        t_star: ``auto`` or seconds.
        samples: Draws, or None for the method's own number.
        bundle: Folder of a prior, or None for one that is shipped.
        anatomy: ``auto``, ``body`` or ``brain``.
        bf16: Whether the network of the prior computes in bfloat16.
        delay: Of the tissue after the blood sampler [s].
        relative: Whether to make the relative plot.
        bed_times: TSV of when each bed was seen, ``once``, or None.
        plasma: ``measured``, ``unmetabolised`` or ``whole-blood``.
        blood_unit: Unit of the blood, where its file gives none.
        dose: Activity administered [Bq], where the sidecar lacks it.
        weight: Of the body [kg], likewise.
        level: Mean SUV of the body in the last frame, where dose or weight is unknown.
        save_draws: Whether to keep the draws.
    """

    blood: tuple[str, ...] = ()
    method: str = "hqs"
    t_star: str = "auto"
    samples: int | None = None
    bundle: Path | None = None
    anatomy: str = "auto"
    bf16: bool = False
    delay: float = 0.0
    relative: bool = False
    bed_times: str | None = None
    plasma: str = "measured"
    blood_unit: str | None = None
    dose: float | None = None
    weight: float | None = None
    level: float = 1.0
    save_draws: bool = False


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options, read.

    Attributes:
        settings: `Settings` of the method.
        max_memory: [bytes], or None.
        workers: Threads or processes wanted.
        engine: What blocks run in.
    """

    settings: Any
    max_memory: int | None
    workers: int
    engine: Choice


@dataclass(frozen=True)
class Names(RunNames):
    """Where the outputs go.

    Attributes:
        relative: Whether slope and intercept are those of the relative plot.
    """

    verb = "patlak"
    relative: bool

    def map(self, name: str, stat: str = "mean") -> Path:
        """Return the path of a map: of ``Ki`` or ``V0``."""
        meas = f"{name}rel" if self.relative else name
        return self.path({"model": "Patlak", "meas": meas, "stat": stat}, "mimap", ".nii.gz")

    @property
    def draws(self) -> Path:
        """The posterior draws."""
        return self.path({"model": "Patlak"}, "draws", ".zarr")

    @property
    def kinpar(self) -> Path:
        """Means of regions."""
        return self.path({"model": "Patlak"}, "kinpar", ".tsv")


def check_options(request: PatlakRequest) -> Options:
    """Check the options against each other.

    Raises:
        UsageError: If one is unknown or contradicts another.
        InputError: If the file of settings cannot be read.
        OutputError: If the folder to write to is a file, or holds another kind of thing.
    """
    check_run(request)
    if not request.blood:
        raise UsageError("no input function", "expected --blood FILE", "name one")
    check_plasma_option(request.plasma)
    t_star_option(request.t_star)
    typed = typed_settings(request.config, request.settings)
    settings = method_settings(request.method, typed, request.samples)
    engine = check_method(
        request.method, request.bundle, request.anatomy, request.engine, request.workers
    )
    if request.save_draws and request.method != "gibbs":
        raise UsageError(f"--save-draws with --method {request.method}", "expected gibbs")
    check_cpu(request.device, "Patlak maps are made on the CPU")
    return Options(
        settings=settings,
        max_memory=request.memory_limit,
        workers=request.threads if engine.here else request.workers or MOST_PIECES,
        engine=engine,
    )
