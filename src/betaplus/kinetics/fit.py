"""One entry to all kinetic methods: data and an input in, a posterior out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.image import PetImage
from betaplus.core.in_mask import InMask
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.posterior import Marginal, Posterior
from betaplus.core.progress import Progress, Silent
from betaplus.core.settings import make_settings
from betaplus.core.tacs import TacTable
from betaplus.engine import Journal
from betaplus.kinetics.blocks import DENSE_MAPS, FitContext, check_memory, fit_in_blocks
from betaplus.kinetics.bundles import bundle_record
from betaplus.kinetics.curves import Curves, read_curves
from betaplus.kinetics.delay import delay_option, known_delay
from betaplus.kinetics.glucose import check_glucose, with_glucose
from betaplus.kinetics.graphical.once import check_t_star, chosen_once
from betaplus.kinetics.input import input_curve
from betaplus.kinetics.leaning import leaning_remarks
from betaplus.kinetics.method import QUANTILES, Task, find_method
from betaplus.kinetics.models import resolve
from betaplus.kinetics.noise_option import noise_option, weights_option
from betaplus.kinetics.prior import Prior, find_prior
from betaplus.kinetics.reference_curve import Reference, reference_curve
from betaplus.kinetics.unresolved import unresolved_remarks

__all__ = ["fit"]

_NOT_DIAGNOSTICS = ("mean", "std", "quantiles", "samples", "fit", "fit_std", "sigma")
_MOST_SAMPLES = 100_000


def fit(
    data: PetImage | TacTable,
    blood: InputFunction | InputCurve | None = None,
    *,
    model: str | None = None,
    method: str | None = None,
    reference: Reference | None = None,
    prior: str | Prior = "default",
    samples: int = 0,
    delay: float | str = "fit",
    dispersion: float = 0.0,
    t_star: float | None = None,
    extraction: tuple[float, float] | None = None,
    glucose: float | None = None,
    lumped_constant: float | None = None,
    noise: float | str | np.ndarray = "auto",
    weights: str | np.ndarray = "model",
    mask: np.ndarray | None = None,
    seed: int = 0,
    settings: Any = None,
    quantiles: tuple[float, ...] = QUANTILES,
    predict: bool | None = None,
    volumes: bool = True,
    engine: str | Executor = "threads",
    workers: int | None = None,
    max_memory: int | None = None,
    journal: Journal | None = None,
    progress: Progress | None = None,
) -> Posterior:
    """Return the posterior of a model's parameters for every curve.

    Args:
        data: Dynamic image (X, Y, Z, T) or table of curves; any activity unit but SUV.
        blood: Blood samples or a ready input curve, decay-corrected to TimeZero; None with a
            reference region.
        model: One of `betaplus.kinetics.models.KINETIC_MODELS`; by default 2TCM, with a reference
            region SRTM, or what the method brings.
        method: One of `betaplus.kinetics.method.METHODS`; by default the model's first.
        reference: Reference region: its name in the table (the mean of several with ``+`` between
            them), a mask (X, Y, Z) of the image, or its curve (T,) [unit of the data].
        prior: ``default``, ``published``, ``published-signed``, a TOML file or a `Prior`.
        samples: Draws per curve; 0 for moments and quantiles only.
        delay: Seconds by which the tissue lags the blood samples; ``fit`` (per curve; for an image
            and for graphical methods once, from the mean curve), ``fit-once`` (from the mean
            curve) or ``region:NAME`` (from the curve of one region of a table).
        dispersion: Time constant of the sampling line's dispersion, to be undone [s].
        t_star: Start of the linear part [s], for graphical methods; None chooses it.
        extraction: a and b of `betaplus.physics.perfusion`, for the flow F from K1 of a 1TCM.
        glucose: Plasma glucose [mmol/L], for CMRglc from Ki.
        lumped_constant: The lumped constant that goes with it.
        noise: ``auto`` (level integrated over its prior), ``estimate``, a level
            [sqrt(Bq/mL min)], or standard deviations per frame, shape (T,) [unit of the data].
        weights: ``model`` (variance follows the counts), ``uniform``, ``duration``, or relative
            weights per frame, shape (T,).
        mask: Voxels to fit, shape (X, Y, Z).
        seed: Seed of the run.
        settings: Settings of the method: its `Settings`, a mapping, or None.
        quantiles: Levels of the quantiles; 0.05, 0.5 and 0.95 must be among them.
        predict: Whether to keep posterior predictive curves; by default for tables only.
        volumes: Whether maps of an image are arrays; else they are kept as `InMask`.
        engine: One of `betaplus.engine.ENGINES`, or what `betaplus.engine.open_engine` gave.
        workers: Blocks at work at a time; the cores available if None.
        max_memory: Bound on the run [bytes].
        journal: Where finished blocks are kept, for images.
        progress: What to report to.

    Returns:
        Arrays of shape (N,) for a table, (X, Y, Z) for an image (0 outside the mask). Parameters
        in the units of `betaplus.core.units.PARAMETER_UNITS`; predictions in the data's unit.

    Raises:
        InputError: If the data, the blood or the reference region cannot be used.
        UsageError: If an option is unknown or contradicts another.
    """
    progress = progress or Silent()
    found, method = resolve(model, method, reference is not None)
    kind = find_method(method)
    if not isinstance(settings, kind.Settings):
        settings = make_settings(kind.Settings, settings or {})
    if not 0 <= samples <= _MOST_SAMPLES:
        raise UsageError(f"{samples} samples", f"expected 0 to {_MOST_SAMPLES}")
    if not set(QUANTILES) <= set(quantiles) or not all(0 < level < 1 for level in quantiles):
        wanted = ", ".join(f"{level:g}" for level in QUANTILES)
        raise UsageError(f"quantiles {quantiles}", f"expected {wanted} and others between 0 and 1")
    if extraction is not None and found.name != "1TCM":
        raise UsageError(f"flow from K1 with model {found.name}", "expected model 1TCM")
    check_glucose(found, glucose, lumped_constant)
    prior = find_prior(prior)
    delay_option(delay, prior)
    dense = None if volumes else DENSE_MAPS
    if isinstance(data, PetImage) and mask is not None:
        check_memory(
            found.name,
            int(np.count_nonzero(mask)),
            data.n_frames,
            int(np.size(mask)),
            max_memory,
            engine,
            samples=samples,
            levels=len(quantiles),
            predict=bool(predict),
            dense=dense,
        )
    curves = read_curves(data, mask)
    if reference is not None:
        if blood is not None:
            raise UsageError("blood and a reference region", "expected one of the two")
        curve, means, notes = reference_curve(reference, data, curves)
    else:
        if blood is None:
            raise UsageError("no input function", "expected blood samples or a reference region")
        curve, notes = input_curve(blood, curves, dispersion)
        means = None
    task = Task(
        curve=curve,
        frames=curves.frames,
        half_life=curves.tracer.half_life,
        model=found.name,
        prior=prior,
        delay=None,
        noise=noise_option(noise, curves),
        weights=weights_option(weights, len(curves.frames), curves.frames.duration),
        samples=samples,
        seed=seed,
        predict=curves.mask is None if predict is None else predict,
        quantiles=quantiles,
        reference=means,
        dispersion=dispersion,
        t_star=t_star,
        thorough=curves.mask is None,
        extraction=extraction,
    )
    if method == "exact" or (curves.mask is not None and delay == "fit"):
        _note_compilation(progress)
    check_t_star(method, task)
    task, about_delay = known_delay(delay, method, curves, task, progress)
    settings, task, chosen = chosen_once(method, settings, task, curves)
    network = bundle_record(method, settings)
    if method == "consistency" and settings.adapt_minutes > 0:
        from betaplus.kinetics.amortised.adapt import adapted_settings

        folder = journal.folder if journal is not None else None
        settings = adapted_settings(settings, task, curves.values, folder, progress)
    context = FitContext(method, settings, task)
    grid = len(curves.values) if curves.mask is None else curves.mask.size
    results, counts = fit_in_blocks(
        context, curves.values, grid, engine, workers, max_memory, journal, progress, dense
    )
    # The curves are not read again, and the maps take their place in memory.
    curves = dataclasses.replace(curves, values=np.empty((0, len(curves.frames)), dtype=np.float32))
    used = {
        **about_delay,
        **chosen,
        "model": found.name,
        "method": method,
        "prior": prior.name,
        "noise": noise if isinstance(noise, float | int | str) else "standard deviations given",
        "weights": weights if isinstance(weights, str) else "given",
        "dispersion": dispersion,
        "samples": samples,
        "seed": seed,
        "method_settings": dataclasses.asdict(getattr(context.fitter(), "settings", settings)),
        **({"network": network} if network else {}),
        **({"extraction": list(extraction)} if extraction else {}),
        **counts,
    }
    remarks = [*data.remarks, *notes, *getattr(context.fitter(), "remarks", ())]
    posterior = _posterior(context, curves, results, used, remarks, volumes)
    if glucose is not None and lumped_constant is not None:
        posterior = with_glucose(posterior, glucose, lumped_constant)
    more = leaning_remarks(posterior, prior, curves.names)
    more += unresolved_remarks(posterior, curves.names)
    return dataclasses.replace(
        posterior,
        remarks=(*posterior.remarks, *more),
        regions=curves.names,
        affine=data.affine if isinstance(data, PetImage) else None,
    )


def _note_compilation(progress: Progress) -> None:
    from betaplus.kinetics.exact.compile import compiled

    if not compiled():
        progress.note("compiling the kernels, once: half a minute or so")


def _posterior(
    context: FitContext,
    curves: Curves,
    results: Mapping[str, np.ndarray],
    used: dict[str, Any],
    remarks: list[str],
    volumes: bool,
) -> Posterior:
    def shaped(values: np.ndarray) -> Any:
        if curves.mask is None:
            return values
        if not volumes:
            return InMask(np.ascontiguousarray(values), curves.mask)
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
