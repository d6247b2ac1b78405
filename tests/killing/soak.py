"""Many small studies in one process: ``python -m tests.killing.soak --number 200``.

After the first rounds, in which libraries load and caches fill, memory must not grow any more.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import io
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

__all__ = ["growth", "soak"]

_WARM = 0.25
"""Share of the rounds at the beginning that does not count."""


def _kinetics(folder: Path) -> Callable[[Path], tuple[object, ...]]:
    from tests.cli.study import CHEAP, Study, write_study

    study = Study(write_study(folder, shape=(8, 7, 5), voxels=150))
    return lambda out: ("kinetics", study.pet, "--blood", study.blood, "-o", out, *CHEAP)


def _patlak(folder: Path) -> Callable[[Path], tuple[object, ...]]:
    from tests.cli.patlak_study import arguments, write_study

    write_study(folder)
    more = ("--anatomy", "body", "--set", "steps=2")
    return lambda out: arguments(folder, out, *more)


def _denoise(folder: Path) -> Callable[[Path], tuple[object, ...]]:
    from tests.denoising.cases import image, noisy, tiny_bundle

    from betaplus.io.derivatives import write_image

    tiny_bundle(folder)
    write_image(folder / "sub-01_pet.nii", image(noisy(0, (32, 28, 24))))
    bundle = folder / "denoiser-body-v1"
    return lambda out: ("denoise", folder / "sub-01_pet.nii", "-o", out, "--bundle", bundle)


def _separate(folder: Path) -> Callable[[Path], tuple[object, ...]]:
    from tests.cli.separate_study import arguments, write_study

    write_study(folder)
    return lambda out: arguments(folder, out, "--method", "linear")


def _reconstruct(folder: Path) -> Callable[[Path], tuple[object, ...]]:
    from tests.cli.test_reconstruct import scan

    from betaplus.io.raw.store import write_raw

    write_raw(folder / "sub-01_raw.zarr", scan())
    more = ("--method", "osem", "--voxel", 6, "--matrix", 15, "--subsets", 6)
    return lambda out: ("reconstruct", folder / "sub-01_raw.zarr", "-o", out, *more)


_STUDIES = (_kinetics, _patlak, _denoise, _separate, _reconstruct)


def soak(number: int, folder: Path) -> np.ndarray:
    """Analyse studies with one verb after the other, every time anew.

    Args:
        number: Of studies.
        folder: An empty one to work in.

    Returns:
        Resident memory after every round of five studies [bytes].
    """
    from betaplus.cli.main import main

    commands = []
    for k, make in enumerate(_STUDIES):
        (folder / str(k)).mkdir()
        commands.append(make(folder / str(k)))
    memory = []
    for n in range(number):
        out = folder / "out"
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                main([*map(str, commands[n % len(commands)](out)), "--quiet", "--workers", "2"])
            except SystemExit as ended:
                if ended.code:
                    raise RuntimeError(f"study {n}: {said.getvalue()[-500:]}") from ended
        shutil.rmtree(out)
        if n % len(commands) == len(commands) - 1:
            gc.collect()
            memory.append(_resident())
    return np.array(memory)


def growth(memory: np.ndarray) -> tuple[float, float]:
    """Return how much memory grows a round [bytes] and its standard error, after the first rounds.

    Args:
        memory: From `soak`.
    """
    kept = memory[int(np.ceil(_WARM * len(memory))) :].astype(float)
    rounds = np.arange(len(kept)) - (len(kept) - 1) / 2
    slope = float(rounds @ kept / (rounds @ rounds))
    left = kept - kept.mean() - slope * rounds
    return slope, float(np.sqrt(left @ left / max(len(kept) - 2, 1) / (rounds @ rounds)))


def _resident() -> int:
    with contextlib.suppress(OSError, AttributeError):  # what is free goes back to the system
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^VmRSS:\s*(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.killing.soak", description=__doc__)
    parser.add_argument("--number", type=int, default=200, help="studies")
    asked = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        memory = soak(asked.number, Path(folder))
    slope, error = growth(memory)
    print(
        f"{asked.number} studies, {time.monotonic() - begun:.0f} s: memory after rounds of"
        f" {len(_STUDIES)}: first {memory[0] >> 20}, at a quarter"
        f" {memory[len(memory) // 4] >> 20}, half {memory[len(memory) // 2] >> 20}, last"
        f" {memory[-1] >> 20} MiB; {slope / 2**20:+.2f} +- {error / 2**20:.2f} MiB a round"
    )


if __name__ == "__main__":
    _main()
