"""The benchmark of the projector: what it measures, not how fast that is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from betaplus.pipeline.benchmark.reconstruct.projector import benchmark_projector, projector_table


@pytest.mark.slow
def test_a_quick_run(tmp_path) -> None:
    result = benchmark_projector(tmp_path, quick=True)
    assert result["shape"] == [252, 344, 837]
    assert result["whole"]["million_lines"] == pytest.approx(12 * 344 * 837 / 1e6)
    assert result["agreement"] < 1e-5  # the two kernels compute the same
    for kernel in ("structured", "single", "odd", "tof"):
        times = result["ms_per_million_lines"][kernel]
        assert all(np.isfinite(times[way]) and times[way] > 0 for way in ("forward", "back"))
    assert json.loads((tmp_path / "benchmark_projector.json").read_text()) == result
    assert (tmp_path / "benchmark_projector.md").read_text() == projector_table(result)
