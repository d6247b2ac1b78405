"""What engines cost: the figures agree with each other and with what was sent."""

from __future__ import annotations

import pytest

from betaplus.pipeline.benchmark.kinetics import engines as part
from betaplus.pipeline.benchmark.kinetics.cases import find_scan


@pytest.mark.slow
def test_rates_bytes_and_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "_ENGINES", ("threads",))
    found = part.engines(
        find_scan(), blocks=3, idle_blocks=8, block_items=512, workers=(1, 2), repeats=1
    )
    data = 8 * 512 * found["frames"]  # float64
    assert data < found["bytes_sent"] < data + 2000
    assert found["bytes_back"] > 4 * 512 * 9 * 5  # nine quantities, mean and SD and quantiles
    assert [(row["engine"], row["workers"]) for row in found["rows"]] == [
        ("threads", 1),
        ("threads", 2),
    ]
    for row in found["rows"]:
        alone, cost = 512 / found["inline"], row["block_ms"] / 1e3
        assert row["model"] == pytest.approx(row["workers"] * 512 / (alone + cost))
        assert row["share"] == pytest.approx(cost / (alone + cost))
        assert 0.0 < row["share"] < 1.0 and row["rate"] > 0.0
    table = part.engines_table(found).splitlines()
    assert len([line for line in table if line.startswith("| threads |")]) == 2
