"""The comparison of models in the kinetics verb, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from betaplus import __version__
from betaplus.core.image import PetImage
from betaplus.core.posterior import Posterior
from betaplus.core.progress import Progress
from betaplus.core.tacs import TacTable
from betaplus.engine import Journal
from betaplus.io.derivatives import write_map, write_table
from betaplus.kinetics.compare import COMPARED, Comparison, compare
from betaplus.pipeline.kinetics.inputs import Inputs
from betaplus.pipeline.kinetics.outputs import Names
from betaplus.pipeline.kinetics.request import KineticsRequest, Options

__all__ = ["compare_inputs", "comparison_paths", "write_comparison"]

_COLUMNS = {
    "logevidence": ("log_evidence", "log of (Bq/mL)^-T", "log density of the data"),
    "probability": ("probability", "1", "probability, equal odds before the data"),
    "probability-wide": ("sensitivity", "1", "probability with wider priors"),
    "aic": ("aic", "1", "Akaike's criterion of the least-squares fit"),
    "bic": ("bic", "1", "Bayesian criterion of the least-squares fit"),
}
"""Column after the model's name: attribute, unit, what it is."""


def compare_inputs(
    request: KineticsRequest,
    options: Options,
    inputs: Inputs,
    posterior: Posterior,
    table: TacTable | None,
    engine: str | Executor,
    journal: Journal,
    progress: Progress,
) -> tuple[Comparison, Comparison | None]:
    """Compare models for curves or voxels, and for an image's region curves.

    Args:
        request: The request.
        options: Its options.
        inputs: Data and blood.
        posterior: The run's posterior, whose delay is taken where it was found once.
        table: For an image, its region curves.
        engine: Where blocks run, open.
        journal: Where finished blocks of voxels are kept.
        progress: What to report to.
    """
    assert inputs.blood is not None
    delay = posterior.settings["delay"]
    shared: dict[str, Any] = {
        "blood": inputs.blood.used,
        "prior": options.prior,
        "delay": request.delay if isinstance(delay, str) else delay,
        "dispersion": request.dispersion,
        "weights": options.weights,
        "seed": request.seed,
        "settings": options.settings if options.method == "exact" else None,
        "progress": progress,
    }
    comparison = compare(
        inputs.data,
        noise=options.noise,
        mask=None if inputs.survey is None else inputs.survey.mask,
        engine=engine,
        workers=request.workers,
        max_memory=options.max_memory,
        journal=None if inputs.survey is None else journal,
        **shared,
    )
    if table is None:
        return comparison, None
    return comparison, compare(table, engine="inline", **shared)


def comparison_paths(inputs: Inputs, names: Names) -> list[Path]:
    """Return the files that `write_comparison` will write."""
    table = [names.models] if inputs.survey is None or inputs.labelled else []
    if inputs.survey is None:
        return table
    return [*(names.probability(m, wide) for m in COMPARED for wide in (False, True)), *table]


def write_comparison(
    inputs: Inputs,
    names: Names,
    comparison: Comparison,
    regions: Comparison | None,
    checks: Sequence[str],
) -> list[Path]:
    """Write the probabilities of models as maps, and as a table with a JSON beside it.

    Args:
        inputs: What was analysed.
        names: Where files go.
        comparison: Of curves or voxels.
        regions: For an image, that of its region curves.
        checks: Remarks of the run.

    Raises:
        OutputError: If a file cannot be written.
    """
    about = {"version": __version__, **comparison.settings, "checks": list(checks)}
    data, written = inputs.data, []
    if isinstance(data, PetImage):
        for i, model in enumerate(comparison.models):
            for wide, values in ((False, comparison.probability), (True, comparison.sensitivity)):
                path = names.probability(model, wide)
                what = f"probability of {model} among {', '.join(comparison.models)}"
                fields = {
                    "Units": "1",
                    "Description": what + (", with wider priors" if wide else ""),
                    "betaplus": about,
                }
                write_map(path, values[..., i], data, fields)
                written.append(path)
    table = comparison if regions is None else regions
    if inputs.survey is None or inputs.labelled:
        _write_table(names.models, table, data.source, about)
        written.append(names.models)
    return written


def _write_table(
    path: Path, comparison: Comparison, source: Path | None, about: dict[str, Any]
) -> None:
    count = len(comparison.probability)
    columns: dict[str, Any] = {
        "region": comparison.names or tuple(f"curve-{i + 1}" for i in range(count))
    }
    fields: dict[str, Any] = {"Sources": [source.name] if source else []}
    for i, model in enumerate(comparison.models):
        for label, (attribute, unit, what) in _COLUMNS.items():
            values = np.asarray(getattr(comparison, attribute)[:, i], dtype=np.float64)
            columns[f"{model}-{label}"] = np.where(np.isfinite(values), values, np.nan)
            fields[f"{model}-{label}"] = {"Units": unit, "Description": f"{what}, {model}"}
    columns["chosen"] = comparison.chosen.tolist()
    fields["chosen"] = {"Description": "the most probable model"}
    write_table(path, columns, {**fields, "betaplus": about})
