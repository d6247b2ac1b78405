"""The files of the kinetics verb, each complete or not there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus import __version__
from betaplus.core.image import PetImage
from betaplus.core.posterior import STATUS, Posterior
from betaplus.core.tacs import TacTable
from betaplus.core.units import PARAMETER_UNITS
from betaplus.io.atomic import atomic_path
from betaplus.io.derivatives import write_map, write_table
from betaplus.pipeline.run_names import RunNames

__all__ = ["Names", "kinpar_columns", "write_draws", "write_kinpar", "write_maps"]

_STATISTICS = ("mean", "std", "median", "q05", "q95")
_DIAGNOSTICS = ("status", "ess", "chi2")
_DIAGNOSTIC_UNITS = {"status": "n/a", "ess": "1", "chi2": "1"}
_LONG = {
    "mean": "posterior mean",
    "std": "posterior standard deviation",
    "median": "posterior median",
    "q05": "5 % quantile of the posterior",
    "q95": "95 % quantile of the posterior",
    "status": "how the fit of each voxel went",
    "ess": "effective sample size",
    "chi2": "mean squared residual in units of the noise",
}
_BRIEF = (
    "model",
    "method",
    "prior",
    "noise",
    "weights",
    "samples",
    "seed",
    "delay",
    "input_draws",
    "dispersion",
    "t_star",
    "k2_ref",
    "extraction",
    "glucose",
    "lumped_constant",
    "shared",
    "method_settings",
)


@dataclasses.dataclass(frozen=True)
class Names(RunNames):
    """Where the outputs of a run go.

    Attributes:
        model: The model.
        parameters: Parameters with maps.
    """

    verb = "kinetics"
    model: str
    parameters: tuple[str, ...]

    def map(self, meas: str, stat: str | None = None) -> Path:
        """Return the path of one map."""
        entities = {"model": self.model, "meas": meas, **({"stat": stat} if stat else {})}
        return self.path(entities, "mimap", ".nii.gz")

    @property
    def maps(self) -> list[Path]:
        """Every map of an image."""
        of_parameters = [self.map(p, s) for p in self.parameters for s in _STATISTICS]
        return [*of_parameters, *(self.map(name) for name in _DIAGNOSTICS)]

    @property
    def kinpar(self) -> Path:
        """The table of parameters of curves or regions."""
        return self.path({"model": self.model}, "kinpar", ".tsv")

    @property
    def models(self) -> Path:
        """The table that compares models."""
        return self.path({"desc": "models"}, "kinpar", ".tsv")

    def probability(self, model: str, wide: bool = False) -> Path:
        """Return the path of the map of a model's probability, or of that with wider priors."""
        entities = {"model": model, "meas": "probabilitywide" if wide else "probability"}
        return self.path(entities, "mimap", ".nii.gz")

    @property
    def draws(self) -> Path:
        """The posterior draws."""
        return self.path({"model": self.model}, "draws", ".zarr")


def write_maps(
    names: Names, posterior: Posterior, image: PetImage, checks: tuple[str, ...]
) -> list[Path]:
    """Write the maps of an image's posterior; return their paths.

    Raises:
        OutputError: If a file cannot be written.
    """
    about = _about(posterior, checks)
    written = []

    def write(meas: str, stat: str | None, values: np.ndarray, unit: str) -> None:
        fields: dict[str, Any] = {"Units": unit, "Description": _LONG[stat or meas]}
        if meas == "status":
            fields["Levels"] = {str(code): text for code, text in STATUS.items()}
        path = names.map(meas, stat)
        write_map(path, values, image, {**fields, "betaplus": about})
        written.append(path)

    for name in names.parameters:
        for stat, values in _statistics(posterior, name).items():
            write(name, stat, values, PARAMETER_UNITS[name])
    for name in _DIAGNOSTICS:
        write(name, None, posterior.diagnostics[name], _DIAGNOSTIC_UNITS[name])
    return written


def write_kinpar(
    names: Names, posterior: Posterior, table: TacTable, checks: tuple[str, ...]
) -> Path:
    """Write the table of the posteriors of curves, with a JSON beside it.

    Raises:
        OutputError: If a file cannot be written.
    """
    regions = table.names or tuple(f"curve-{i + 1}" for i in range(len(table)))
    columns, units = kinpar_columns(posterior)
    about: dict[str, Any] = {k: {"Units": unit} for k, unit in units.items()}
    about["status"] = {"Levels": {str(code): text for code, text in STATUS.items()}}
    fields = {
        "Sources": [table.source.name] if table.source else [],
        **about,
        "betaplus": _about(posterior, checks),
    }
    write_table(names.kinpar, {"region": regions, **columns}, fields)
    return names.kinpar


def kinpar_columns(posterior: Posterior) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the numbers of a table of parameters, name to column, and the unit of each."""
    columns: dict[str, np.ndarray] = {}
    units: dict[str, str] = {}
    for name in posterior.parameters:
        labels = {"mean": name, "std": f"{name}-sd"}
        for stat, values in _statistics(posterior, name).items():
            label = labels.get(stat, f"{name}-{stat}")
            columns[label] = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
            units[label] = PARAMETER_UNITS[name]
    names = ("ess", "chi2", "status")
    for name in (*names, *(n for n in posterior.diagnostics if n not in names)):
        values = np.asarray(posterior.diagnostics[name])
        if name == "status":
            columns[name] = values.astype(np.int64)
            continue
        columns[name] = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
        units[name] = PARAMETER_UNITS.get(name, "1")
    return columns, units


def write_draws(
    names: Names, posterior: Posterior, table: TacTable | None, mask: np.ndarray | None
) -> Path:
    """Write the draws as a zarr group with an array (region or voxel, draw) per parameter.

    For an image the array ``voxel`` holds the indices of the voxels, shape (N, 3).

    Raises:
        OutputError: If it cannot be written.
    """
    import zarr

    with atomic_path(names.draws) as temporary:
        group = zarr.open_group(str(temporary), mode="w", zarr_format=3)
        group.attrs["betaplus"] = {"version": __version__, "model": posterior.model}
        if mask is not None:
            _array(group, "voxel", np.argwhere(mask).astype(np.int32), "index")
        elif table is not None:
            group.attrs["regions"] = list(table.names or ())
        for name, draws in posterior.samples.items():
            values = draws if mask is None else draws[mask]
            _array(group, name, np.asarray(values, dtype=np.float32), PARAMETER_UNITS[name])
    return names.draws


def _array(group: Any, name: str, values: np.ndarray, unit: str) -> None:
    chunks = (min(len(values), 4096) or 1, *values.shape[1:])
    array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=chunks)
    array[...] = values
    array.attrs["Units"] = unit


def _statistics(posterior: Posterior, name: str) -> dict[str, np.ndarray]:
    marginal = posterior[name]
    q = marginal.quantiles
    arrays = (marginal.mean, marginal.std, q[0.5], q[0.05], q[0.95])
    return dict(zip(_STATISTICS, arrays, strict=True))


def _about(posterior: Posterior, checks: tuple[str, ...]) -> Mapping[str, Any]:
    brief = {key: posterior.settings[key] for key in _BRIEF if key in posterior.settings}
    return {"version": __version__, **brief, "checks": list(checks)}
