"""Gzip by several threads: one stream that any reader knows."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["gzip_stream"]

_START = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 4, 255])  # RFC 1952: no name, no time, fastest
_LEVEL = 1


def gzip_stream(parts: Iterable[bytes], threads: int = 1) -> Iterator[bytes]:
    """Yield the bytes of a gzip file (RFC 1952) with the contents of parts, one after the other.

    Parts are compressed apart, each to whole bytes (an empty stored block ends it, RFC 1951), which
    put together are one deflate stream. The bytes depend on the parts, not on the threads; level
    1, as noise hardly shrinks more.

    Args:
        parts: Of a size worth a thread, about a megabyte or more.
        threads: That compress; twice as many parts are held.
    """
    yield _START
    length, check = 0, 0
    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for part in parts:
            length, check = length + len(part), zlib.crc32(part, check)
            waiting.append(pool.submit(_compressed, part))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    end = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    yield end.flush(zlib.Z_FINISH)
    yield struct.pack("<II", check, length & 0xFFFFFFFF)


def _compressed(part: bytes) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(part) + deflate.flush(zlib.Z_FULL_FLUSH)
