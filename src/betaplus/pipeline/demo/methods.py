"""The mean curve of each region and one of its voxels, by the exact method and by networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.tacs import TacTable
from betaplus.io.derivatives import write_tacs
from betaplus.io.voxels import voxel_curves
from betaplus.pipeline.kinetics import KineticsRequest, KineticsResult

__all__ = ["METHODS", "SideBySide", "one_voxel_each", "side_by_side"]

METHODS = ("exact", "consistency", "flow")
"""In the order of the report; the others are measured against the first."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SideBySide:
    """The same curves by several methods.

    Attributes:
        regions: Names of the regions; the curves are their means, then a voxel of each.
        results: Method to its result.
        truth: Parameter to true values of the curves, shape (2 regions,).
    """

    regions: tuple[str, ...]
    results: dict[str, KineticsResult]
    truth: dict[str, np.ndarray]


def one_voxel_each(labels: np.ndarray, names: Mapping[int, str]) -> dict[str, int]:
    """Return the middle one of each region's voxels, region to index.

    Args:
        labels: Label of each voxel, shape (N,).
        names: Label to region; those without a voxel are left out.
    """
    inside = {name: np.flatnonzero(labels == label) for label, name in names.items()}
    return {name: int(at[at.size // 2]) for name, at in inside.items() if at.size}


def side_by_side(
    brain: KineticsResult,
    mask: np.ndarray,
    voxels: Mapping[str, int],
    truth: Mapping[str, np.ndarray],
    regions: Mapping[str, Mapping[str, float]],
    blood: Path,
    out: Path,
    fit: Callable[[KineticsRequest], KineticsResult],
    *,
    seed: int,
    overwrite: bool,
) -> SideBySide:
    """Fit the curves by every method of `METHODS`, with the delay that the image was given.

    Args:
        brain: The image's result, with its regions.
        mask: The voxels of it, shape (X, Y, Z).
        voxels: Region to the voxel that stands beside it, counted inside the mask.
        truth: Parameter to true values in the mask, shape (N,).
        regions: Region to parameter to mean true value.
        blood: Blood samples.
        out: Folder for the curves and a folder of results for each method.
        fit: Runs the kinetics verb.
        seed: Seed.
        overwrite: Replace what is there.
    """
    table = brain.regions
    assert table is not None and table.names is not None  # the phantom has labels
    places = [voxels[name] for name in table.names]
    chosen = np.zeros(mask.shape, dtype=bool)
    chosen[tuple(np.argwhere(mask)[places].T)] = True
    rank = np.argsort(np.argsort(places))  # curves come in the order of voxels
    curves = np.concatenate([table.values, voxel_curves(brain.data, chosen)[rank]])
    out.mkdir(parents=True, exist_ok=True)
    path = out / "sub-01_tacs.tsv"
    write_tacs(
        path,
        TacTable(
            values=curves,
            frames=table.frames,
            unit=table.unit,
            names=(*table.names, *(f"{name}-voxel" for name in table.names)),
            tracer=table.tracer,
            decay_corrected_to=table.decay_corrected_to,
        ),
    )
    results = {
        method: fit(
            KineticsRequest(
                source=path,
                blood=(blood,),
                out=out / method,
                method=method,
                delay=repr(float(brain.posterior.settings["delay"])),
                seed=seed,
                overwrite=overwrite,
            )
        )
        for method in METHODS
    }
    return SideBySide(
        regions=table.names,
        results=results,
        truth={
            name: np.array([regions[r][name] for r in table.names] + [*values[places]])
            for name, values in truth.items()
        },
    )
