"""The study whose memory is measured, and what is said of the measurement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.patlak.study import make_study
from betaplus.pipeline.benchmark.patlak.memory import run as memory
from betaplus.pipeline.benchmark.patlak.memory.run import benchmark_memory
from betaplus.pipeline.benchmark.patlak.memory.table import (
    frames_growth,
    memory_table,
    voxel_bytes,
)
from betaplus.pipeline.benchmark.patlak.memory.torso import T_STAR, torso_blood, torso_image

WHOLE = slice(None)


def test_a_voxel_is_the_same_however_it_is_asked_for() -> None:
    data = torso_image((9, 8, 70), 4.0, 5).data
    whole = data[WHOLE, WHOLE, WHOLE]
    assert whole.shape == data.shape == (9, 8, 70, 5) and whole.dtype == np.float32
    np.testing.assert_array_equal(data[WHOLE, WHOLE, slice(30, 66)], whole[:, :, 30:66])
    np.testing.assert_array_equal(data[..., 3], whole[..., 3])


def test_the_torso_follows_the_line() -> None:
    """Means of many voxels are those that were put in; noise is a good part of a voxel."""
    image = torso_image((24, 36, 48), 8.0, 24)
    whole = image.data[WHOLE, WHOLE, WHOLE]
    study = make_study(image, torso_blood(), t_star=T_STAR)
    u = study.problem.least_squares() * study.problem.scale.reshape(2, 1, 1, 1)
    Ki, V0 = image.data._maps(WHOLE)
    inside = np.isclose(V0, 0.35)  # what surrounds organs
    found = [float(u[i][inside].mean()) for i in (0, 1)]
    np.testing.assert_allclose(found, [0.002, 0.35], rtol=0.05)
    assert 0.2 < (whole[..., -1] > 0).mean() < 0.6
    late = whole[..., -1][inside]
    assert 0.1 < late.std() / late.mean() < 1.0
    assert Ki.max() == np.float32(0.03)


def row(shape: tuple[int, ...], kind: str, frames: int, peak: float) -> dict[str, Any]:
    size = 4 * frames * int(np.prod(shape))
    return {
        "shape": shape, "format": kind, "frames": frames, "image_bytes": size,
        "peak_bytes": peak, "planned_bytes": peak, "method": "wls", "wall_s": 60.0, "cpu_s": 60.0,
        "stages_s": {"sums": 20.0}, "shortened": [],
    }  # fmt: skip


def test_growth_and_verdicts() -> None:
    rows = [
        row((10, 10, 10), "zarr", 12, 150_000),
        row((10, 10, 20), "zarr", 12, 200_000),
        row((10, 10, 20), "zarr", 48, 240_000),
        row((10, 10, 20), "nii.gz", 12, 200_000),
        row((10, 10, 20), "nii.gz", 48, 220_000),
    ]
    assert frames_growth(rows) == {"zarr": pytest.approx(1.2), "nii.gz": pytest.approx(1.1)}
    assert voxel_bytes(rows) == 50
    large = [row((192, 288, 520), "zarr", 35, 5.9e9), row((192, 288, 520), "zarr", 35, 6.1e9)]
    large[1] |= {"method": "hqs", "shortened": ["steps=2"]}
    result = {
        "quick": False, "voxel": 1.65, "threads": 1, "limit_bytes": 6e9, "most_minutes": 40.0,
        "frames": rows, "large": large, "machine": "",
        "estimates": {"hqs": {**large[0], "estimate_s": 9000.0}},
    }  # fmt: skip
    lines = memory_table(result).splitlines()
    gates = [line.split("|")[1:5] for line in lines if "| at most" in line]
    assert [verdict.strip() for *_, verdict in gates] == ["short", "pass", "pass", "short"]
    assert [float(found) for _, found, *_ in gates] == [1.2, 1.1, 5.9, 6.1]
    assert "150 min of CPU are expected of the whole, over 40: run with steps=2" in lines[-1]


def test_there_must_be_room(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="GB are free"),
        memory._study(tmp_path, (10_000, 10_000, 10_000), 1.0, 1000, "zarr"),
    ):
        pass


@pytest.mark.slow
def test_a_small_run(tmp_path: Path) -> None:
    result = benchmark_memory(
        tmp_path, shape=(12, 12, 32), counts=(6, 12), kinds=("zarr",), large=(24, 36, 40),
        large_frames=9, methods=("wls",), threads=1,
    )  # fmt: skip
    assert [r["frames"] for r in result["frames"]] == [6, 6, 12]
    for one in (*result["frames"], *result["large"]):
        assert 1e8 < one["peak_bytes"] < one["planned_bytes"] and one["cpu_s"] > 0
    names = ["benchmark_patlak_memory.json", "benchmark_patlak_memory.md"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert "| wls | 24 x 36 x 40 x 9 |" in (tmp_path / names[1]).read_text()
