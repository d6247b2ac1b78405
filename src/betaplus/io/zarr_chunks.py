"""Arrays of zarr stores opened so that no chunk can unpack to more than it should.

A compressed chunk says itself how large it is, and the codecs take that much memory. Here a chunk
is looked at first: what says that it holds more than its place in the array is refused. zarr is
given the codecs of this file under names of their own, so that those of others stay as they are.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["COMPRESSORS", "check_chunks", "open_array"]

COMPRESSORS = frozenset(("blosc", "gzip", "zstd"))

_MOST_CHUNKS = 1 << 20
_LARGEST_CHUNK = 1 << 30  # bytes
_FREE_CHUNK = 64 << 20  # bytes: up to here a chunk may be larger than the array
_BESIDE = 64  # bytes: checksums beside the numbers
_PREFIX = "betaplus-"
_ZSTD = 0xFD2FB528
_ZSTD_SKIPPED = 0x184D2A5
_SIZES = (0, 2, 4, 8)  # bytes of the content size by its flag
_SIZES_OF_DICTIONARY = (0, 1, 2, 4)


def check_chunks(
    shape: Sequence[int], chunks: Sequence[int], itemsize: int, largest: int
) -> str | None:
    """Return what is wrong with a grid of chunks, None if nothing is.

    Args:
        shape: Of the array.
        chunks: Of a chunk.
        itemsize: Bytes of a number.
        largest: Bytes of the largest file of a chunk that is there.
    """
    size = math.prod(chunks) * itemsize
    if size > _LARGEST_CHUNK or size > max(_FREE_CHUNK, 2 * math.prod(shape) * itemsize):
        return f"its chunks hold {tuple(chunks)} numbers for shape {tuple(shape)}"
    count = math.prod(-(-n // c) for n, c in zip(shape, chunks, strict=True))
    if count > _MOST_CHUNKS:
        return f"it has {count} chunks, expected at most {_MOST_CHUNKS}"
    if largest > size + size // 8 + (1 << 16):
        return f"a chunk of {largest} bytes for {size} bytes of numbers"
    return None


def open_array(path: Path, name: str) -> Any:
    """Open an array of a store whose codecs have been checked.

    Where metadata are wrong zarr raises whatever they cause; a chunk that says that it holds too
    much is a ValueError when it is read.
    """
    import zarr

    return zarr.open_array(_store_class()(path, read_only=True), path=name, mode="r", zarr_format=3)


@cache
def _store_class() -> Any:
    """Return a store that names the codecs of this file in the metadata of its arrays."""
    from zarr.registry import register_codec
    from zarr.storage import LocalStore

    for name, codec in _codecs().items():
        register_codec(_PREFIX + name, codec)

    class Store(LocalStore):
        async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
            found = await super().get(key, prototype, byte_range)
            if found is None or os.path.basename(key) != "zarr.json":
                return found
            fields = json.loads(found.to_bytes())
            if fields.get("node_type") == "array":
                fields["codecs"] = _renamed(fields.get("codecs"))
            return type(found).from_bytes(json.dumps(fields).encode())

    return Store


def _renamed(codecs: Any) -> list[Any]:
    """Return codecs with compressors by the names of this file."""
    out = []
    for codec in codecs if isinstance(codecs, list) else []:
        fields = dict(codec) if isinstance(codec, Mapping) else {"name": codec}
        name, inner = fields.get("name"), fields.get("configuration")
        if name in COMPRESSORS:
            fields["name"] = _PREFIX + str(name)
        elif name == "sharding_indexed" and isinstance(inner, Mapping):
            fields["configuration"] = {**inner, "codecs": _renamed(inner.get("codecs"))}
        out.append(fields)
    return out


def _codecs() -> dict[str, Any]:
    """Return zarr's compressors with a look at each chunk before it is unpacked."""
    from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

    def bounded(name: str, base: Any, content: Any) -> Any:
        def check(data: Any, spec: Any) -> None:
            kind = spec.dtype
            itemsize = getattr(kind, "item_size", None) or kind.itemsize
            most = math.prod(spec.shape) * itemsize + _BESIDE
            said = content(memoryview(data.as_numpy_array()).cast("B"), most)
            if said is None:
                raise ValueError("a chunk does not say how many bytes it holds")
            if said > most:
                raise ValueError(f"a chunk says that it holds {said} bytes where {most} are room")

        class Bounded(base):  # type: ignore[misc]
            @classmethod
            def from_dict(cls, data: Any) -> Any:
                return super().from_dict({**data, "name": name})

            async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
                check(chunk_bytes, chunk_spec)
                return await super()._decode_single(chunk_bytes, chunk_spec)

        return Bounded

    return {
        "blosc": bounded("blosc", BloscCodec, _blosc_content),
        "gzip": bounded("gzip", GzipCodec, _gzip_content),
        "zstd": bounded("zstd", ZstdCodec, _zstd_content),
    }


def _blosc_content(data: memoryview, _: int) -> int | None:
    """Return the bytes that a blosc chunk unpacks to, None where it is not as long as it says.

    The library reads as far as the header says (bytes 12 to 16), also beyond the end of the chunk.
    """
    if len(data) < 16 or int.from_bytes(data[12:16], "little") != len(data):
        return None
    return int.from_bytes(data[4:8], "little")


def _zstd_content(data: memoryview, _: int) -> int | None:
    """Return the bytes that zstd frames unpack to, None where one does not say (RFC 8878, 3.1)."""
    total = at = 0
    while at < len(data):
        magic = int.from_bytes(data[at : at + 4], "little")
        if magic >> 4 == _ZSTD_SKIPPED:
            at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
            continue
        if magic != _ZSTD or len(data) < at + 6:
            return None
        flags = data[at + 4]
        single = bool(flags & 0x20)
        size = _SIZES[flags >> 6] or int(single)
        at += 5 + (not single) + _SIZES_OF_DICTIONARY[flags & 3]
        if not size:
            return None
        total += int.from_bytes(data[at : at + size], "little") + (256 if size == 2 else 0)
        at, last = at + size, False
        while not last and at < len(data):
            block = int.from_bytes(data[at : at + 3], "little")
            last, repeats = bool(block & 1), block >> 1 & 3 == 1
            at += 3 + (1 if repeats else block >> 3)
        at += 4 * bool(flags & 4)
    return total


def _gzip_content(data: memoryview, most: int) -> int:
    """Return the bytes that a gzip file unpacks to, or one more than `most` where it is over."""
    total, rest = 0, bytes(data)
    while rest and total <= most:
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
        total += len(unpack.decompress(rest, most + 1 - total))
        rest = unpack.unused_data if unpack.eof else b""
    return total
