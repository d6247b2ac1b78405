"""Contrast of balls that training never had, at the noise of white matter that another method has.

Strength trades contrast against noise: RDP is run at several, `dds` as it was tuned and down to the
lowest noise level that it has by default, and the recovery of RDP is read where its noise is that
of `dds`, by straight lines between strengths; at its least noise where `dds` has less than RDP at
any strength.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.reconstruct.bench import LOW, Bench
from betaplus.pipeline.benchmark.reconstruct.candidates import Candidate
from betaplus.pipeline.benchmark.reconstruct.cases import trials
from betaplus.pipeline.benchmark.reconstruct.lesions import contrasts
from betaplus.pipeline.benchmark.shelf import Task

__all__ = ["BETAS", "MULTIPLES", "at_noise", "matched_lines", "matched_tasks"]

MULTIPLES = (2.0, 5.0)
"""Activity of balls over that of white matter."""

BETAS = (0.003, 0.01, 0.03, 0.1)
"""Of RDP."""

FULLER: dict[str, float] = {"first": 2.5, "last": 0.1}
"""Settings of `dds` that are tried beside what it was tuned to: draws with all their noise."""


def matched_tasks(
    bench: Bench, chosen: Mapping[str, Any], needs: Sequence[str] = ()
) -> list[Task]:  # fmt: skip
    """Return the pieces; none where the plan lacks `dds` or RDP.

    Args:
        bench: The bench.
        chosen: Name of a candidate to a function that returns what it was tuned to.
        needs: Items that this takes.
    """
    found = {c.method: c for c in bench.plan.candidates if c.leading}
    if "dds" not in found or "svrg" not in found:
        return []
    names = [(f"matched/{seed}/{m:g}", seed, m) for seed in bench.plan.lesions for m in MULTIPLES]
    return [
        Task(
            name, [name],
            partial(_match, bench, found["dds"], found["svrg"], chosen, seed, multiple, name),
            needs,
        )
        for name, seed, multiple in names
    ]  # fmt: skip


def _match(
    bench: Bench,
    dds: Candidate,
    rdp: Candidate,
    chosen: Mapping[str, Any],
    seed: int,
    multiple: float,
    name: str,
) -> None:
    case = bench.case("small", LOW, seed, lesions=multiple)
    data = bench.data("small", LOW, seed, lesions=multiple)
    assert case.balls is not None
    rows = []
    for beta in BETAS:
        choice = chosen[rdp.name]()
        settings = {**choice["settings"], "beta": beta}
        (trial,) = trials(rdp, data, settings=settings, passes=choice["passes"])
        rows.append({"beta": beta, **contrasts(trial.image, case.truth, case.balls)})
    tuned = {**chosen[dds.name]()["settings"], "draws": 1}
    own = []
    for label, more in (("as tuned", {}), ("whole draw", FULLER)):
        (trial,) = trials(dds, data, settings={**tuned, **more})
        own.append({"what": label, **contrasts(trial.image, case.truth, case.balls)})
    bench.shelf.put(name, {"seed": seed, "multiple": multiple, "rdp": rows, "dds": own})


def at_noise(rows: Sequence[Mapping[str, float]], noise: float) -> tuple[float, float]:
    """Return the recovery of RDP at some noise [%], and that noise: the nearest that it has."""
    known = sorted(rows, key=lambda row: row["noise"])
    noises = [row["noise"] for row in known]
    at = float(np.clip(noise, noises[0], noises[-1]))
    return float(np.interp(at, noises, [row["recovery"] for row in known])), at


def matched_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the recoveries as Markdown."""
    if not rows:
        return []
    lines = [
        "",
        "Contrast recovery (mean of three balls of 6, 5 and 4 mm radius in white matter, 1 % of"
        " the counts) of one draw of `dds`, and of RDP at the same noise of white matter or at the"
        f" nearest that it has, from `beta` {', '.join(f'{b:g}' for b in BETAS)}:",
        "",
        "| head | activity over white matter | `dds` | noise [%] | `dds` [%]"
        " | noise of RDP [%] | RDP [%] | difference |",
        "|---" * 8 + "|",
    ]
    differences = []
    for row in rows:
        for own in row["dds"]:
            other, noise = at_noise(row["rdp"], own["noise"])
            differences.append(own["recovery"] - other)
            lines.append(
                f"| {row['seed']} | {row['multiple']:g} | {own['what']} | {own['noise']:.1f}"
                f" | {own['recovery']:.0f} | {noise:.1f} | {other:.0f} | {differences[-1]:+.0f} |"
            )
    mean, least = np.mean(differences), min(differences)
    return [*lines, "", f"Mean difference {mean:+.1f}, least {least:+.1f}."]
