"""A user's scans that can teach each other: full and low dose, or splits of one list-mode file.

Of each scan there is one full-dose image and one or several with a part of its counts, or two or
more splits of equal time. Files are named as in PET-BIDS, ``sub-<label>[_...]_pet.nii.gz``, and lie
anywhere under one folder; `betaplus simulate pairs` writes such a folder. Which is which:

- full dose: ``desc-full``, ``acq-full``, or a dose fraction of 1;
- low dose: ``acq-dose0p05``, or ``DoseFraction`` in the sidecar, or a reconstruction parameter
  named ``dose fraction`` there;
- splits: ``split-1``, ``split-2``, ...; best taken in turns, as later halves of a scan hold
  another distribution of the tracer.

Other values of ``desc``, and what else is in a folder named ``truth``, are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError
from betaplus.io.jsons import read_json, sidecar_path

__all__ = ["Pair", "find_pairs"]

_LABEL = re.compile(r"dose(\d+(?:p\d+)?)")
_AGREE = 0.01  # between a name and its sidecar
_EXPECTED = (
    "expected of each subject sub-01_desc-full_pet.nii.gz and sub-01_acq-dose0p05_pet.nii.gz, or"
    " sub-01_split-1_pet.nii.gz and sub-01_split-2_pet.nii.gz"
)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A noisy image and those that it is trained against.

    Attributes:
        subject: Whose it is, the label after ``sub-``.
        low: The noisy image.
        against: The full-dose image, or the other splits.
        dose: Counts of `low` as a fraction of those of the full scan.
        split: Whether `against` are splits, which share no counts with `low`.
    """

    subject: str
    low: Path
    against: tuple[Path, ...]
    dose: float
    split: bool

    def ratio(self, nested: bool) -> float:
        """Return the variance of the target's noise over that of `low`, by counts.

        Args:
            nested: Whether `low` is a part of the full-dose image.
        """
        if self.split:
            return 1.0 / len(self.against)
        return self.dose / (1.0 - self.dose) if nested else self.dose


@dataclass
class _Scan:
    subject: str
    full: list[Path] = field(default_factory=list)
    low: dict[Path, float] = field(default_factory=dict)
    splits: dict[Path, float | None] = field(default_factory=dict)


def find_pairs(folder: Path) -> list[Pair]:
    """Return the pairs under a folder, by name in order.

    Raises:
        InputError: If there are none, an image is neither full nor of a known fraction, a scan has
            no counterpart to an image, or there are fewer than two subjects.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "expected a folder of images")
    scans: dict[str, _Scan] = {}
    for path in sorted([*folder.rglob("sub-*_pet.nii"), *folder.rglob("sub-*_pet.nii.gz")]):
        _place(path, path.parent != folder and path.parent.name == "truth", scans)
    pairs = [pair for name in sorted(scans) for pair in _pairs(name, scans[name])]
    if not pairs:
        raise InputError(f"{folder} holds no pairs of images", _EXPECTED)
    subjects = sorted({pair.subject for pair in pairs})
    if len(subjects) < 2:
        raise InputError(
            f"{folder} holds pairs of one subject, sub-{subjects[0]}",
            "expected two subjects or more, one of them to validate",
        )
    return pairs


def _place(path: Path, truth: bool, scans: dict[str, _Scan]) -> None:
    """Put an image where it belongs."""
    entities = dict(part.partition("-")[::2] for part in path.name.split("_")[:-1])
    about, acquired = entities.pop("desc", ""), entities.get("acq", "")
    if about not in ("", "full") or (truth and about != "full"):
        return
    label = _LABEL.fullmatch(acquired)
    split = entities.pop("split", None)
    if split is None and (label or acquired == "full"):
        del entities["acq"]
    fraction = _fraction(path, label)
    name = "_".join(f"{key}-{value}" for key, value in entities.items())
    scan = scans.setdefault(name, _Scan(entities["sub"]))
    if split is not None:
        scan.splits[path] = fraction
    elif about == "full" or acquired == "full" or fraction == 1.0:
        if fraction not in (None, 1.0):
            raise InputError(f"{path.name} is named full dose but has dose fraction {fraction:g}")
        scan.full.append(path)
    elif fraction is None:
        raise InputError(
            f"the dose fraction of {path.name} is unknown",
            "expected acq-dose0p05 in its name or DoseFraction in its sidecar; desc-full for the"
            " full dose",
        )
    else:
        scan.low[path] = fraction


def _fraction(path: Path, label: re.Match[str] | None) -> float | None:
    """Return the dose fraction that the name or the sidecar states; None where neither does."""
    named = float(label[1].replace("p", ".")) if label else None
    sidecar = sidecar_path(path)
    stated = _stated(read_json(sidecar)) if sidecar.is_file() else None
    if named is not None and stated is not None and abs(named - stated) > _AGREE * named:
        raise InputError(
            f"{path.name} says dose fraction {named:g}, its sidecar {stated:g}", "expected the same"
        )
    fraction = named if stated is None else stated
    if fraction is not None and not 0.0 < fraction <= 1.0:
        raise InputError(
            f"the dose fraction of {path.name} is {fraction:g}", "expected above 0 and at most 1"
        )
    return fraction


def _stated(fields: Mapping[str, Any]) -> float | None:
    value = fields.get("DoseFraction")
    labels, values = (
        fields.get(f"ReconMethodParameter{what}") or [] for what in ("Labels", "Values")
    )
    if value is None and isinstance(labels, list) and "dose fraction" in labels:
        place = labels.index("dose fraction")
        value = values[place] if isinstance(values, list) and place < len(values) else None
    return float(value) if isinstance(value, int | float) else None


def _pairs(name: str, scan: _Scan) -> list[Pair]:
    """Return the pairs of a scan."""
    if len(scan.full) > 1:
        raise InputError(
            f"{name} has {len(scan.full)} full-dose images: {', '.join(p.name for p in scan.full)}",
            "expected one",
        )
    if scan.low and not scan.full:
        raise InputError(
            f"{min(scan.low).name} has no full-dose image beside it", f"expected {name}_desc-full"
        )
    if len(scan.splits) == 1:
        raise InputError(f"{min(scan.splits).name} is the only split of {name}", "expected another")
    pairs = [
        Pair(subject=scan.subject, low=low, against=tuple(scan.full), dose=dose, split=False)
        for low, dose in scan.low.items()
    ]
    for low, dose in scan.splits.items():
        others = tuple(path for path in scan.splits if path != low)
        share = dose or 1.0 / len(scan.splits)
        pairs.append(Pair(subject=scan.subject, low=low, against=others, dose=share, split=True))
    return pairs
