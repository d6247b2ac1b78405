"""What `betaplus benchmark engines` found, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from betaplus.pipeline.benchmark.wording import opening, passed

__all__ = ["engines_table"]

_MB = 1 << 20


def engines_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_engines` as Markdown."""
    lines = opening("Verbs in engines", result)
    lines += [
        f"Whole commands without a report, from the start of the process to its end, one thread"
        f" a worker ({result['machine']}). Fastest of {result['repeats']} runs, engines in turn."
        " *Times faster* is over `inline`; CPU seconds are of the command and its workers, *more"
        " CPU* is what they are over those of `inline`. *By CPU* is the time of `inline` over that"
        " of the command and then its slowest worker, both in CPU seconds: what *times faster*"
        " would be at least on cores that nobody else uses.",
        "",
        "| verb | engine | workers | all [s] | times faster | by CPU | CPU [s] | more CPU |"
        " blocks | peak memory [MiB] | images |",
        "|---" * 11 + "|",
    ]
    for verb, rows in result["verbs"].items():
        alone = rows["inline 1"]
        for key, row in rows.items():
            engine, workers = key.split()
            times, ideal, more, same = "", "", "", ""
            if row is not alone:
                ideal = f"{alone['cpu_s'] / (row['command_cpu_s'] + row['worker_cpu_s']):.2f}"
                times = f"{alone['wall_s'] / row['wall_s']:.2f}"
                if workers == "2":
                    times += f" ({passed(alone['wall_s'] / row['wall_s'] >= result['target'])})"
                more = f"{100 * (row['cpu_s'] / alone['cpu_s'] - 1):.1f} %"
                same = "the same bits" if row["images"] == alone["images"] else "differ"
            lines.append(
                f"| `{verb}` | `{engine}` | {workers} | {row['wall_s']:.1f} | {times} | {ideal} |"
                f" {row['cpu_s']:.1f} | {more} | {row['blocks']} |"
                f" {row['peak_bytes'] / _MB:,.0f} | {same} |"
            )
    stages = sorted({s for rows in result["verbs"].values() for r in rows.values()
                     for s in r["stages_s"]} - {"total"})  # fmt: skip
    lines += ["", "Seconds by stage, `inline` and then the others in the order above:", ""]
    for verb, rows in result["verbs"].items():
        parts = []
        for stage in stages:
            seconds = [row["stages_s"].get(stage) for row in rows.values()]
            if any(s is not None and s >= 0.1 for s in seconds):
                parts.append(f"{stage} {', '.join(f'{s or 0:.1f}' for s in seconds)}")
        lines.append(f"- `{verb}`: {'; '.join(parts)}")
    return "\n".join([*lines, ""])
