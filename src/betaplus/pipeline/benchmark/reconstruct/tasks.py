"""The pieces of the benchmark, each of which ends in an item on the shelf."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from betaplus.core.progress import Silent
from betaplus.engine import peak_memory
from betaplus.evaluation.images import Realisations, nrmse
from betaplus.pipeline.benchmark.reconstruct.bench import LOW, Bench
from betaplus.pipeline.benchmark.reconstruct.candidates import Candidate
from betaplus.pipeline.benchmark.reconstruct.cases import Trial, measures, trials
from betaplus.pipeline.benchmark.reconstruct.defaults import default_tasks
from betaplus.pipeline.benchmark.reconstruct.lesions import MULTIPLE, contrasts
from betaplus.pipeline.benchmark.reconstruct.matched import matched_tasks
from betaplus.pipeline.benchmark.reconstruct.supervised import load_network
from betaplus.pipeline.benchmark.reconstruct.teaching import teach
from betaplus.pipeline.benchmark.shelf import Task
from betaplus.reconstruction.method import SCORE_METHODS, find_score_method

__all__ = ["all_tasks", "chosen", "item_name"]

_MATCHED, _TIMED = ("dds", "svrg"), ("dds", "dds-published")


def item_name(part: str, candidate: Candidate, *more: Any) -> str:
    """Return the name of an item."""
    words = "".join(c if c.isalnum() else "-" for c in candidate.name)
    return "/".join([part, words, *(f"{m:g}" if isinstance(m, float) else str(m) for m in more)])


def all_tasks(bench: Bench) -> list[Task]:
    """Return the pieces in order: tuning, heads, bias and SD, spread, lesions, the mMR."""
    plan, tasks = bench.plan, []
    for fraction in plan.fractions:
        for seed in plan.tuned_on:
            for c in plan.candidates:
                name = item_name("tuning", c, fraction, seed)
                tasks.append(Task(name, [name], partial(_tune, bench, c, fraction, seed, name)))
        for seed in plan.judged_on:
            for draw in range(plan.draws if fraction == LOW else 1):
                for c in plan.candidates:
                    name = item_name("judged", c, fraction, seed, draw)
                    run = partial(_judge, bench, c, fraction, seed, draw, name)
                    tasks.append(Task(name, [name], run, _tuned(bench, c, fraction)))
    for c in plan.candidates:
        groups = [c.swept[1]] if c.swept[0] == "passes" else [(value,) for value in c.swept[1]]
        for group in groups if "bias" in c.parts else ():
            names = [item_name("bias", c, float(value)) for value in group]
            run = partial(_bias, bench, c, group)
            tasks.append(Task(names[0], names, run, _tuned(bench, c, LOW)))
        if c.method in SCORE_METHODS and "spread" in c.parts:
            name = item_name("spread", c)
            tasks.append(
                Task(name, [name], partial(_spread, bench, c, name), _tuned(bench, c, LOW))
            )
        for seed in plan.lesions if "lesions" in c.parts else ():
            name = item_name("lesions", c, seed)
            run = partial(_lesions, bench, c, seed, name)
            tasks.append(Task(name, [name], run, _tuned(bench, c, LOW)))
        if plan.full and "full" in c.parts:
            name = item_name("full", c)
            tasks.append(Task(name, [name], partial(_full, bench, c, name), _tuned(bench, c, LOW)))
    named = {c.name: partial(chosen, bench, c, LOW) for c in plan.candidates}
    needs = [n for c in plan.candidates if c.method in _MATCHED for n in _tuned(bench, c, LOW)]
    published = [n for c in plan.candidates if c.method in _TIMED for n in _tuned(bench, c, LOW)]
    return [
        *tasks,
        *matched_tasks(bench, named, needs),
        *default_tasks(bench, named, published),
    ]


def chosen(bench: Bench, candidate: Candidate, fraction: float) -> dict[str, Any]:
    """Return the settings with the least mean NRMSE over the heads for tuning."""
    errors: dict[str, list[float]] = {}
    tried: dict[str, dict[str, Any]] = {}
    for name in _tuned(bench, candidate, fraction):
        for row in bench.shelf.get(name)["trials"]:
            key = repr((row["settings"], row["passes"], row["filter"]))
            errors.setdefault(key, []).append(row["NRMSE"])
            tried[key] = row
    best = min(errors, key=lambda key: float(np.mean(errors[key])))
    kept = {name: tried[best][name] for name in ("settings", "passes", "filter")}
    return {**kept, "tried": len(errors)}


def _tuned(bench: Bench, candidate: Candidate, fraction: float) -> list[str]:
    return [item_name("tuning", candidate, fraction, seed) for seed in bench.plan.tuned_on]


def _tune(bench: Bench, candidate: Candidate, fraction: float, seed: int, name: str) -> None:
    if candidate.method == "unet":
        bench.shelf.put(name, {"trials": teach(bench, fraction)})
        return
    case, data = bench.case("small", fraction, seed), bench.data("small", fraction, seed)
    rows = [
        {"settings": t.settings, "passes": t.passes, "filter": t.filter, **measures(t.image, case)}
        for t in trials(candidate, data)
    ]
    bench.shelf.put(name, {"trials": rows})


def _image(
    bench: Bench, candidate: Candidate, fraction: float, data: Any, seed: int = 0
) -> np.ndarray:
    """Return the image of a method as tuned."""
    if candidate.method == "unet":
        return load_network(bench.network(fraction)).image(data)
    return _run(candidate, chosen(bench, candidate, fraction), data, seed).image


def _run(candidate: Candidate, choice: dict[str, Any], data: Any, seed: int = 0) -> Trial:
    passes = choice["passes"] or None
    found = trials(
        candidate, data, settings=choice["settings"], passes=passes, filters=(choice["filter"],),
        seed=seed,
    )  # fmt: skip
    return next(found)


def _judge(
    bench: Bench, candidate: Candidate, fraction: float, seed: int, draw: int, name: str
) -> None:
    case, data = bench.case("small", fraction, seed), bench.data("small", fraction, seed, draw)
    began = time.perf_counter()
    image = _image(bench, candidate, fraction, data, seed=draw)
    seconds = time.perf_counter() - began
    if (seed, draw, fraction) == (bench.plan.judged_on[0], 0, bench.plan.fractions[-1]):
        bench.keep("truth", case.truth)
        bench.keep(candidate.name, image)
    against = nrmse(image, bench.reference("small", fraction, seed), case.mask)
    row = {"seed": seed, "draw": draw, **measures(image, case), "against OSEM": against}
    bench.shelf.put(name, {**row, "seconds": seconds})


def _bias(bench: Bench, candidate: Candidate, values: tuple[float, ...]) -> None:
    """Measure bias and SD at some values of what is swept; passes are seen in one run."""
    seed, (what, _) = bench.plan.judged_on[0], candidate.swept
    case, choice = bench.case("small", LOW, seed), chosen(bench, candidate, LOW)
    choice = candidate.choice_often(choice)
    running = {value: Realisations() for value in values}
    for r in range(bench.plan.realisations):
        data = bench.data("small", LOW, seed, r + 1)
        if what == "passes":
            for t in trials(candidate, data, settings={}, filters=(choice["filter"],)):
                if t.passes in running:
                    running[t.passes].add(t.image)
            continue
        for value, sums in running.items():
            varied = {**choice, "settings": {**choice["settings"], what: value}}
            sums.add(_run(candidate, varied, data, seed=r).image)
    for value, sums in running.items():
        found: dict[str, float | None]
        if sums.count < 2:  # more passes than the candidate makes
            found = {"bias": None, "sd": None}
        else:
            both = sums.against(case.truth, case.mask)
            found = {"bias": both.bias, "sd": both.sd}
        bench.shelf.put(item_name("bias", candidate, float(value)), {"value": value, **found})


def _spread(bench: Bench, candidate: Candidate, name: str) -> None:
    """Measure the spread of draws from one measurement, and whether it says where errors are."""
    from betaplus.reconstruction.score.prior import ScoreInputs

    seed = bench.plan.judged_on[0]
    case = bench.case("small", LOW, seed)
    data: Any = bench.data("small", LOW, seed)
    kind, count = find_score_method(candidate.method), bench.plan.seeds
    settings: dict[str, Any] = {
        **candidate.fixed,
        **chosen(bench, candidate, LOW)["settings"],
        "draws": count,
    }
    method = kind(
        kind.Settings(subsets=len(data.order), **settings),
        ScoreInputs(prior=candidate.load_prior()),
    )
    draws = method.draws(data, None, Silent())
    mean, sd, mask = draws.mean, draws.sd, case.mask
    error = np.abs(mean - case.truth)[mask].astype(np.float64)
    inside = {
        f"{level}": float(np.mean(error <= z * sd[mask]))
        for level, z in ((50, 0.6745), (80, 1.2816), (95, 1.96))
    }
    bench.keep(f"mean of {candidate.name}", mean)
    bench.keep(f"variation of {candidate.name}", draws.variation)
    bench.shelf.put(
        name,
        {
            "seeds": count,
            "variation": float(np.median(draws.variation[mask])),
            "sd": float(100.0 * np.linalg.norm(sd[mask]) / np.linalg.norm(case.truth[mask])),
            "correlation": float(np.corrcoef(error, sd[mask])[0, 1]),
            "inside": inside,
            "NRMSE": measures(mean, case)["NRMSE"],
            "one": float(np.mean([measures(x, case)["NRMSE"] for x in draws.images])),
        },
    )


def _lesions(bench: Bench, candidate: Candidate, seed: int, name: str) -> None:
    """Measure how much of the contrast of balls is left, as tuned on heads without any."""
    case = bench.case("small", LOW, seed, lesions=MULTIPLE)
    data = bench.data("small", LOW, seed, lesions=MULTIPLE)
    image = _image(bench, candidate, LOW, data)
    assert case.balls is not None
    bench.shelf.put(name, {"seed": seed, **contrasts(image, case.truth, case.balls)})


def _full(bench: Bench, candidate: Candidate, name: str) -> None:
    """Run a method once on the mMR, as tuned on the small scanner, and time its parts."""
    seed = bench.plan.judged_on[0]
    case, data = bench.case("full", LOW, seed), bench.data("full", LOW, seed)
    watched = Watched(data)
    began = time.perf_counter()
    image = _image(bench, candidate, LOW, watched)
    seconds = time.perf_counter() - began
    bench.keep("mMR truth", case.truth)
    bench.keep(f"mMR {candidate.name}", image)
    bench.shelf.put(
        name,
        {
            **measures(image, case),
            "seconds": seconds,
            "projector": watched.seconds,
            "peak_bytes": peak_memory().process,
            "prompts": float(data.sinogram.prompts.sum(dtype=float)),
        },
    )


class Watched:
    """Counts that know how long they were asked, for one thread.

    Args:
        data: The counts.
    """

    def __init__(self, data: Any) -> None:
        self._data, self.seconds = data, 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._data, name)
        if name not in ("back_ratio", "log_likelihood", "scaled"):
            return found

        def timed(*given: Any) -> Any:
            began = time.perf_counter()
            try:
                return found(*given)
            finally:
                self.seconds += time.perf_counter() - began

        return timed
