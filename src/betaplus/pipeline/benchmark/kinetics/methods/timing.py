"""What equal time buys, and what equal quality costs.

Times are wall times of one thread for curves that go through the network in full batches, what the
curves of a scan share (tables, networks) apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.kinetics.methods.cases import Batch
from betaplus.pipeline.benchmark.kinetics.methods.entries import (
    ENTRIES,
    Entry,
    Found,
    one_thread,
    timed_entry,
)
from betaplus.pipeline.benchmark.kinetics.methods.scores import accuracy

__all__ = ["abc_entry", "crossing", "equal_time", "network_time"]

_CONSISTENCY = next(entry for entry in ENTRIES if entry.label == "consistency, raw")
_SAMPLERS = ("smc", "rejection")
_LEAST, _MOST = 800, 1 << 17  # simulations
_KEPT = 8  # simulations per particle that is kept
_ABC_DRAWS = 200
_TRIES = 2


def abc_entry(sampler: str, simulations: int) -> Entry:
    """Return `abc` with a budget; an eighth of it is kept, from 100 to 1000 particles."""
    settings = {
        "sampler": sampler,
        "simulations": simulations,
        "accepted": int(np.clip(simulations // _KEPT, 100, 1000)),
        "table": 1 << 17 if simulations > 1 << 16 else 1 << 16,
    }
    return Entry(label=f"abc, {sampler}", method="abc", settings=settings, points="accepted")


def equal_time(
    batches: Sequence[Batch],
    reference: Found,
    budgets: Sequence[int],
    draws: Sequence[int],
    repeats: int,
    progress: Progress,
) -> dict[str, Any]:
    """Hold `abc` against `consistency` at equal time, and at equal error of the SD.

    Args:
        batches: Curves, 32 in each so that batches of the network are full.
        reference: Trusted posteriors of them.
        budgets: Simulations of `abc` that are tried for equal error, rising; at least two.
        draws: Draws per curve of `consistency`.
        repeats: Runs of which the shortest counts.
        progress: What to report to.

    Returns:
        ``curves``; ``consistency``: for each number of draws its ``seconds`` per curve, ``error``
        and ``uncertainty``, and for each sampler of `abc` the same at equal time, with
        ``simulations``; ``gain``: 1 - uncertainty error over that of the better sampler; ``equal``:
        for each sampler ``times`` the time of `consistency` at equal uncertainty error, and whether
        that was ``reached``; ``slower``: the least of them. ``abc``: what was measured of it.
    """
    rows: list[dict[str, Any]] = []
    progress.start("time of abc", len(_SAMPLERS) * (len(budgets) + len(draws)))
    measured: dict[str, list[dict[str, Any]]] = {}
    lines: dict[str, np.ndarray] = {}
    for sampler in _SAMPLERS:
        measured[sampler] = []
        for n in budgets:
            entry = abc_entry(sampler, n)
            measured[sampler].append(_judge(entry, batches, reference, repeats))
            progress.advance()
        first = measured[sampler][:2]
        lines[sampler] = np.polyfit(budgets[:2], [found["seconds"] for found in first], 1)
    for count in draws:
        mine = _judge(_CONSISTENCY, batches, reference, repeats, count)
        row: dict[str, Any] = {"draws": count, **mine, "abc": {}, "equal": {}}
        for sampler in _SAMPLERS:
            row["abc"][sampler] = _at_time(
                sampler, mine["seconds"], lines[sampler], batches, reference, repeats
            )
            row["equal"][sampler] = crossing(
                [(m["seconds"], m["uncertainty"]) for m in measured[sampler]],
                mine["seconds"],
                mine["uncertainty"],
            )
            progress.advance()
        best = min(row["abc"].values(), key=lambda found: found["uncertainty"])
        row["gain"] = 1.0 - mine["uncertainty"] / best["uncertainty"]
        row["slower"] = min(row["equal"].values(), key=lambda found: found["times"])
        rows.append(row)
    progress.finish()
    return {
        "curves": sum(len(batch) for batch in batches),
        "consistency": rows,
        "abc": measured,
    }


def crossing(
    measured: Sequence[tuple[float, float]], seconds_wanted: float, error_wanted: float
) -> dict[str, Any]:
    """Return how many times the time it takes until an error is as low as wanted.

    Between two budgets both are straight lines in their logarithms.

    Args:
        measured: Time and error of each budget, budgets rising.
        seconds_wanted: The time that is 1.
        error_wanted: The error to come down to.

    Returns:
        ``times``, and ``reached``: False where even the largest budget has a larger error; then
        ``times`` is the time of that one.
    """
    before: tuple[float, float] | None = None
    for spent, error in measured:
        if error <= error_wanted:
            if before is not None:
                part = np.log(before[1] / error_wanted) / np.log(before[1] / error)
                spent = before[0] * (spent / before[0]) ** part
            return {"times": float(spent / seconds_wanted), "reached": True}
        before = (spent, error)
    return {"times": float(measured[-1][0] / seconds_wanted), "reached": False}


def _at_time(
    sampler: str,
    wanted: float,
    line: np.ndarray,
    batches: Sequence[Batch],
    reference: Found,
    repeats: int,
) -> dict[str, Any]:
    """Run `abc` with the budget that takes a time per curve [s], or its least one."""
    slope, offset = line
    found: dict[str, Any] = {}
    for _ in range(_TRIES):
        budget = int(np.clip((wanted - offset) / max(slope, 1e-9), _LEAST, _MOST))
        found = _judge(abc_entry(sampler, budget), batches, reference, repeats)
        offset += found["seconds"] - (offset + slope * budget)
        if abs(found["seconds"] / wanted - 1.0) < 0.1 or budget in (_LEAST, _MOST):
            break
    return found


def _judge(
    entry: Entry,
    batches: Sequence[Batch],
    reference: Found,
    repeats: int,
    draws: int = _ABC_DRAWS,
) -> dict[str, Any]:
    spent, found = timed_entry(entry, batches, draws, repeats)
    scores = accuracy(found.mean, found.std, reference.mean, reference.std)["all"]
    return {
        "simulations": entry.settings.get("simulations", 0),
        "seconds": spent,
        "error": scores["error"],
        "uncertainty": scores["uncertainty"],
    }


def network_time(batch: Batch, draws: int, progress: Progress) -> dict[str, Any]:
    """Time the network part alone: the same curves and draws by each sampler, one thread.

    Args:
        batch: Curves, as many as go through a network at a time.
        draws: Draws per curve.
        progress: What to report to.

    Returns:
        Method to ``seconds``, ``calls`` per draw and ``times`` the time of `consistency`.

    Raises:
        InputError: If there are no weights.
        UsageError: If the batch is not full.
    """
    import torch

    from betaplus.generative.reverse_sde import adaptive_reverse_sde
    from betaplus.generative.samplers import ancestral
    from betaplus.generative.schedules import SIGMA_MAX, SIGMA_MIN, vp_levels
    from betaplus.kinetics.amortised.condition import Describer, make_probes
    from betaplus.kinetics.amortised.consistency import consistency_draws, levels_of_passes
    from betaplus.kinetics.amortised.denoising import denoiser_of, normal_steps
    from betaplus.kinetics.amortised.fitter import MICROBATCH
    from betaplus.kinetics.amortised.lean import LeanPass
    from betaplus.kinetics.amortised.networks import load_field, noise
    from betaplus.kinetics.amortised.score import Score

    if len(batch) != MICROBATCH:
        raise UsageError(f"{len(batch)} curves", f"expected {MICROBATCH}")
    lean = LeanPass(batch.task)
    padded = lean.padded(batch.curves)
    condition = Describer(batch.task, lean)(padded, lean.pilots(padded, make_probes()))
    levels, sigmas = vp_levels(1000).float(), levels_of_passes(3)
    tolerance = Score.Settings().tolerance
    calls = dict.fromkeys(("consistency", "ddpm", "score"), 0)
    calls["consistency"] = len(sigmas)

    def counted(name: str) -> tuple[Callable[..., torch.Tensor], torch.Tensor]:
        denoised, there = denoiser_of(load_field("denoiser", "", "cpu")[0], condition)

        def call(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            calls[name] += 1
            return denoised(x, sigma)

        return call, there

    def consistency() -> None:
        normal = noise(0, batch.items, 31, (len(sigmas), draws, 6))
        consistency_draws(load_field("consistency", "", "cpu")[0], condition, sigmas, normal)

    def ddpm() -> None:
        call, there = counted("ddpm")
        ancestral(call, levels, normal_steps(0, batch.items, 33, len(levels) + 1, draws, there))

    def score() -> None:
        call, there = counted("score")
        normal = normal_steps(0, batch.items, 34, None, draws, there)
        adaptive_reverse_sde(call, SIGMA_MAX, SIGMA_MIN, normal, tolerance)

    spent: dict[str, float] = {}
    progress.start("time of networks", 3)
    with one_thread():
        consistency()  # the first call loads
        for name, run, repeats in (
            ("consistency", consistency, 5),
            ("ddpm", ddpm, 1),
            ("score", score, 1),
        ):
            times = []
            for _ in range(repeats):
                began = time.perf_counter()
                run()
                times.append(time.perf_counter() - began)
            spent[name] = float(np.median(times))
            progress.advance()
    progress.finish()
    return {
        "curves": len(batch),
        "draws": draws,
        "methods": {
            name: {
                "seconds": spent[name],
                "calls": calls[name],
                "times": spent[name] / spent["consistency"],
            }
            for name in spent
        },
    }
