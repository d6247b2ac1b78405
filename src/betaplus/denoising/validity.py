"""Whether an image is of the kind that a network was trained on, in sentences for the user."""

from __future__ import annotations

import re
from collections.abc import Mapping

from betaplus.core.image import PetImage
from betaplus.generative.bundle_config import BundleConfig, Range, outside

__all__ = ["DOSE", "NOISE", "image_remarks", "noise_remarks", "tracer_name"]

NOISE = "noise [SUV]"
"""Name of the range of noise levels (see `betaplus.denoising.level`) in a bundle's validity."""

DOSE = "dose fraction"
"""Name of the range of dose fractions, where a bundle has one."""

_FILTER = "post-filter [mm]"
_SYNONYMS = {"FDG": ("fluorodeoxyglucose", "fludeoxyglucose", "fluordeoxyglucose")}


def tracer_name(text: str, known: Range) -> str:
    """Return the known name that a tracer's name holds, or the name itself.

    ``[18F]FDG`` and ``Fluorodeoxyglucose F^18`` are FDG.
    """
    bare = _bare(text)
    for name in map(str, known):
        if any(_bare(word) in bare for word in (name, *_SYNONYMS.get(name, ()))):
            return name
    return text


def image_remarks(
    image: PetImage, config: BundleConfig, dose_fraction: float | None = None
) -> list[str]:
    """Return what of an image a network was not trained on; none where all is well.

    Args:
        image: The image; voxels are not looked at.
        config: Of the network's bundle.
        dose_fraction: Of a usual scan, where it was given.
    """
    fields, where = image.metadata, image.source.name if image.source else "the image"
    remarks: list[str] = []
    values: dict[str, float | tuple[float, float] | str] = {}
    known = config.validity.get("tracer", [])
    name = str(fields.get("TracerName") or (image.tracer.name if image.tracer else ""))
    if name:
        values["tracer"] = tracer_name(name, known)
    else:
        remarks.append(
            f"TracerName is missing for {where}: the network was trained on"
            f" {', '.join(map(str, known)) or 'tracers it does not name'}"
        )
    size = _number(fields, "ReconFilterSize")
    if size is not None and _FILTER in config.validity:
        values[_FILTER] = size
    if dose_fraction is not None and DOSE in config.validity:
        values[DOSE] = dose_fraction
    remarks += [f"outside what the network was trained on: {s}" for s in _said(config, values)]
    voxel = image.voxel_size
    coarsest = float(config.settings.get("coarsest", config.settings["voxel"]))
    if max(voxel) > 1.005 * coarsest:
        edges = " x ".join(f"{v:.3g}" for v in voxel)
        remarks.append(
            f"voxels of {edges} mm are coarser than the {coarsest:.3g} mm that the network was"
            " trained on"
        )
    return remarks


def noise_remarks(level: float, config: BundleConfig) -> list[str]:
    """Return a sentence if the noise is outside what a network was trained on.

    Args:
        level: Of the noise, SD where the uptake is 1 SUV.
        config: Of the network's bundle.
    """
    said = _said(config, {NOISE: float(f"{level:.3g}")})
    return [f"outside what the network was trained on: {s}" for s in said]


def _said(
    config: BundleConfig, values: Mapping[str, float | tuple[float, float] | str]
) -> list[str]:
    return outside(config.validity, values)


def _bare(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _number(fields: Mapping[str, object], name: str) -> float | None:
    value = fields.get(name)
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    return float(value) if isinstance(value, int | float) else None
