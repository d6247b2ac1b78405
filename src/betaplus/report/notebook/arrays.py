"""Images, curves and posteriors as xarray, with coordinates and units."""

from __future__ import annotations

from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.image import PetImage
from betaplus.core.posterior import Marginal, Posterior
from betaplus.core.tacs import TacTable
from betaplus.core.units import PARAMETER_UNITS

__all__ = ["to_xarray"]

_AXES = ("x", "y", "z")
_STATISTICS = ("mean", "sd")


def to_xarray(item: PetImage | TacTable | Marginal | Posterior) -> Any:
    """Return a ``DataArray``, of a posterior a ``Dataset``.

    Dimensions are x, y and z (voxel centres [mm] where the axes are those of the world, else
    indices), region, time (frame mid-times [s]) and statistic (mean, sd, and quantiles as q05).
    Attributes hold units, and the affine.

    Raises:
        UsageError: If xarray is not installed.
    """
    try:
        import xarray
    except ImportError:
        raise UsageError(
            "to_xarray needs xarray, which is not installed",
            "expected the notebook extra",
            "pip install 'betaplus[notebook]'",
        ) from None
    if isinstance(item, PetImage):
        dims: tuple[str, ...] = _AXES if len(item.shape) == 3 else (*_AXES, "time")
        coords = _places(item.affine, item.shape) | _times(item)
        attrs = {"units": item.unit, "affine": np.asarray(item.affine).tolist()}
        data = np.asarray(item.data[...], np.float32)
        return xarray.DataArray(data, coords, dims, "activity", attrs)
    if isinstance(item, TacTable):
        coords = _names(item.names, len(item)) | _times(item)
        attrs = {"units": item.unit}
        return xarray.DataArray(item.values, coords, ("region", "time"), "activity", attrs)
    if isinstance(item, Marginal):
        return xarray.DataArray(*_statistics(item))
    variables = {name: xarray.DataArray(*_statistics(item[name])) for name in item.parameters}
    dims, coords = _curve_axes(next(iter(item.parameters.values())).mean.shape, item)
    for name, values in item.diagnostics.items():
        if np.shape(values) == next(iter(item.parameters.values())).mean.shape:
            variables[name] = xarray.DataArray(np.asarray(values), coords, dims)
    for name, draws in item.samples.items():
        variables[f"{name}_draws"] = xarray.DataArray(draws, coords, (*dims, "draw"))
    return xarray.Dataset(variables, attrs={"model": item.model, "method": item.method})


def _statistics(marginal: Marginal) -> tuple[np.ndarray, dict[str, Any], tuple[str, ...], str, Any]:
    levels = sorted(marginal.quantiles)
    values = [marginal.mean, marginal.std, *(marginal.quantiles[q] for q in levels)]
    labels = [*_STATISTICS, *(f"q{100 * q:02.0f}" for q in levels)]
    dims, coords = _curve_axes(np.shape(marginal.mean), marginal)
    attrs = {"units": PARAMETER_UNITS.get(marginal.name, "")}
    stacked = np.stack([np.asarray(v) for v in values], axis=-1)
    return stacked, coords | {"statistic": labels}, (*dims, "statistic"), marginal.name, attrs


def _curve_axes(
    shape: tuple[int, ...], item: Marginal | Posterior
) -> tuple[tuple[str, ...], dict[str, Any]]:
    if len(shape) == 3:
        affine = np.eye(4) if item.affine is None else item.affine
        return _AXES, _places(affine, shape)
    return ("region",), _names(item.regions, shape[0])


def _names(names: tuple[str, ...] | None, count: int) -> dict[str, Any]:
    return {"region": list(names) if names is not None else np.arange(count)}


def _times(item: PetImage | TacTable) -> dict[str, Any]:
    frames = item.frames
    if frames is None or (isinstance(item, PetImage) and len(item.shape) == 3):
        return {}
    return {
        "time": ("time", frames.mid, {"units": "s"}),
        "frame_start": ("time", frames.start, {"units": "s"}),
        "frame_duration": ("time", frames.duration, {"units": "s"}),
    }


def _places(affine: np.ndarray, shape: tuple[int, ...]) -> dict[str, Any]:
    matrix = np.asarray(affine, dtype=float)
    turned = not np.allclose(matrix[:3, :3], np.diag(np.diag(matrix[:3, :3])))
    if turned:  # a coordinate of one axis would depend on the others
        return {axis: np.arange(n) for axis, n in zip(_AXES, shape[:3], strict=True)}
    return {
        axis: (axis, matrix[i, i] * np.arange(shape[i]) + matrix[i, 3], {"units": "mm"})
        for i, axis in enumerate(_AXES)
    }
