"""The fits of a run: of voxels or curves, and of the region curves of an image."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

from betaplus.core.posterior import Posterior
from betaplus.core.progress import Progress
from betaplus.core.tacs import TacTable
from betaplus.engine import Journal
from betaplus.kinetics import fit
from betaplus.kinetics.input_draws import fit_over_inputs
from betaplus.kinetics.shared import fit_shared
from betaplus.pipeline.kinetics.inputs import Inputs
from betaplus.pipeline.kinetics.request import KineticsRequest, Options

__all__ = ["MOST_REGIONS", "fit_data", "fit_regions", "kept_samples"]

MOST_REGIONS = 200
"""Regions that are fitted with draws for the report."""

_REGION_DRAWS = 500  # for the marginals in the report of an image


def kept_samples(request: KineticsRequest, inputs: Inputs) -> int:
    """Return the draws that are made: those of voxels are large, and nobody sees them unsaved."""
    return request.samples if inputs.survey is None or request.save_draws else 0


def fit_data(
    request: KineticsRequest,
    options: Options,
    inputs: Inputs,
    engine: str | Executor,
    journal: Journal,
    progress: Progress,
) -> Posterior:
    """Fit the voxels of an image or the curves of a table, however that was asked for.

    Args:
        request: The request.
        options: Its options.
        inputs: Data and blood.
        engine: Where blocks run, open.
        journal: Where finished blocks of voxels are kept.
        progress: What to report to.
    """
    running: dict[str, Any] = {
        **_model(request, options, progress),
        "samples": kept_samples(request, inputs),
        "delay": request.delay,
        "noise": options.noise,
        "weights": options.weights,
        "engine": engine,
        "workers": request.workers,
        "max_memory": options.max_memory,
    }
    blood = inputs.blood
    if blood is not None and blood.draws and isinstance(inputs.data, TacTable):
        return fit_over_inputs(inputs.data, blood.draws, t_star=request.t_star, **running)
    if request.share is not None:
        used = None if blood is None else blood.used
        return fit_shared(inputs.data, shared=request.share, blood=used, **running)
    return fit(
        inputs.data,
        t_star=request.t_star,
        mask=None if inputs.survey is None else inputs.survey.mask,
        journal=journal,
        volumes=False,
        **_input(inputs),
        **running,
    )


def fit_regions(
    request: KineticsRequest,
    options: Options,
    inputs: Inputs,
    table: TacTable,
    posterior: Posterior,
    progress: Progress,
) -> Posterior:
    """Fit the region curves of an image.

    Args:
        request: The request.
        options: Its options.
        inputs: Data and blood.
        table: The curves.
        posterior: Of the voxels, whose delay and t* are taken.
        progress: What to report to.
    """
    return fit(
        table,
        samples=_REGION_DRAWS if len(table) <= MOST_REGIONS else 0,
        delay=posterior.settings["delay"] if inputs.blood else "fit",
        t_star=posterior.settings.get("t_star", request.t_star),
        noise="estimate" if options.noise == "estimate" else "auto",
        weights=options.weights,
        engine="inline",
        **_input(inputs),
        **_model(request, options, progress),
    )


def _input(inputs: Inputs) -> dict[str, Any]:
    return {
        "blood": None if inputs.blood is None else inputs.blood.used,
        "reference": inputs.reference,
    }


def _model(request: KineticsRequest, options: Options, progress: Progress) -> dict[str, Any]:
    return {
        "model": options.model.name,
        "method": options.method,
        "prior": options.prior,
        "dispersion": request.dispersion,
        "extraction": options.extraction,
        "glucose": request.glucose,
        "lumped_constant": request.lumped_constant,
        "settings": options.settings,
        "seed": request.seed,
        "progress": progress,
    }
