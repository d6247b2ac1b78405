"""Times of slices: from a table beside a multi-bed scan, or from its sidecar.

PET-BIDS knows one start and one duration a frame, which a scan of several beds does not have. Three
ways to say its times are read:

- a TSV (``--bed-times FILE``) with the columns ``slice_first``, ``slice_last`` (voxel indices along
  the third axis, from 0, both included), ``pass`` (from 1: the first frame of the image),
  ``start`` and ``duration`` (seconds from TimeZero), one row a bed and pass;
- the same columns as lists in the sidecar, ``"betaplus": {"BedTimes": {"slice_first": [...]}}``;
- ``SliceTimesStart`` and ``SliceDuration``, frames by slices, as a DICOM series gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.bed_times import BedTimes
from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.io.jsons import number_list
from betaplus.io.tsv import column_numbers, read_table

__all__ = ["check_one_bed", "image_bed_times", "load_bed_times"]

_COLUMNS = ("slice_first", "slice_last", "pass", "start", "duration")
_COUNTS = ("NumberOfBeds", "NumberOfBedPositions", "BedPositions")
_WORDS = ("whole body", "wholebody", "multi-bed", "multibed", "multi bed", "step-and-shoot")
_WORD_FIELDS = ("AcquisitionMode", "ScanMode", "SeriesType")
_LONG = 350.0  # mm, nominal: beyond the axial field of view of most scanners
_RESTING = 0.5  # share of the time with counts: below it a long image is that of several beds


def load_bed_times(path: str | Path, image: PetImage) -> BedTimes:
    """Return the times in a TSV, one row a bed and pass.

    Raises:
        InputError: If a column is missing or the times do not cover the image.
    """
    path = Path(path)
    columns = read_table(path)
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise InputError(
            f"{', '.join(missing)} missing in {path.name}",
            f"expected the columns {', '.join(_COLUMNS)}",
        )
    return _rows({n: column_numbers(columns[n], n, path.name) for n in _COLUMNS}, image, path.name)


def image_bed_times(image: PetImage) -> BedTimes | None:
    """Return the times that an image's sidecar gives its slices, None where it gives none.

    Raises:
        InputError: If they are there but incomplete, or do not cover the image.
    """
    where = image.source.name if image.source else "the image"
    ours = image.metadata.get("betaplus")
    table = ours.get("BedTimes") if isinstance(ours, Mapping) else None
    if table is not None:
        if not isinstance(table, Mapping):
            raise InputError(f"BedTimes is no object in {where}", "expected lists by column name")
        found = {name: number_list(table, name, f"BedTimes of {where}") for name in _COLUMNS}
        lists = {name: values for name, values in found.items() if values is not None}
        if len(lists) < len(_COLUMNS) or len({values.size for values in lists.values()}) > 1:
            raise InputError(
                f"BedTimes holds {', '.join(f'{v.size} {k}' for k, v in lists.items())} in {where}",
                f"expected lists of one length: {', '.join(_COLUMNS)}",
            )
        return _rows(lists, image, f"BedTimes of {where}")
    if "SliceTimesStart" not in image.metadata:
        return None
    start, length = (_matrix(image, name, where) for name in ("SliceTimesStart", "SliceDuration"))
    return BedTimes(start, length)


def check_one_bed(image: PetImage) -> tuple[str, ...]:
    """Refuse an image of several beds whose frame times are those of passes.

    Returns:
        A remark where the image is so long that it may be one all the same.

    Raises:
        InputError: If the sidecar says that there are several beds, or the image is longer than
            35 cm and its frames hold less than half of the time between the first and the last.
    """
    frames, fields = image.frames, image.metadata
    where = image.source.name if image.source else "the image"
    said = [f"{name} is {fields[name]}" for name in _COUNTS if _several(fields.get(name))]
    for name in _WORD_FIELDS:
        text = fields.get(name)
        words = " ".join(map(str, text)) if isinstance(text, list) else str(text or "")
        if any(word in words.lower() for word in _WORDS):
            said.append(f"{name} is {words}")
    length = image.shape[2] * image.voxel_size[2]
    if not said and length > _LONG and frames is not None and len(frames) > 1:
        share = float(frames.duration[:-1].sum() / (frames.start[-1] - frames.start[0]))
        if share < _RESTING:
            said.append(f"{length / 10:.0f} cm were seen for {100 * share:.0f} % of the time")
    if said:
        raise InputError(
            f"{said[0]} in {where} but there are no times of its slices",
            "expected when each bed was seen: frame times are those of whole passes",
            "give --bed-times FILE (slice_first, slice_last, pass, start, duration), or"
            " --bed-times once for a view that was seen at once",
        )
    if length > _LONG:
        return (f"{length / 10:.0f} cm taken as seen at once: no times of beds are given",)
    return ()


def _rows(columns: Mapping[str, np.ndarray], image: PetImage, where: str) -> BedTimes:
    for name, values in columns.items():
        bad = ~np.isfinite(values)
        if name not in ("start", "duration"):
            bad |= values != np.round(values)
        if bad.any():
            expected = "a time" if name in ("start", "duration") else "a whole number"
            raise InputError(
                f"{name} is {values[bad][0]:g} in row {int(np.argmax(bad)) + 1} of {where}",
                f"expected {expected}",
            )
    first, last, passes = (columns[name].astype(np.int64) for name in _COLUMNS[:3])
    return BedTimes.of_rows(
        first,
        last,
        passes,
        columns["start"],
        columns["duration"],
        shape=(image.n_frames, image.shape[2]),
        where=where,
    )


def _matrix(image: PetImage, name: str, where: str) -> np.ndarray:
    value: Any = image.metadata.get(name)
    expected = (image.n_frames, image.shape[2])
    try:
        found = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape == expected[1:] and expected[0] == 1:
        found = found[None]
    if found.shape != expected or not np.isfinite(found).all():
        raise InputError(
            f"{name} is not {expected[0]} x {expected[1]} numbers in {where}",
            "expected seconds for every frame and slice",
        )
    return found


def _several(value: Any) -> bool:
    count = len(value) if isinstance(value, list) else value
    return isinstance(count, int | float) and not isinstance(count, bool) and count > 1
