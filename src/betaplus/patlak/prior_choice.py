"""Which prior serves a scan: that of bodies or that of brains, and what it was not trained on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.generative.bundle import find_bundle
from betaplus.generative.bundle_config import BundleConfig, outside, read_config
from betaplus.generative.image_prior import ImagePrior, load_image_prior
from betaplus.patlak.noise_map import tissue
from betaplus.patlak.study import Study

__all__ = ["ANATOMIES", "PRIORS", "PriorChoice", "check_anatomy", "choose_prior", "prior_configs"]

PRIORS = {"body": "body3d", "brain": "brain2d"}
"""Anatomy to the name of the prior that is shipped."""

ANATOMIES = ("auto", *PRIORS)

_HEAD = 260.0  # mm: a head is smaller along every axis (with the neck cut off), a trunk is not
_ACTIVE = 0.1  # of the level of the image: activity of what was scanned at least
_TAILS = 0.005  # of the active voxels at each end of an axis are noise
_PARTS = {"brain": "brain", "head": "brain", "skull": "brain", "body": "body", "wholebody": "body",
          "chest": "body", "thorax": "body", "abdomen": "body", "trunk": "body"}  # fmt: skip
_SYNONYMS = {"FDG": ("fluorodeoxyglucose", "fludeoxyglucose", "fluordeoxyglucose")}


@dataclass(frozen=True, eq=False, kw_only=True)
class PriorChoice:
    """A prior and why it was taken.

    Attributes:
        prior: The prior.
        why: The choice in words.
        remarks: The choice, and what of the scan the prior was not trained on.
    """

    prior: ImagePrior
    why: str
    remarks: tuple[str, ...]

    @property
    def record(self) -> dict[str, Any]:
        """What the run record says of it."""
        bundle = self.prior.bundle
        return {
            "bundle": bundle.config.folder, "sha256": bundle.checksum, "why": self.why,
            "precision": "bf16" if self.prior.bf16 else "fp32",
        }  # fmt: skip


def check_anatomy(anatomy: str) -> None:
    """Refuse an anatomy that has no prior.

    Raises:
        UsageError: If it is unknown.
    """
    if anatomy not in ANATOMIES:
        raise UsageError(f"anatomy {anatomy!r}", f"expected one of {', '.join(ANATOMIES)}")


def prior_configs(bundle: Path | None, anatomy: str) -> list[BundleConfig]:
    """Return what is known of the priors that a run may use, without their weights.

    Args:
        bundle: Folder of a prior, or None for those that are shipped.
        anatomy: One of `ANATOMIES`.

    Raises:
        InputError: If a bundle is damaged or no prior.
        UsageError: If there is none.
    """
    names = [PRIORS[anatomy]] if anatomy in PRIORS else list(PRIORS.values())
    places = [find_bundle("prior", n, bundle) for n in (names if bundle is None else names[:1])]
    configs = [read_config(place / "config.json") for place in places]
    for place, config in zip(places, configs, strict=True):
        if config.task != "prior":
            raise InputError(
                f"bundle {place} is of task {config.task!r}",
                "expected 'prior'",
                "give another bundle",
            )
    return configs


def choose_prior(
    study: Study, bundle: Path | None = None, anatomy: str = "auto", *, bf16: bool = False
) -> PriorChoice:
    """Return the prior for a study.

    Args:
        study: The scan; where nothing is given, one whose activity is less than 26 cm long along
            every axis is a head, which has the prior of brains if its voxels are as fine as that
            prior's, and that of bodies otherwise.
        bundle: Folder of a prior, which is taken as it is.
        anatomy: ``auto``, ``body`` or ``brain``.
        bf16: Whether its network computes in bfloat16.

    Raises:
        InputError: If a bundle is damaged or no prior.
        UsageError: If there is none, or the anatomy is unknown.
    """
    check_anatomy(anatomy)
    remarks: list[str] = []
    if bundle is not None:
        prior = load_image_prior("", bundle, several=True, bf16=bf16)
        why = f"prior {prior.bundle.config.folder}, as given"
    else:
        if anatomy == "auto":
            anatomy, reason = _anatomy(study)
            remarks += _contradiction(study.image, anatomy)
            if anatomy == "brain" and _coarse(study.image):
                anatomy = "body"
                reason += "; a head, but its voxels are too coarse for the prior of brains"
        else:
            reason = "as said"
        prior = load_image_prior(PRIORS[anatomy], several=True, bf16=bf16)
        why = f"prior {prior.bundle.config.folder}, of a {anatomy}: {reason}"
    remarks += _not_trained_on(prior, study.image)
    if prior.unit == "uptake" and study.suv_from == "level":
        remarks.append(
            f"prior {prior.bundle.config.folder} is of images over their own level: what 1 SUV is"
            " taken to be does not matter to it"
        )
    return PriorChoice(prior=prior, why=why, remarks=(why, *remarks))


def _anatomy(study: Study) -> tuple[str, str]:
    """Return what was scanned, and why that is thought."""
    problem = study.problem
    active = tissue(problem, _ACTIVE)
    longest = 0.0
    for axis, edge in enumerate(problem.voxel):
        line = active.sum(axis=tuple(a for a in range(3) if a != axis))
        share = np.cumsum(line) / max(line.sum(), 1)
        low, high = np.searchsorted(share, (_TAILS, 1.0 - _TAILS))
        longest = max(longest, (high - low + 1) * edge)
    anatomy = "brain" if longest < _HEAD else "body"
    less = "less" if anatomy == "brain" else "not less"
    return anatomy, (
        f"its activity is {longest / 10:.0f} cm long along the longest axis, {less} than"
        f" {_HEAD / 10:.0f} cm"
    )


def _coarse(image: PetImage) -> bool:
    """Whether voxels are coarser than those that the prior of brains was trained on."""
    config = read_config(find_bundle("prior", PRIORS["brain"], None) / "config.json")
    known: Any = config.validity["voxel size [mm]"]
    return max(image.voxel_size) > float(known[1]) * 1.001


def _contradiction(image: PetImage, anatomy: str) -> list[str]:
    text = image.metadata.get("BodyPart")
    said = _PARTS.get(_bare(str(text)))
    if said in (None, anatomy):
        return []
    return [f"BodyPart is {text}, but the scan was taken for a {anatomy}: give --anatomy {said}"]


def _not_trained_on(prior: ImagePrior, image: PetImage) -> list[str]:
    config = prior.bundle.config
    known = [str(name) for name in config.validity.get("tracer", [])]
    text = str(image.metadata.get("TracerName") or (image.tracer.name if image.tracer else ""))
    values: dict[str, float | tuple[float, float] | str] = {}
    remarks = []
    if text:
        values["tracer"] = next((name for name in known if _names(name, text)), text)
    else:
        remarks.append(f"TracerName is missing: the prior was trained on {', '.join(known)}")
    voxel = image.voxel_size
    values["voxel size [mm]"] = (round(min(voxel), 3), round(max(voxel), 3))
    said = outside(config.validity, values)
    resampled = [
        f" (its corrections are made at {prior.voxel:g} mm)" * ("voxel" in s) for s in said
    ]
    return remarks + [
        f"outside what the prior was trained on: {s}{more}"
        for s, more in zip(said, resampled, strict=True)
    ]


def _names(name: str, text: str) -> bool:
    return any(_bare(word) in _bare(text) for word in (name, *_SYNONYMS.get(name, ())))


def _bare(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
