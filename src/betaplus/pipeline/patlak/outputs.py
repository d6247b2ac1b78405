"""The files of the patlak verb, each complete or not there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus import __version__
from betaplus.core.image import PetImage
from betaplus.core.units import PARAMETER_UNITS
from betaplus.io.atomic import atomic_path
from betaplus.io.derivatives import write_map, write_table
from betaplus.patlak.fitting import PatlakFit
from betaplus.pipeline.patlak.regions import ESTIMATE
from betaplus.pipeline.patlak.request import Names

__all__ = ["map_unit", "write_draws", "write_maps", "write_regions"]

_STATISTICS = {"mean": "estimate", "std": "posterior standard deviation"}
_SAID = {
    "Ki": "net influx rate, Patlak's slope",
    "V0": "Patlak's intercept",
}
_SAID_RELATIVE = {
    "Ki": "relative Patlak slope: Ki times a factor that is unknown and the same for all voxels",
    "V0": "relative Patlak intercept: V0 plus a multiple of Ki, the same for all voxels",
}
_PER_SLICE = {"SliceTimesStart": None, "SliceDuration": None}


def map_unit(name: str, relative: bool) -> str:
    """Return the unit of a map."""
    return "relative" if relative and name == "Ki" else PARAMETER_UNITS[name]


def write_maps(
    names: Names, fit: PatlakFit, image: PetImage, about: Mapping[str, Any]
) -> list[Path]:
    """Write the maps and their SDs; return their paths.

    Raises:
        OutputError: If a file cannot be written.
    """
    said = _SAID_RELATIVE if names.relative else _SAID
    written = []
    for stat, volumes in (("mean", fit.maps), ("std", fit.std)):
        for name, values in (volumes or {}).items():
            path = names.map(name, stat)
            fields = {
                "Units": map_unit(name, names.relative),
                "Description": f"{said[name]}: {_STATISTICS[stat]}",
                "betaplus": dict(about),
                **_PER_SLICE,
            }
            write_map(path, values, image, fields)
            written.append(path)
    return written


def write_draws(names: Names, fit: PatlakFit) -> Path:
    """Write the draws as a zarr group: an array (voxel, draw) per map, ``voxel`` their indices.

    Raises:
        OutputError: If it cannot be written.
    """
    import zarr

    assert fit.draws is not None
    mask = fit.study.problem.mask.numpy()
    arrays = {"voxel": (np.argwhere(mask).astype(np.int32), "index")}
    for name, draws in fit.draws.items():
        values = np.ascontiguousarray(draws[:, mask].T, dtype=np.float32)
        arrays[name] = (values, map_unit(name, names.relative))
    with atomic_path(names.draws) as temporary:
        group = zarr.open_group(str(temporary), mode="w", zarr_format=3)
        group.attrs["betaplus"] = {"version": __version__, "model": "Patlak"}
        for name, (values, unit) in arrays.items():
            chunks = (min(len(values), 4096) or 1, *values.shape[1:])
            array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=chunks)
            array[...] = values
            array.attrs["Units"] = unit
    return names.draws


def write_regions(
    names: Names, columns: Mapping[str, Any], image: PetImage, about: Mapping[str, Any]
) -> Path:
    """Write the table of regions, with a JSON beside it.

    Raises:
        OutputError: If a file cannot be written.
    """
    fields: dict[str, Any] = {"Sources": [image.source.name] if image.source else []}
    for label in columns:
        name, dash, end = label.partition("-")
        if name in PARAMETER_UNITS:
            unit = map_unit(name, names.relative)
            fields[label] = {"Description": ESTIMATE[dash + end], "Units": unit}
    fields["volume_ml"] = {"Description": "volume of the region in the mask", "Units": "mL"}
    write_table(names.kinpar, dict(columns), {**fields, "betaplus": dict(about)})
    return names.kinpar
