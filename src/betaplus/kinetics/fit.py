"""One entry to all kinetic methods: data and blood in, a posterior out."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.posterior import Marginal, Posterior
from betaplus.core.progress import Progress, Silent
from betaplus.core.tacs import TacTable
from betaplus.engine import Block, Journal, assemble, default_workers, memory_plan, plan_curves, run
from betaplus.kinetics.curves import Curves, read_curves
from betaplus.kinetics.delay import delay_of_mean, delay_option
from betaplus.kinetics.method import Fitter, Task, find_method, make_settings
from betaplus.kinetics.prior import Prior, find_prior
from betaplus.physics.compartments import find_model

__all__ = ["fit", "input_curve"]

_NOT_DIAGNOSTICS = ("mean", "std", "quantiles", "samples", "fit", "fit_std", "sigma")
_SPAWNED = 900 << 20  # bytes: a worker process with torch, numba and its tables


def fit(
    data: PetImage | TacTable,
    blood: InputFunction | InputCurve,
    *,
    model: str = "2TCM",
    method: str = "exact",
    prior: str | Prior = "default",
    samples: int = 0,
    delay: float | str = "fit",
    noise: float | str | np.ndarray = "auto",
    mask: np.ndarray | None = None,
    seed: int = 0,
    settings: Any = None,
    predict: bool | None = None,
    engine: str = "threads",
    workers: int | None = None,
    max_memory: int | None = None,
    journal: Journal | None = None,
    progress: Progress | None = None,
) -> Posterior:
    """Return the posterior of a model's parameters for every curve.

    Args:
        data: Dynamic image (X, Y, Z, T) or table of curves; any activity unit but SUV.
        blood: Blood samples or a ready input curve, decay-corrected to TimeZero.
        model: ``1TCM``, ``2TCM3k`` or ``2TCM``.
        method: One of `betaplus.kinetics.method.METHODS`.
        prior: ``default``, ``published``, ``published-signed``, a TOML file or a `Prior`.
        samples: Draws per curve; 0 for moments and quantiles only.
        delay: ``fit`` (per curve; for an image once, from the mean curve) or seconds by which the
            tissue lags the blood samples.
        noise: ``auto`` (level integrated over its prior), ``estimate``, a level
            [sqrt(Bq/mL min)], or standard deviations per frame, shape (T,) [unit of the data].
        mask: Voxels to fit, shape (X, Y, Z).
        seed: Seed of the run.
        settings: Settings of the method: its `Settings`, a mapping, or None.
        predict: Whether to keep posterior predictive curves; by default for tables only.
        engine: ``threads``, ``inline`` or ``processes``.
        workers: Blocks at work at a time; the cores available if None.
        max_memory: Bound on the run [bytes].
        journal: Where finished blocks are kept, for images.
        progress: What to report to.

    Returns:
        Arrays of shape (N,) for a table, (X, Y, Z) for an image (0 outside the mask). Parameters
        in the units of `betaplus.core.units.PARAMETER_UNITS`; predictions in the data's unit.

    Raises:
        InputError: If the data or the blood cannot be used.
        UsageError: If an option is unknown or contradicts another.
    """
    progress = progress or Silent()
    find_model(model)
    kind = find_method(method)
    if not isinstance(settings, kind.Settings):
        settings = make_settings(kind.Settings, settings or {})
    if not 0 <= samples <= 100_000:
        raise UsageError(f"{samples} samples", "expected 0 to 100000")
    prior = find_prior(prior)
    known = delay_option(delay, prior)
    curves = read_curves(data, mask)
    curve, remarks = input_curve(blood, curves)
    remarks = [*data.remarks, *remarks]
    task = Task(
        curve=curve,
        frames=curves.frames,
        half_life=curves.tracer.half_life,
        model=model,
        prior=prior,
        delay=known,
        noise=_noise(noise, curves),
        samples=samples,
        seed=seed,
        predict=curves.mask is None if predict is None else predict,
    )
    used: dict[str, Any] = {"delay": "fitted per curve" if known is None else known}
    if method == "exact" or (known is None and curves.mask is not None):
        from betaplus.kinetics.exact.compile import compiled

        if not compiled():
            progress.note("compiling the kernels, once: half a minute or so")
    if known is None and curves.mask is not None:
        known, spread = delay_of_mean(curves.values, task)
        task = dataclasses.replace(task, delay=known)
        used |= {"delay": known, "delay_sd": spread, "delay_from": "mean curve of the mask"}
        progress.note(f"delay {known:g} s (SD {spread:.2g} s), from the mean curve")
    context = _Context(method, settings, task, curves.values)
    results, counts = _compute(context, engine, workers, max_memory, journal, progress)
    used |= {
        "model": model,
        "method": method,
        "prior": prior.name,
        "noise": noise if isinstance(noise, float | int | str) else "standard deviations given",
        "samples": samples,
        "seed": seed,
        "method_settings": dataclasses.asdict(settings),
        **counts,
    }
    return _posterior(context, curves, results, used, remarks)


def input_curve(
    blood: InputFunction | InputCurve, curves: Curves
) -> tuple[InputCurve, tuple[str, ...]]:
    """Return the input curve in Bq/mL up to the end of the scan, and what was done to get it."""
    if isinstance(blood, InputFunction):
        blood = blood.curve(float(curves.frames.end[-1]))
    return blood.converted("Bq/mL"), blood.remarks


def _noise(noise: float | str | np.ndarray, curves: Curves) -> float | str | np.ndarray:
    if isinstance(noise, str):
        if noise not in ("auto", "estimate"):
            raise UsageError(
                f"noise {noise!r}", "expected auto, estimate, a level or standard deviations"
            )
        return noise
    if np.ndim(noise) == 0:
        if not 0 < float(noise) < np.inf:
            raise UsageError(f"noise level {noise}", "expected a positive number")
        return float(noise)
    sd = np.asarray(noise, dtype=np.float64)
    if sd.shape != (len(curves.frames),):
        raise InputError(
            f"{sd.size} noise standard deviations for {len(curves.frames)} frames",
            "expected one per frame",
        )
    if not (np.isfinite(sd).all() and (sd > 0).all()):
        raise InputError("a noise standard deviation is not above 0", "expected positive numbers")
    return sd * curves.factors


class _Context:
    """What every block needs; the method is made ready once per process."""

    def __init__(self, method: str, settings: Any, task: Task, values: np.ndarray) -> None:
        self.method, self.settings, self.task, self.values = method, settings, task, values
        self._fitter: Fitter | None = None
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Context, (self.method, self.settings, self.task, self.values)

    def fitter(self) -> Fitter:
        with self._lock:
            if self._fitter is None:
                self._fitter = find_method(self.method)(self.settings).prepare(self.task)
            return self._fitter


def _fit_block(block: Block, context: _Context) -> dict[str, np.ndarray]:
    import torch

    torch.set_num_threads(1)
    return context.fitter().fit(
        context.values[block.read], np.arange(block.start, block.stop, dtype=np.int64)
    )


def _compute(
    context: _Context,
    engine: str,
    workers: int | None,
    max_memory: int | None,
    journal: Journal | None,
    progress: Progress,
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    task, n = context.task, len(context.values)
    columns = len(find_model(task.model).parameters) + 4
    per_curve = 4 * (columns * (2 + len(task.quantiles) + task.samples) + 4)
    if task.predict:
        per_curve += 12 * len(task.frames)
    memory = memory_plan(
        2 * per_curve + 8 * len(task.frames),
        n,
        workers or default_workers(),
        max_memory,
        fixed_bytes=(400 << 20) + n * (per_curve + context.values.itemsize * len(task.frames)),
        worker_bytes=_SPAWNED if engine == "processes" else 64 << 20,
    )
    if n > 512:
        progress.note(memory.summary)
    plan = plan_curves(n, block_items=memory.block_items, seed=task.seed)
    running = run(
        plan,
        _fit_block,
        context,
        executor=engine,
        workers=memory.workers,
        journal=journal,
        progress=progress,
        stage="curves",
    )
    results: dict[str, np.ndarray] = {}
    for block, result in running:
        if not results:
            results = {k: np.zeros((n, *v.shape[1:]), v.dtype) for k, v in result.items()}
        assemble([(block, result)], results)
    return results, {"blocks_done": running.blocks_done, "blocks_resumed": running.blocks_resumed}


def _posterior(
    context: _Context,
    curves: Curves,
    results: Mapping[str, np.ndarray],
    used: dict[str, Any],
    remarks: list[str],
) -> Posterior:
    def shaped(values: np.ndarray) -> np.ndarray:
        if curves.mask is None:
            return values
        volume = np.zeros((*curves.mask.shape, *values.shape[1:]), dtype=values.dtype)
        volume[curves.mask] = values
        return volume

    parameters = {
        name: Marginal(
            mean=shaped(results["mean"][:, i]),
            std=shaped(results["std"][:, i]),
            quantiles={
                level: shaped(results["quantiles"][:, i, q])
                for q, level in enumerate(context.task.quantiles)
            },
            samples=shaped(results["samples"][:, i]) if "samples" in results else None,
        )
        for i, name in enumerate(context.fitter().parameters)
    }
    return Posterior(
        model=context.task.model,
        method=context.method,
        parameters=parameters,
        diagnostics={k: shaped(v) for k, v in results.items() if k not in _NOT_DIAGNOSTICS},
        prediction={
            name: shaped(results[k] / curves.factors.astype(np.float32))
            for name, k in (("mean", "fit"), ("std", "fit_std"), ("sigma", "sigma"))
            if k in results
        },
        settings=used,
        remarks=tuple(dict.fromkeys(remarks)),
    )
