"""Gzip by threads is gzip: other programs read it, and threads leave no trace."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from betaplus.pipeline.gzip_stream import gzip_stream

RANDOM = np.random.default_rng(0)
PARTS = [
    b"",
    b"a",
    bytes(300_000),
    RANDOM.bytes(1 << 20),
    RANDOM.standard_normal(200_000).astype(np.float32).tobytes(),
    b"",
    RANDOM.gamma(3.0, size=(64, 64, 16)).astype(np.float32).tobytes(),
]


@pytest.mark.parametrize("count", [0, 1, 2, 4, len(PARTS)])
def test_it_is_unpacked_to_what_was_packed(count: int) -> None:
    packed = [b"".join(gzip_stream(iter(PARTS[:count]), threads)) for threads in (1, 2, 5)]
    assert packed[0] == packed[1] == packed[2]
    assert gzip.decompress(packed[0]) == b"".join(PARTS[:count])


def test_noise_shrinks_as_much_as_in_one_piece() -> None:
    whole = b"".join(PARTS)
    assert len(b"".join(gzip_stream(PARTS))) < 1.01 * len(gzip.compress(whole, 1))


@pytest.mark.skipif(shutil.which("gzip") is None, reason="no gzip program here")
def test_the_program_reads_it(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(b"".join(gzip_stream(PARTS, 2)))
    subprocess.run(["gzip", "-t", str(tmp_path / "x.gz")], check=True)
    unpacked = subprocess.run(["gzip", "-dc", str(tmp_path / "x.gz")], capture_output=True)
    assert unpacked.stdout == b"".join(PARTS)


def test_an_error_of_the_source_is_not_swallowed() -> None:
    def broken():
        yield PARTS[3]
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        list(gzip_stream(broken(), 2))
