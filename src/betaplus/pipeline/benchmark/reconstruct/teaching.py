"""Training of the U-Net of the benchmark, once a fraction of the counts."""

from __future__ import annotations

import json
from typing import Any

from betaplus.pipeline.benchmark.reconstruct.bench import SUBSETS, Bench
from betaplus.pipeline.benchmark.reconstruct.supervised import (
    pairs_of,
    save_network,
    train_network,
)
from betaplus.pipeline.benchmark.result_files import write_json

__all__ = ["teach"]


def teach(bench: Bench, fraction: float) -> list[dict[str, Any]]:
    """Train the U-Net where it is not there; return its checks as trials."""
    plan, path = bench.plan, bench.network(fraction)
    checks = path.with_suffix(".json")
    if not (path.is_file() and checks.is_file()):
        for seed in (*plan.taught_on, *plan.chosen_on):
            kept = path.with_name(f"{fraction:g}_{seed}.npz")
            if not kept.is_file():
                pairs_of(bench.case("small", fraction, seed), SUBSETS["small"], 2, kept)
        pairs, known = (
            [path.with_name(f"{fraction:g}_{seed}.npz") for seed in seeds]
            for seeds in (plan.taught_on, plan.chosen_on)
        )
        network, rows = train_network(pairs, known, plan.minutes)
        save_network(path, network)
        write_json(checks, {"rows": rows})
    rows = json.loads(checks.read_text(encoding="utf-8"))["rows"]
    return [
        {"settings": {"steps": row["steps"]}, "passes": 0, "filter": 0.0, "NRMSE": row["NRMSE"]}
        for row in rows
    ]
