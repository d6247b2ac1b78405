"""The PET-BIDS fields of an image or a map that is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from betaplus.core.image import PetImage
from betaplus.io.tacs import timing_fields, tracer_fields

__all__ = ["image_fields", "map_fields"]

_PER_FRAME = (
    "FrameTimesStart",
    "FrameDuration",
    "FrameReferenceTime",
    "DecayFactor",
    "DecayCorrectionFactor",
    "ScatterFraction",
    "PromptRate",
    "RandomRate",
    "SinglesRate",
)


def image_fields(image: PetImage, sidecar: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the sidecar of an image: its metadata, overruled by its own attributes.

    Args:
        image: The image.
        sidecar: More fields that change; None removes one.
    """
    changed: dict[str, Any] = {
        "Units": image.unit,
        **timing_fields(image.frames),
        **tracer_fields(image.tracer, image.decay_corrected_to),
        "InjectionStart": image.injection,
    }
    if image.frames is not None:
        changed["ScanStart"] = float(image.frames.start[0])
    dropped = () if image.frames is None else _PER_FRAME
    carried = {key: value for key, value in image.metadata.items() if key not in dropped}
    return _merged(carried, image, {**changed, **(sidecar or {})})


def map_fields(like: PetImage, sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sidecar of a map on the grid of an image: without its frame times.

    Args:
        like: The image.
        sidecar: Fields that change; None removes one.
    """
    carried = {key: value for key, value in like.metadata.items() if key not in _PER_FRAME}
    return _merged(carried, like, sidecar)


def _merged(
    carried: Mapping[str, Any], image: PetImage, changed: Mapping[str, Any]
) -> dict[str, Any]:
    sources: Sequence[str] = [image.source.name] if image.source else []
    fields = {**carried, **({"Sources": sources} if sources else {}), **changed}
    return {key: value for key, value in fields.items() if value is not None}
