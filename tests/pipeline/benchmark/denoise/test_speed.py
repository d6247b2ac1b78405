"""What is timed of denoising, and how the published network's cost is scaled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from betaplus.pipeline.benchmark.denoise.speed.published_cost import (
    PUBLISHED,
    block_flop,
    published_cost,
)
from betaplus.pipeline.benchmark.denoise.speed.run import analytic_body, benchmark_speed


def test_flop_of_a_block() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    layers = [torch.nn.Conv3d(6, 6, 3, padding=1) for _ in range(2)]
    with FlopCounterMode(display=False) as counter:
        torch.nn.Sequential(*layers)(torch.zeros(1, 6, 10, 10, 10))
    assert counter.get_total_flops() == block_flop(6, 10)


def test_the_published_network_is_consistent_and_its_cost_scaled_by_flop() -> None:
    assert PUBLISHED.tile_flop * PUBLISHED.tiles * PUBLISHED.steps == pytest.approx(
        PUBLISHED.volume_flop, rel=0.01
    )
    before = torch.get_num_threads()
    found = published_cost(1, repeats=1, blocks=((32, 8), (64, 8)))
    assert torch.get_num_threads() == before
    for precision in ("fp32", "bf16"):
        part = found[precision]
        rate = max(one["flop_per_s"] for one in part["timed"])
        assert part["flop_per_s"] == rate and 1e8 < rate < 1e14
        assert part["volume_s"] * rate == pytest.approx(PUBLISHED.volume_flop)
        assert part["tile_s"] * rate == pytest.approx(PUBLISHED.tile_flop)


def test_the_body_is_one_with_noise() -> None:
    image = analytic_body((64, 96, 170), 5.0)
    data = np.asarray(image.data)
    assert image.unit == "SUV" and data.dtype == np.float32 and data.min() >= 0
    assert 15 < data.max() < 60 and 0.3 < (data > 0.2).mean() < 0.7
    soft = data[30:36, 40:46, 120:130]
    assert soft.mean() == pytest.approx(1.0, abs=0.1) and 0.1 < soft.std() < 0.5


@pytest.mark.slow
def test_a_small_run(tmp_path: Path) -> None:
    result = benchmark_speed(
        tmp_path, shape=(24, 26, 30), voxel=3.0, repeats=1, blocks=((32, 8),), max_memory="2G"
    )
    text = (tmp_path / "benchmark_denoise_speed.md").read_text()
    for precision in ("fp32", "bf16"):
        run = result[precision]
        assert 1e8 < run["peak_bytes"] < result["max_memory_bytes"]
        assert run["stages_s"]["denoise"] < run["stages_s"]["total"] < run["wall_s"]
        assert result[precision]["times_faster"] > 1
        assert f"| {precision} | {run['wall_s']:.1f} |" in text
    assert text.count("| pass |") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "benchmark_denoise_speed.json", "benchmark_denoise_speed.md",
    ]  # fmt: skip
