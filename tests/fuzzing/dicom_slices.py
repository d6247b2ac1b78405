"""Changes to a DICOM file: elements with other values, lengths and kinds, or junk added."""

from __future__ import annotations

import io
import random
import warnings

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from tests.fuzzing.mutate import NUMBERS, TEXTS, change_bytes

__all__ = ["change_slice"]

_KINDS = ("LO", "DS", "IS", "US", "UL", "FD", "FL", "DA", "TM", "DT", "UI", "SQ", "OB", "UN", "ZZ")
_JUNK = ((0x0009, 0x0010), (0x0009, 0x100D), (0x7053, 0x0010), (0x7053, 0x1000), (0x7053, 0x1009))


def change_slice(raw: bytes, rng: random.Random) -> bytes:
    """Change elements of a slice, one to three times; half of the time its bytes."""
    if rng.random() < 0.5:
        return change_bytes(raw, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is wrong is wrong on purpose
        data, out = pydicom.dcmread(io.BytesIO(raw)), io.BytesIO()
        try:
            for _ in range(rng.choice((1, 1, 2, 3))):
                _change(data, rng)
            data.save_as(out, enforce_file_format=False)
        except Exception:  # pydicom has refused it; the reader must meet something
            return change_bytes(raw, rng)
    return out.getvalue()


def _change(data: Dataset, rng: random.Random) -> None:
    holder = data
    while True:
        tags = [tag for tag in holder.keys() if tag.element != 0]  # noqa: SIM118
        if not tags:
            return
        tag = rng.choice(tags)
        items = holder.get_item(tag).value
        if not (isinstance(items, pydicom.Sequence) and items and rng.random() < 0.7):
            break
        holder = items[0]
    kind = rng.randrange(5)
    if kind == 0:
        del holder[tag]
        return
    if kind == 1:
        tag = Tag(rng.choice(_JUNK))
    old = holder.get_item(tag) if tag in holder else None
    name = old.VR if old is not None and rng.random() < 0.6 else rng.choice(_KINDS)
    value = _value(rng)
    holder[tag] = RawDataElement(tag, name, len(value), value, 0, False, True)


def _value(rng: random.Random) -> bytes:
    kind = rng.randrange(4)
    if kind == 0:
        return str(rng.choice(NUMBERS)).encode()[:400]
    if kind == 1:
        return rng.choice(TEXTS).encode("utf-8", "surrogatepass")
    if kind == 2:
        return rng.randbytes(rng.choice((0, 1, 2, 4, 8, 64, 100_000)))
    return b"\\".join(str(rng.choice(NUMBERS)).encode()[:16] for _ in range(rng.choice((2, 3, 6))))
