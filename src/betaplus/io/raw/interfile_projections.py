"""Projection data in STIR's Interfile (``.hs`` and ``.s``).

STIR stores segment by segment, in the order that the ring differences of the header say, each as
(axial, view, tangential) or (view, axial, tangential). Tangential position 0 of the file is the
most negative one; view and tangential position mean the pair of detectors that `Scanner.pairs`
gives, and the ring difference is that of the second detector's ring minus the first's (Thielemans
et al., Phys Med Biol 2012, 57:867-883, and the glossary of STIR's documentation).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.michelogram import Segment
from betaplus.core.scanner import Scanner
from betaplus.core.tracer import Tracer
from betaplus.io.atomic import atomic_path
from betaplus.io.raw.interfile_data import describe_type, number_format, read_numbers
from betaplus.io.raw.interfile_header import InterfileHeader
from betaplus.io.raw.interfile_scanner import scanner_fields, scanner_of
from betaplus.io.raw.interfile_times import read_times, time_fields

__all__ = ["InterfileProjections", "read_interfile_projections", "write_interfile_projections"]

_SIGN = 1
"""Ring differences in the file times this are those of `Scanner.michelogram`."""

_MOST_RINGS = 10_000
_LABELS = {
    "tangential coordinate": "tangential",
    "axial coordinate": "axial",
    "view": "view",
    "segment": "segment",
}
_ORDERS = (
    ("tangential", "axial", "view", "segment"),
    ("tangential", "view", "axial", "segment"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class InterfileProjections:
    """Projection data as read.

    Attributes:
        scanner: Whose lines these are.
        data: Shape (view, radial, plane), float32.
        frames: Timing of the one frame, or None.
        tracer: Radionuclide and half-life, or None.
        fields: The header.
        source: Its file.
        remarks: What was found untidy.
    """

    scanner: Scanner
    data: np.ndarray
    frames: FrameTiming | None = None
    tracer: Tracer | None = None
    fields: dict[str, str] = field(default_factory=dict)
    source: Path | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where things are in the file: axes from the fastest one, and segments in their order."""

    axes: tuple[str, ...]
    segments: tuple[Segment, ...]
    scanner: Scanner
    remarks: list[str] = dataclasses.field(default_factory=list)


def read_interfile_projections(path: str | Path) -> InterfileProjections:
    """Read projection data.

    Args:
        path: The header (``.hs``); the file that it names may be compressed (``.s.gz``).

    Raises:
        InputError: If header and data disagree, the header describes no scanner or one with other
            planes, or a value is NaN or infinite.
    """
    header = InterfileHeader(path)
    layout = _layout(header)
    scanner = layout.scanner
    stored = read_numbers(header, math.prod(scanner.shape))
    scale = number_format(header).scale
    data = np.empty(scanner.shape, dtype=np.float32)
    first = 0
    for segment in layout.segments:
        count = scanner.views * scanner.radial * segment.planes
        part = stored[first : first + count]
        first += count
        with np.errstate(over="ignore", invalid="ignore"):
            if layout.axes[1] == "axial":
                box = part.reshape(scanner.views, segment.planes, scanner.radial)
                data[:, :, segment.slice] = box.transpose(0, 2, 1)
            else:
                box = part.reshape(segment.planes, scanner.views, scanner.radial)
                data[:, :, segment.slice] = box.transpose(1, 2, 0)
    if scale != 1.0:
        data *= np.float32(scale)
    bad = data.size - int(np.isfinite(data).sum())
    if bad:
        raise InputError(
            f"{bad} values of {header.path.name} are NaN or infinite", "expected numbers"
        )
    frames, tracer, remarks = read_times(header)
    return InterfileProjections(
        scanner=scanner,
        data=data,
        frames=frames,
        tracer=tracer,
        fields=header.fields,
        source=header.path,
        remarks=(*layout.remarks, *remarks),
    )


def write_interfile_projections(
    path: str | Path,
    data: np.ndarray,
    scanner: Scanner,
    *,
    frames: FrameTiming | None = None,
    tracer: Tracer | None = None,
    dtype: type[np.generic] | np.dtype = np.float32,
) -> None:
    """Write projection data: segments of ascending number, each as (view, axial, tangential).

    Args:
        path: The header (``.hs``); numbers go beside it, into ``.s``.
        data: Shape (view, radial, plane).
        scanner: Whose lines these are.
        frames: Timing of the one frame.
        tracer: What was injected.
        dtype: Type in the file; integers must hold the values exactly.

    Raises:
        UsageError: If the data are not of the scanner's shape, have time of flight, or do not fit
            into the type.
        OutputError: If it cannot be written.
    """
    path = Path(path)
    if scanner.tof or tuple(data.shape) != scanner.shape:
        raise UsageError(
            f"projections of shape {tuple(data.shape)}",
            f"expected {scanner.shape[:3]} as {scanner.name} has, without time of flight",
        )
    if path.suffix != ".hs":
        raise UsageError(f"{path.name} as a header of projections", "expected a name in .hs")
    if frames is not None and len(frames) != 1:
        raise UsageError(f"{len(frames)} frames in one header", "expected one", "write each")
    kind = np.dtype(dtype)
    if kind.kind not in "fiu" or kind.itemsize not in ((4, 8) if kind.kind == "f" else (1, 2, 4)):
        raise UsageError(f"projections as {kind}", "expected float32 or a small integer type")
    segments = sorted(scanner.michelogram.segments, key=lambda s: _SIGN * s.number)
    stored = kind.newbyteorder("<")
    with atomic_path(path.with_suffix(".s")) as temporary, temporary.open("wb") as file:
        for segment in segments:
            part = np.asarray(data[:, :, segment.slice]).transpose(0, 2, 1)
            with np.errstate(invalid="ignore", over="ignore"):
                cast = part.astype(stored)
            if kind.kind != "f" and not np.array_equal(cast, part):
                raise UsageError(f"projections do not fit into {kind}", "expected a wider type")
            file.write(np.ascontiguousarray(cast).tobytes())
    text = _header_text(path.with_suffix(".s").name, scanner, segments, kind, frames, tracer)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="ascii", errors="replace")


def _layout(header: InterfileHeader) -> _Layout:
    axes, sizes = _axes(header)
    if header.text("applied corrections") and "arc" in header.required("applied corrections"):
        raise header.wrong("data are arc-corrected", "expected bins as measured")
    low = header.wholes("minimum ring difference per segment")
    high = header.wholes("maximum ring difference per segment")
    planes = sizes["axial"]
    if low is None or high is None or not len(low) == len(high) == len(planes):
        raise header.wrong(
            "ring differences and axial sizes do not go together",
            "expected as many minima and maxima as segments",
        )
    if sizes["segment"] != [len(planes)]:
        raise header.wrong(
            f"{sizes['segment'][0]} segments but {len(planes)} axial sizes", "expected one for each"
        )
    differences = [
        (min(_SIGN * a, _SIGN * b), max(_SIGN * a, _SIGN * b))
        for a, b in zip(low, high, strict=True)
    ]
    spans = [b - a + 1 for a, b in differences if a <= 0 <= b]
    most = max(b for _, b in differences)
    if most > _MOST_RINGS:
        raise header.wrong(f"a ring difference of {most}", f"expected at most {_MOST_RINGS}")
    if len(spans) != 1:
        raise header.wrong("no segment of ring difference 0", "expected one")
    span = spans[0]
    scanner, remarks = scanner_of(header, sizes["tangential"][0], span, most)
    by_difference = {(s.lowest, s.highest): s for s in scanner.michelogram.segments}
    segments = []
    for pair, n in zip(differences, planes, strict=True):
        segment = by_difference.pop(pair, None)
        if segment is None or segment.planes != n:
            expected = "none" if segment is None else f"{segment.planes} planes"
            raise header.wrong(
                f"a segment of ring differences {pair[0]} to {pair[1]} with {n} planes",
                f"expected {expected} for {scanner.rings} rings and span {span}",
            )
        segments.append(segment)
    if by_difference:
        missing = ", ".join(f"{a} to {b}" for a, b in by_difference)
        raise header.wrong(f"no segment of ring differences {missing}", "expected all segments")
    if sizes["view"] != [scanner.views]:
        raise header.wrong(
            f"{sizes['view'][0]} views", f"expected {scanner.views}, half the detectors"
        )
    return _Layout(axes=axes, segments=tuple(segments), scanner=scanner, remarks=remarks)


def _axes(header: InterfileHeader) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    dimensions = header.required_whole("number of dimensions")
    labels, sizes = [], {}
    for i in range(1, dimensions + 1):
        label = header.required(f"matrix axis label [{i}]").lower()
        labels.append(_LABELS.get(label, label))
        size = header.wholes(f"matrix size [{i}]")
        if not size or min(size) < 1:
            raise header.wrong(f"'matrix size [{i}]' is {size}", "expected numbers above 0")
        sizes[labels[-1]] = size
    if tuple(labels) not in _ORDERS:
        raise header.wrong(
            f"axes {', '.join(labels)}",
            "expected tangential, then axial and view or view and axial, then segment; data with"
            " time of flight are not read in this version",
        )
    frames = header.whole("number of time frames")
    if frames not in (None, 1):
        raise header.wrong(f"{frames} time frames", "expected one", "split the file")
    return tuple(labels), sizes


def _header_text(
    data: str,
    scanner: Scanner,
    segments: list[Segment],
    kind: np.dtype,
    frames: FrameTiming | None,
    tracer: Tracer | None,
) -> str:
    name, size = describe_type(kind)

    def listed(values: list[int]) -> str:
        return "{ " + ",".join(map(str, values)) + "}"

    ends = [sorted((_SIGN * s.lowest, _SIGN * s.highest)) for s in segments]
    lines: list[tuple[str, object]] = [
        ("!INTERFILE", ""),
        ("!imaging modality", "PT"),
        ("name of data file", data),
        ("originating system", scanner.name),
        ("!version of keys", "STIR6.0"),
        ("!GENERAL DATA", ""),
        ("!GENERAL IMAGE DATA", ""),
        ("!type of data", "PET"),
        ("imagedata byte order", "LITTLEENDIAN"),
        *time_fields(frames, tracer),
        ("!PET STUDY (General)", ""),
        ("!PET data type", "Emission"),
        ("applied corrections", "{None}"),
        ("!number format", name),
        ("!number of bytes per pixel", size),
        ("number of dimensions", 4),
        ("matrix axis label [4]", "segment"),
        ("!matrix size [4]", len(segments)),
        ("matrix axis label [3]", "view"),
        ("!matrix size [3]", scanner.views),
        ("matrix axis label [2]", "axial coordinate"),
        ("!matrix size [2]", listed([s.planes for s in segments])),
        ("matrix axis label [1]", "tangential coordinate"),
        ("!matrix size [1]", scanner.radial),
        ("minimum ring difference per segment", listed([a for a, _ in ends])),
        ("maximum ring difference per segment", listed([b for _, b in ends])),
        ("Scanner parameters", ""),
        *scanner_fields(scanner),
        ("end scanner parameters", ""),
        ("!END OF INTERFILE", ""),
    ]
    return "".join(f"{key} := {value}".rstrip() + "\n" for key, value in lines)
