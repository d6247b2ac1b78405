"""A DICOM file's header, and where its pixels are."""

from __future__ import annotations

import os
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from betaplus.core.errors import InputError
from betaplus.io.dicom.elements import called

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Opened", "open_header"]

_PIXEL_DATA = (0x7FE0, 0x0010)
_ENCAPSULATED = 0xFFFFFFFF
_LARGEST_FILE = 256 << 20  # bytes: of one slice and whatever is private to its scanner
_LARGEST_HEADER = 1 << 20  # bytes, without the elements that are passed over
_ENHANCED = ("1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1")
_LARGEST_ENHANCED_FILE = 64 << 30  # bytes: of all slices of a scan
_LARGEST_ENHANCED_HEADER = 16 << 20  # bytes
_MOST_ITEMS = 300_000  # of sequences, which take room in memory even where they are empty
_ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_PASSED_OVER = 64 << 10  # bytes: of an element that is larger none is needed


@dataclass(frozen=True, eq=False, kw_only=True)
class Opened:
    """A header that was read.

    Attributes:
        path: The file.
        data: The header, without pixels.
        syntax: Transfer syntax UID.
        offset: First byte of the pixels in the file, None where there are none.
        length: Their bytes, None where they are encapsulated.
        size: Bytes of the file.
        frame: Which of the file's slices this is, from 0; None where it has one.
    """

    path: Path
    data: Dataset
    syntax: str
    offset: int | None
    length: int | None
    size: int
    frame: int | None = None


def open_header(path: Path) -> Opened:
    """Return the header of a DICOM file; its pixels are found but not read.

    Raises:
        InputError: If it cannot be read, or is larger than a slice can be.
    """
    import pydicom
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    opened, whole = None, os.path.getsize(path)
    if whole > _LARGEST_ENHANCED_FILE:
        raise _too_large(path, whole, _LARGEST_ENHANCED_FILE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that are not as the standard wants them
        try:
            meta = read_file_meta_info(path)
            syntax = str(meta.get("TransferSyntaxUID", ""))
            many = str(meta.get("MediaStorageSOPClassUID", "")) in _ENHANCED
            deflated = syntax == DeflatedExplicitVRLittleEndian  # inflated whole, whatever it holds
            if not deflated and (many or whole <= _LARGEST_FILE):
                with path.open("rb") as file:
                    most = _LARGEST_ENHANCED_HEADER if many else _LARGEST_HEADER
                    header = cast(BinaryIO, _Header(file, most))
                    defer = None if many else _PASSED_OVER
                    data = pydicom.dcmread(header, stop_before_pixels=True, defer_size=defer)
                    offset, length = _pixels(file, data)
                    size = os.fstat(file.fileno()).st_size
                opened = Opened(
                    path=path, data=data, syntax=syntax, offset=offset, length=length, size=size
                )
        except Exception as error:  # pydicom raises whatever the junk causes
            raise InputError(
                f"{path.name} is a damaged DICOM file or none", "expected a header"
            ) from error
    if opened is None and not deflated:
        raise _too_large(path, whole, _LARGEST_FILE)
    if opened is None:
        raise InputError(
            f"{path.name} is deflated as a whole", "expected a file that is not", "export it again"
        )
    if "SOPClassUID" not in opened.data:
        raise InputError(
            f"{path.name} is a damaged DICOM file: {called('SOPClassUID')} is missing",
            "expected a header",
            "export it again",
        )
    return opened


def _too_large(path: Path, whole: int, most: int) -> InputError:
    return InputError(f"{path.name} holds {whole} bytes", f"expected one slice, up to {most}")


class _Header:
    """A file of which only so much is read: what is passed over does not count."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._left, self._items = file, most, _MOST_ITEMS
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes.

        Raises:
            ValueError: If that is more than a header may hold.
        """
        if not 0 <= size <= self._left:
            raise ValueError("the header is too large")
        self._left -= size
        part = self._file.read(size)
        self._items -= sum(part.count(tag) for tag in _ITEM_TAGS)
        if self._items < 0:
            raise ValueError("the header has too many items")
        return part


def _pixels(file: BinaryIO, data: Dataset) -> tuple[int | None, int | None]:
    """Return offset and length of the element that the reader stopped at (DICOM PS3.5, 7.1)."""
    implicit, little = data.original_encoding
    order = "<" if little else ">"
    head = file.read(8)
    if len(head) < 8 or struct.unpack(f"{order}HH", head[:4]) != _PIXEL_DATA:
        return None, None
    if implicit:
        length = struct.unpack(f"{order}I", head[4:])[0]
    else:
        more = file.read(4)
        if len(more) < 4:
            return None, None
        length = struct.unpack(f"{order}I", more)[0]
    return file.tell(), None if length == _ENCAPSULATED else length
