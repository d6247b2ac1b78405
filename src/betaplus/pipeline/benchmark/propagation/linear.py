"""Part `gaussian`: chains from raw data to Ki whose coverage is known in closed form.

Truths are drawn from the prior, so that a sound chain covers what it states; intervals of studies
that are drawn are counted beside the probability.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from betaplus.core.progress import Progress, Silent
from betaplus.core.seeds import generator
from betaplus.pipeline.benchmark.propagation.gaussian import (
    GaussianCase,
    chains,
    coverage,
    strips,
)
from betaplus.pipeline.benchmark.propagation.table import gaussian_table
from betaplus.pipeline.benchmark.result_files import write_result

__all__ = ["LEVELS", "benchmark_gaussian", "make_case", "wanted"]

LEVELS = (0.5, 0.9)
"""Of the intervals."""

_FRAMES = 6
_SMOOTH = 1.5  # voxels: of the prior, SD of its Gaussian covariance
_TOGETHER = 0.5  # correlation of Ki and V0 in a voxel
_BLOCK = 4  # voxels: edge of a region
_DRAW = 31


def make_case(width: int = 12, *, noise: float = 1.0) -> GaussianCase:
    """Return a small scan: six frames, u of SD 1, correlated over a few voxels.

    Args:
        width: Voxels an edge.
        noise: SD of a datum.
    """
    axis = np.arange(width)
    x, y = (part.ravel() for part in np.meshgrid(axis, axis, indexing="ij"))
    square = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2
    near = np.exp(-square / (2.0 * _SMOOTH**2)) + 0.05 * np.eye(width * width)
    both = np.array([[1.0, _TOGETHER], [_TOGETHER, 1.0]])
    time = np.linspace(0.5, 1.0, _FRAMES)
    design = np.stack([time, 1.6 - 0.6 * time], 1)  # the integral of the input, and the input
    system = strips(width, 20, 2 * width)
    variance = np.full((_FRAMES, len(system)), noise**2)
    return GaussianCase(
        design=design, system=system, noise=variance, prior=np.kron(both, near) / 1.05
    )


def wanted(width: int) -> dict[str, np.ndarray]:
    """Return the functions of u that are judged: Ki of voxels, and of regions of 4 x 4 of them."""
    n = width * width
    voxels = np.hstack([np.eye(n), np.zeros((n, n))])
    groups = []
    for i in range(0, width - _BLOCK + 1, _BLOCK):
        for j in range(0, width - _BLOCK + 1, _BLOCK):
            mask = np.zeros((width, width))
            mask[i : i + _BLOCK, j : j + _BLOCK] = 1.0 / _BLOCK**2
            groups.append(np.concatenate([mask.ravel(), np.zeros(n)]))
    return {"voxel": voxels, "region": np.array(groups)}


def benchmark_gaussian(
    out: Path, *, quick: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Write ``benchmark_propagation_gaussian.json`` and ``.md``; return what is in the first.

    Args:
        out: Folder.
        quick: A smaller image and fewer studies.
        progress: What to report to.
    """
    progress = progress or Silent()
    width, studies = (8, 50) if quick else (16, 2000)
    case = make_case(width, noise=2.0)
    functions = wanted(width)
    found = chains(case)
    truth, data = _draw(case, studies)
    rows = []
    progress.start("chains", len(found))
    for name, chain in found.items():
        error = data @ chain.gain.T - truth
        for kind, function in functions.items():
            known = coverage(case, chain, function, LEVELS)
            off = np.abs(error @ function.T)
            counted = [
                float((off <= norm.ppf(0.5 + 0.5 * level) * known["sd"]).mean()) for level in LEVELS
            ]
            rows.append({
                "chain": name, "kind": kind,
                "held": known["held"].mean(1).tolist(), "counted": counted,
                "sd": float(np.sqrt(np.mean(known["sd"] ** 2))),
                "error": float(np.sqrt(np.mean(known["error"] ** 2))),
            })  # fmt: skip
        progress.advance()
    progress.finish()
    result: dict[str, Any] = {
        "quick": quick, "width": width, "studies": studies, "levels": list(LEVELS),
        "frames": _FRAMES, "lines": len(case.system), "rows": rows,
    }  # fmt: skip
    write_result(out, "propagation_gaussian", result, gaussian_table(result))
    return result


def _draw(case: GaussianCase, studies: int) -> tuple[np.ndarray, np.ndarray]:
    """Return truths (studies, 2 n) and raw data (studies, T lines)."""
    rng = generator(0, 0, _DRAW)
    root = np.linalg.cholesky(case.prior + 1e-10 * np.eye(len(case.prior)))
    truth = rng.standard_normal((studies, len(root))) @ root.T
    noise = np.sqrt(case.noise.ravel())
    data = truth @ case.forward.T + noise * rng.standard_normal((studies, noise.size))
    return truth, data
