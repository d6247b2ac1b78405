"""`metrics.jsonl`: one JSON object a line, for each step at which a training run was looked at."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

from betaplus.generative.atomic import beside

__all__ = ["append_metrics", "cut_metrics", "read_metrics"]


def append_metrics(path: Path, figures: Mapping[str, float]) -> None:
    """Add a line; what is not finite becomes null."""
    finite = {k: v if math.isfinite(v) else None for k, v in figures.items()}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(finite, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def cut_metrics(path: Path, step: int) -> None:
    """Keep the lines up to a step; half a line, left by a kill, ends what is kept."""
    kept = [line for line in read_metrics(path) if line["step"] <= step]
    with beside(path) as temporary:
        temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Return the lines that are whole, in order; none if there is no file."""
    lines: list[dict[str, float]] = []
    if not path.exists():
        return lines
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            break
        if not isinstance(line, dict) or "step" not in line:
            break
        lines.append(line)
    return lines
