"""One PET series out of a folder, and what all its slices must agree on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError
from betaplus.io.dicom.elements import called, text
from betaplus.io.dicom.enhanced import classic_views, is_enhanced
from betaplus.io.dicom.files import dicom_files
from betaplus.io.dicom.header import Slice, read_slice
from betaplus.io.dicom.opened import open_header

__all__ = ["agreed", "read_series"]

_TAGS = {
    "GEScanTime": "GE's scan time (0009,xx0d)",
    "PhilipsSUV": "Philips's SUV factor (7053,xx00)",
    "PhilipsActivity": "Philips's activity factor (7053,xx09)",
    "Radionuclide": "RadionuclideCodeSequence (0054,0300)",
    "RadionuclideCode": "RadionuclideCodeSequence (0054,0300)",
    "Doses": "RadiopharmaceuticalInformationSequence (0054,0016)",
}
_PER_SLICE = ("PhilipsActivity", "PhilipsSUV")  # compared with a tolerance: decimal strings
_KINDS = ("STATIC", "DYNAMIC", "WHOLE BODY")


def read_series(path: Path) -> tuple[list[Slice], list[str]]:
    """Return the slices of the one PET series of a folder, or of the series a file belongs to.

    Images of other modalities are left out.

    Raises:
        InputError: If there is no PET image or more than one series, or a header is wrong.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that are not as the standard wants them
        return _read_series(path)


def _read_series(path: Path) -> tuple[list[Slice], list[str]]:
    folder, wanted = path, None
    if path.is_file():
        folder, chosen = path.parent, open_header(path)
        if text(chosen.data, "Modality", path.name) != "PT":
            raise _no_pet(path.name, text(chosen.data, "Modality", path.name))
        wanted = text(chosen.data, "SeriesInstanceUID", path.name) or ""
    files, remarks = dicom_files(folder)
    slices: list[Slice] = []
    others: dict[str, int] = {}
    for file in files:
        opened = open_header(file)
        kind = text(opened.data, "Modality", file.name) or "no modality"
        if kind == "PT":
            series = text(opened.data, "SeriesInstanceUID", file.name) or ""
            if wanted in (None, series):
                for view in classic_views(opened) if is_enhanced(opened) else [opened]:
                    one = read_slice(view)
                    if slices and one.common == slices[0].common:
                        one = replace(one, common=slices[0].common)  # held once for all
                    slices.append(one)
                continue
            kind = "another PET series"
        others[kind[:20]] = others.get(kind[:20], 0) + 1
    if not slices:
        raise _no_pet(folder.name, ", ".join(sorted(others)))
    for name, count in sorted(others.items()):
        remarks.append(f"{count} file{'s' if count > 1 else ''} of {name} left out")
    _refuse_several(slices, folder)
    _refuse_twins(slices)
    return slices, remarks


def agreed(slices: Sequence[Slice]) -> Mapping[str, Any]:
    """Return what all slices of a series say alike.

    Raises:
        InputError: If one says something else, or they are of no kind that is an image.
    """
    first = slices[0]
    for other in slices[1:]:
        for name, value in first.common.items():
            found = other.common[name]
            if found == value or (name in _PER_SLICE and _close(found, value)):
                continue
            raise InputError(
                f"{_called(name)} is {_shown(value)} in {first.path.name} but {_shown(found)}"
                f" in {other.path.name}",
                "expected the same in all slices of a series",
                "correct the headers or take out the files of another series",
            )
        if other.patient != first.patient:
            raise InputError(
                f"{first.path.name} and {other.path.name} are of one series but not of one"
                " patient, study and frame of reference",
                "expected one of each",
                "take out the files of another patient",
            )
    kinds = first.common["SeriesType"]
    if kinds and (kinds[0] not in _KINDS or "REPROJECTION" in kinds):
        raise InputError(
            f"{called('SeriesType')} is {', '.join(kinds)} in {first.path.name}",
            f"expected {', '.join(_KINDS)} and IMAGE",
            "take another series",
        )
    return first.common


def _refuse_several(slices: Sequence[Slice], folder: Path) -> None:
    found: dict[str, list[Slice]] = {}
    for one in slices:
        found.setdefault(one.series, []).append(one)
    if len(found) == 1:
        return
    listed = [
        f"{part[0].common['SeriesDescription'] or 'no description'} ({len(part)} files,"
        f" first {part[0].path.name})"
        for part in list(found.values())[:5]
    ]
    raise InputError(
        f"{folder.name} holds {len(found)} PET series: {'; '.join(listed)}",
        "expected one",
        "give a file of the one that is meant",
    )


def _refuse_twins(slices: Sequence[Slice]) -> None:
    seen: dict[tuple[str, int | None], Slice] = {}
    for one in slices:
        twin = seen.setdefault((one.uid, one.frame), one)
        if twin is not one:
            raise InputError(
                f"{twin.path.name} and {one.path.name} are the same image"
                f" ({called('SOPInstanceUID')})",
                "expected each slice once",
                "remove one of them",
            )


def _no_pet(name: str, found: object) -> InputError:
    return InputError(
        f"{name} holds no PET image but {found or 'no modality'}",
        f"expected PT in {called('Modality')}",
    )


def _close(a: object, b: object) -> bool:
    return isinstance(a, float) and isinstance(b, float) and abs(a - b) <= 1e-4 * abs(b)


def _called(name: str) -> str:
    return _TAGS.get(name) or called(name)


def _shown(value: object) -> str:
    return "missing" if value in (None, []) else str(value)[:40]
