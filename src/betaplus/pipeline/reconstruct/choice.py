"""The method that is used, its settings, and its prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from betaplus.core.errors import BetaplusError
from betaplus.core.settings import make_settings
from betaplus.pipeline.reconstruct.inputs import Inputs
from betaplus.pipeline.reconstruct.request import Options, ReconstructRequest
from betaplus.reconstruction.method import SCORE_METHODS, find_any

if TYPE_CHECKING:
    from betaplus.reconstruction.score.choice import ScorePrior

__all__ = ["Chosen", "choose_method"]

_LEARNED, _CLASSICAL = "dds", "osem"


@dataclass(frozen=True, eq=False, kw_only=True)
class Chosen:
    """What a scan is reconstructed with.

    Attributes:
        method: Name of the method.
        settings: Its settings.
        score: Its prior, or None.
        remarks: Why, where it was not said.
    """

    method: str
    settings: Any
    score: ScorePrior | None
    remarks: tuple[str, ...]

    @property
    def checksum(self) -> str | None:
        """Checksum of the prior's weights."""
        return None if self.score is None else self.score.prior.bundle.config.sha256

    @property
    def samples(self) -> int:
        """Draws, 1 for methods that draw none."""
        return int(self.settings.draws) if self.score is not None else 1


def choose_method(request: ReconstructRequest, options: Options, inputs: Inputs) -> Chosen:
    """Return the method that was asked for; else `dds` where a prior is valid, else `osem`.

    Raises:
        InputError: If a prior that was asked for cannot be used.
        UsageError: If there is none, or the method has no such setting.
    """
    asked = request.method
    if asked is not None and asked not in SCORE_METHODS:
        return _chosen(asked, options, None, ())
    from betaplus.reconstruction.score.choice import choose_prior

    insisted = asked is not None or request.bundle is not None
    known, wanted = (find_any(name).Settings for name in (_CLASSICAL, _LEARNED))
    its = [name for name in options.values if hasattr(known, name) and not hasattr(wanted, name)]
    if its and not insisted:
        return _chosen(
            _CLASSICAL, options, None, (f"{_CLASSICAL}, which {its[0]} is a setting of",)
        )
    try:
        score = choose_prior(
            inputs.scan, inputs.grid, request.bundle, method=asked or _LEARNED, psf=inputs.psf,
            slices=str(options.values.get("slices", "axial")), seed=request.seed,
            dose=request.dose, weight=request.weight, bf16=request.bf16,
        )  # fmt: skip
    except BetaplusError as error:
        if insisted:
            raise
        why = f"{_CLASSICAL}, since no prior is valid for the image: {error.found}"
        return _chosen(_CLASSICAL, options, None, (why,))
    return _chosen(asked or _LEARNED, options, score, (score.why,))


def _chosen(
    method: str, options: Options, score: ScorePrior | None, remarks: tuple[str, ...]
) -> Chosen:
    settings = make_settings(find_any(method).Settings, options.values)
    return Chosen(method=method, settings=settings, score=score, remarks=remarks)
