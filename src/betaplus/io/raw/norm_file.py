"""Siemens's normalisation of the mMR: a header (``.n.hdr``) and its components (``.n``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.michelogram import Michelogram
from betaplus.core.scanner import Scanner
from betaplus.io.raw.interfile_data import data_file, number_format
from betaplus.io.raw.interfile_header import InterfileHeader
from betaplus.io.raw.siemens import check_scanner

__all__ = ["NormFile", "read_norm_file"]

_MOST_COMPONENTS = 99


@dataclass(frozen=True, eq=False, kw_only=True)
class NormFile:
    """Components of a normalisation, as stored.

    Attributes:
        geometric: Shape (2 rings - 1, radial).
        interference: Shape (radial, crystals of a block).
        crystals: Shape (rings, detectors).
        axial: Shape (planes,), by Siemens's order of planes.
        michelogram: Of those planes.
        path: The header.
    """

    geometric: np.ndarray
    interference: np.ndarray
    crystals: np.ndarray
    axial: np.ndarray
    michelogram: Michelogram
    path: Path


def read_norm_file(path: str | Path, scanner: Scanner) -> NormFile:
    """Read the components of a normalisation file.

    Args:
        path: The header, or the file that it names where the header is ``<file>.hdr``.
        scanner: Whose it should be.

    Raises:
        InputError: If it is missing, of another scanner, its sizes disagree, or a component is not
            above 0 everywhere.
    """
    path = Path(path)
    beside = path.with_name(path.name + ".hdr")
    header = InterfileHeader(beside if path.suffix == ".n" and beside.is_file() else path)
    if header.text("number of normalization components") is None:
        raise header.wrong("no normalisation components", "expected a normalisation (.n.hdr)")
    span = header.whole("axial compression") or 1
    most = header.whole("maximum ring difference")
    most = scanner.max_ring_difference if most is None else most
    if most < scanner.max_ring_difference:
        raise header.wrong(
            f"ring differences up to {most}",
            f"expected {scanner.max_ring_difference} as {scanner.name} has",
        )
    stated = header.whole("number of rings")
    if stated is not None and stated != scanner.rings:
        raise InputError(
            f"{header.path.name} is of another scanner: number of rings is {stated}",
            f"expected {scanner.rings} as {scanner.name} has",
        )
    check_scanner(header, scanner.replace(max_ring_difference=most))
    michelogram = Michelogram(scanner.rings, span, most)
    block = scanner.block + scanner.gap
    sizes = {
        "geometric effects": (2 * scanner.rings - 1, scanner.radial),
        "crystal interference": (scanner.radial, block),
        "crystal efficiencies": (scanner.rings, scanner.detectors),
        "axial effects": (michelogram.planes,),
    }
    found = {name: _component(header, name, shape) for name, shape in sizes.items()}
    return NormFile(
        geometric=found["geometric effects"],
        interference=found["crystal interference"],
        crystals=found["crystal efficiencies"],
        axial=found["axial effects"],
        michelogram=michelogram,
        path=header.path,
    )


def _component(header: InterfileHeader, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a component as float64; the first axis of the header is the fastest one."""
    number = header.required_whole("number of normalization components")
    if not 1 <= number <= _MOST_COMPONENTS:
        raise header.wrong(
            f"{number} normalisation components", f"expected 1 to {_MOST_COMPONENTS}"
        )
    for i in range(1, number + 1):
        if (header.text(f"normalization component [{i}]") or "").lower() == name:
            break
    else:
        raise header.wrong(f"no component {name!r}", "expected it")
    stated = tuple(header.wholes(f"matrix size [{i}]") or ())
    if stated != shape[::-1]:
        raise header.wrong(
            f"{name} of size {' x '.join(map(str, stated)) or 'unknown'}",
            f"expected {' x '.join(map(str, shape[::-1]))}",
        )
    dtype = number_format(header).dtype
    offset = header.required_whole(f"data offset in bytes [{i}]")
    path, count = data_file(header), int(np.prod(shape))
    end = offset + count * dtype.itemsize
    if offset < 0 or path.stat().st_size < end:
        raise InputError(
            f"{path.name} holds {path.stat().st_size} bytes",
            f"expected at least {end} for {name} as {header.path.name} says",
        )
    stored = np.fromfile(path, dtype, count, offset=offset).reshape(shape)
    with np.errstate(invalid="ignore"):  # of NaN that is to raise an alarm
        values = stored.astype(np.float64)
    if not (np.isfinite(values) & (values > 0.0)).all():
        bad = values[~(np.isfinite(values) & (values > 0.0))]
        raise InputError(
            f"{bad.size} values of {name} in {path.name} are not above 0 (first {bad[0]:g})",
            "expected factors above 0",
        )
    return values
