"""Seconds of a draw on one thread, of `ddpm` and the others by turns.

A draw of a thousand calls takes as long as hundreds of others, and what else runs on the machine
changes meanwhile. So it is stopped at even distances, its clock with it, and the others are timed.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from betaplus.core.progress import Progress
from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.denoising.volume import Volume
from betaplus.io.atomic import atomic_path
from betaplus.pipeline.benchmark.denoise.calls.lines import Line, method_of, one_draw, watched

__all__ = ["time_lines"]

_FEW = 4  # calls: lines of more take fewer turns
_RARELY = 4


def time_lines(
    file: Path,
    volume: Volume,
    lines: Sequence[Line],
    networks: dict[str, TrainedDenoiser],
    *,
    repeats: int,
    progress: Progress,
) -> dict[str, Any]:
    """Time a draw of each line in this process, on one thread.

    The volume is prepared before, which all share and which is timed apart.

    Args:
        file: Where times are kept, so that an interrupted run goes on.
        volume: To denoise.
        lines: One slow one, which is timed once and in full, and others.
        networks: On the CPU, by the names of their bundles.
        repeats: Turns of the others in the draw of the slow line; those of more than four calls
            take one in four.
        progress: What to report to; a step is a call of the network by the slow line.

    Returns:
        ``prepare_s``; ``lines``: name to ``seconds`` and ``cpu_s``, medians over ``times`` draws.
    """
    if not file.is_file():
        found = _measure(volume, lines, networks, repeats, progress)
        with atomic_path(file) as path:
            path.write_text(json.dumps(found), encoding="utf-8")
    kept = json.loads(file.read_text(encoding="utf-8"))
    return {
        "prepare_s": kept["prepare_s"],
        "lines": {
            name: {
                "seconds": statistics.median(wall for wall, _ in times),
                "cpu_s": statistics.median(cpu for _, cpu in times),
                "times": len(times),
            }
            for name, times in kept["lines"].items()
        },
    }


def _measure(
    volume: Volume,
    lines: Sequence[Line],
    networks: dict[str, TrainedDenoiser],
    repeats: int,
    progress: Progress,
) -> dict[str, Any]:
    (slow,), others = ([line for line in lines if line.slow is kind] for kind in (True, False))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        begin = time.perf_counter()
        volume.prepare(learned=True)
        prepare = time.perf_counter() - begin
        for line in others[:2]:  # the first call of a network is slower
            one_draw(method_of(line, networks), volume, 0)
        progress.start("times on one thread", slow.expected)
        times = _Round(volume, slow, others, networks, repeats, progress).measure()
        progress.finish()
    finally:
        torch.set_num_threads(threads)
    return {"prepare_s": prepare, "lines": times}


class _Round:
    """One draw of the slow line, and turns of the others within it."""

    def __init__(
        self,
        volume: Volume,
        line: Line,
        others: Sequence[Line],
        networks: dict[str, TrainedDenoiser],
        repeats: int,
        progress: Progress,
    ) -> None:
        self.volume, self.line, self.networks, self.progress = volume, line, networks, progress
        self.others = [(other, method_of(other, networks)) for other in others]
        self.times: dict[str, list[list[float]]] = {other.name: [] for other in others}
        self.every, self.repeats = max(line.expected // repeats, 1), repeats
        self.calls, self.away = 0, False
        self.lost = (0.0, 0.0)

    def measure(self) -> dict[str, list[list[float]]]:
        """Return name to [seconds, seconds of the CPU] of each draw."""
        begin = _now()
        with watched(self.networks[self.line.bundle].network, self._call):
            one_draw(method_of(self.line, self.networks), self.volume, 0)
        end = _now()
        own = [b - a - lost for a, b, lost in zip(begin, end, self.lost, strict=True)]
        return {**self.times, self.line.name: [own]}

    def _call(self) -> None:
        if self.away:
            return
        self.progress.advance()
        turn, rest = divmod(self.calls, self.every)
        self.calls += 1
        if rest or turn >= self.repeats:
            return
        self.away, begin = True, _now()
        for line, method in self.others:
            if line.steps > _FEW and turn % _RARELY:
                continue
            before = _now()
            one_draw(method, self.volume, 0)
            self.times[line.name].append([b - a for a, b in zip(before, _now(), strict=True)])
        self.away = False
        wall, cpu = (b - a for a, b in zip(begin, _now(), strict=True))
        self.lost = (self.lost[0] + wall, self.lost[1] + cpu)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
