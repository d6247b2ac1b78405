"""Opening a list file: the header beside it, and whether both are of the scanner."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from betaplus.core.errors import InputError
from betaplus.core.limits import belongs
from betaplus.core.scanner import Scanner
from betaplus.core.tracer import Tracer
from betaplus.io.raw.interfile_header import InterfileHeader
from betaplus.io.raw.interfile_times import tracer_of
from betaplus.io.raw.listmode import ListMode
from betaplus.io.raw.siemens import check_scanner, find_by_header

__all__ = ["open_listmode"]

_WORD = 4  # bytes
_LARGEST_HEADER = 1 << 20  # bytes
_PROBE = 1 << 18  # words
_MOST_ON_GAPS = 0.001  # share of events
_DAY = 86400.0  # s


def open_listmode(path: str | Path, scanner: Scanner | None = None) -> ListMode:
    """Open a list file; its size, its header, its first and last words are looked at.

    Args:
        path: The list file.
        scanner: Whose it is; needed where no header is beside it, else it must be the header's.

    Raises:
        InputError: If it is missing, empty or cut within a word, has no header and no scanner is
            given, is of another scanner, has bins outside its sinogram or on missing crystals, or
            has no time tags.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist", "expected a list file")
    size = path.stat().st_size
    if size == 0 or size % _WORD:
        raise InputError(
            f"{path.name} holds {size} bytes",
            f"expected whole words of {_WORD} bytes",
            "copy it again, it is cut" if size else "",
        )
    header = _header_of(path)
    if header is not None:
        scanner = find_by_header(header) if scanner is None else scanner
        check_scanner(header, scanner)
    elif scanner is None:
        raise InputError(
            f"no header beside {path.name} names it as its data",
            "expected one whose 'name of data file' is it",
            "put it there or give --scanner, for example mMR",
        )
    if scanner.tof:
        raise InputError(
            f"{path.name} as list mode of {scanner.name}", "expected a scanner without TOF"
        )
    file = ListMode(path=path, scanner=scanner, words=size // _WORD, first=0, last=0)
    stamps = file.stamps()
    if stamps is None:
        raise InputError(f"{path.name} holds no time tags", "expected one every millisecond or so")
    file = dataclasses.replace(file, first=stamps[0], last=stamps[1])
    if header is not None:
        file = _with_header(file, header)
    _probe(file)
    return file


def _header_of(path: Path) -> InterfileHeader | None:
    """Return the header beside a list file that names it, if there is one."""
    names = sorted(os.listdir(path.parent), key=lambda n: (not n.startswith(path.name), n))
    for name in names:
        beside = path.parent / name
        if "hdr" not in name.lower() or not beside.is_file() or not belongs(beside, path):
            continue
        if beside.stat().st_size > _LARGEST_HEADER:
            continue
        try:
            header = InterfileHeader(beside)
        except InputError:
            continue
        stated = (header.text("name of data file") or "").strip("\"'").replace("\\", "/")
        if stated.rpartition("/")[2] == path.name:
            return header
    return None


def _with_header(file: ListMode, header: InterfileHeader) -> ListMode:
    """Return a list file with what its header says, which is compared with what is in it."""
    remarks: list[str] = []
    bits = header.whole("lm event and tag words format (bits)")
    if bits not in (None, 8 * _WORD):
        raise header.wrong(f"words of {bits} bits", f"expected {8 * _WORD}")
    span = header.whole("axial compression")
    if span not in (None, 1):
        raise header.wrong(f"list mode with an axial compression of {span}", "expected 1")
    table = header.wholes("segment table")
    spans = {1: sum(table or ())}
    if table is not None and sum(table) != file.scanner.replace(span=1).planes:
        spans = {s: file.scanner.replace(span=s).planes for s in range(3, 13, 2)}
        if sum(table) not in spans.values():
            raise header.wrong(
                f"'segment table' has {sum(table)} planes",
                f"expected the {len(file.ring_pairs)} of {file.scanner.name} without compression",
            )
        remarks.append(
            f"the segment table of {header.path.name} is of compressed data: bins are taken as"
            f" uncompressed, {len(file.ring_pairs)} planes"
        )
    stated = header.whole("total listmode word counts", "total list mode word counts")
    if stated is not None and stated != file.words:
        remarks.append(
            f"{file.path.name} holds {file.words} words, {header.path.name} says {stated}: it is"
            " a part of the scan; times are those of its tags"
        )
    tick = header.whole("timing tagwords interval (msec)") or 1
    duration = header.number("image duration (sec)")
    lasts = file.end - file.start
    if duration is not None and abs(duration - lasts) > 0.01 * duration + 0.01:
        remarks.append(
            f"{file.path.name} lasts {lasts:g} s by its time tags, {header.path.name} says"
            f" {duration:g} s: the tags are used"
        )
    tracer, said = tracer_of(header)
    injection, noted = _injection(header, tracer)
    return dataclasses.replace(
        file,
        tick=tick,
        fields=dict(header.fields),
        tracer=tracer,
        injection=injection,
        remarks=(*remarks, *said, *noted),
    )


def _injection(header: InterfileHeader, tracer: Tracer | None) -> tuple[float, list[str]]:
    """Return when the tracer was injected [s after the start of the scan], and remarks."""
    scan, injection = header.moment("study"), header.moment("tracer injection")
    if scan is None or injection is None:
        return 0.0, [f"{header.path.name} does not say when the tracer was injected: 0 s is used"]
    seconds = (injection - scan).total_seconds()
    longest = _DAY if tracer is None else min(_DAY, 10.0 * tracer.half_life)
    if not -longest <= seconds <= longest:
        return seconds, [
            f"{header.path.name} puts the injection {abs(seconds) / 3600.0:.1f} h"
            f" {'before' if seconds < 0 else 'after'} the start of the scan: check it"
        ]
    return seconds, []


def _probe(file: ListMode) -> None:
    """Refuse a file whose first events are not of its scanner."""
    for events in file.stream(words=_PROBE):
        on_gap = int(events.on_gap.sum())
        if on_gap > _MOST_ON_GAPS * len(events):
            raise InputError(
                f"{on_gap} of the first {len(events)} events in {file.path.name} are on missing"
                f" crystals of {file.scanner.name}",
                "expected none",
                "give the scanner that it was measured with",
            )
        return
