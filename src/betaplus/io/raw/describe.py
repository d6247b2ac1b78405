"""What raw data are and what is wrong with them, for ``betaplus info``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import BetaplusError
from betaplus.core.raw import RawScan
from betaplus.core.scanner import Scanner
from betaplus.io.raw.listmode import ListMode
from betaplus.io.raw.listmode_open import open_listmode
from betaplus.io.raw.open_raw import is_list, open_raw
from betaplus.io.raw.store_header import ARRAYS

__all__ = ["describe_raw"]

_AT_A_TIME = 1 << 24  # numbers
_STATIC = frozenset(("efficiency", "attenuation"))


def describe_raw(path: str | Path) -> dict[str, Any]:
    """Return what raw data are: scanner, shape, frames, tracer, counts and ``problems``.

    All numbers are read once, some at a time.
    """
    path = Path(path)
    out: dict[str, Any] = {"file": path.name, "kind": "raw"}
    problems: list[dict[str, str]] = []
    try:
        note = _list if is_list(path) else _sinograms
        problems += [{"level": "remark", "text": text} for text in note(path, out)]
    except BetaplusError as error:
        problems.append({"level": "error", "text": str(error)})
    return out | {"problems": problems}


def _list(path: Path, out: dict[str, Any]) -> tuple[str, ...]:
    """Note what a list file holds; return remarks."""
    file = open_listmode(path)
    out |= {"format": "list mode", **_scanner(file.scanner), "words": file.words}
    out |= {"start_s": file.start, "end_s": file.end, "injection_s": file.injection}
    out |= {"tracer": _tracer(file)}
    prompts = delayeds = on_gap = 0
    for events in file.stream():
        prompts += int(events.prompt.sum())
        delayeds += int((~events.prompt).sum())
        on_gap += int(events.on_gap.sum())
    out |= {"prompts": prompts, "delayeds": delayeds}
    lost = (f"{on_gap} events are on missing crystals",) if on_gap else ()
    return (*file.remarks, *lost)


def _sinograms(path: Path, out: dict[str, Any]) -> tuple[str, ...]:
    """Note what sinograms hold; return remarks."""
    scan = open_raw(path)
    out |= {"format": "sinograms", **_scanner(scan.scanner)}
    out |= {"shape": list(scan.prompts.shape), "frames": None, "injection_s": scan.injection}
    if scan.frames is not None:
        out["frames"] = {
            "count": len(scan.frames),
            "first_start_s": float(scan.frames.start[0]),
            "last_end_s": float(scan.frames.end[-1]),
        }
    out |= {"tracer": _tracer(scan), "sensitivity": scan.sensitivity}
    remarks = list(scan.remarks)
    for name in ARRAYS:
        array = getattr(scan, name)
        if array is None:
            continue
        total, low, high = 0.0, np.inf, -np.inf
        for part in _parts(array, name in _STATIC):
            total += float(part.sum(dtype=np.float64))
            low, high = min(low, float(part.min())), max(high, float(part.max()))
        out[name] = {"range": [low, high]} if name in _STATIC else {"sum": total}
        if high == 0.0:
            remarks.append(f"{name} are zero everywhere")
    return tuple(remarks)


def _parts(array: Any, static: bool) -> Iterator[np.ndarray]:
    """Yield an array some views at a time."""
    shape = array.shape if static else array.shape[1:]
    step = max(1, _AT_A_TIME // int(np.prod(shape[1:])))
    for t in range(1 if static else array.shape[0]):
        for low in range(0, shape[0], step):
            views = slice(low, low + step)
            yield np.asarray(array[views] if static else array[t, views])


def _scanner(scanner: Scanner) -> dict[str, Any]:
    return {
        "scanner": scanner.name,
        "rings": scanner.rings,
        "span": scanner.span,
        "max_ring_difference": scanner.max_ring_difference,
        "tof_bins": scanner.tof_bins,
    }


def _tracer(source: ListMode | RawScan) -> dict[str, Any] | None:
    tracer = source.tracer
    if tracer is None:
        return None
    return {
        "name": tracer.name,
        "radionuclide": tracer.radionuclide,
        "half_life_s": tracer.half_life,
    }
