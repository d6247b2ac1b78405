"""Real curves of several tracers with their input functions, from the reference data."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer
from betaplus.pipeline.benchmark.tracer_studies import data_folder, pbr28_studies

__all__ = ["real_curves"]

_VOXELS = ("brain", "liverInferiorRight", "myocardium")
_KMAP = (("2tcm", "GM"), ("1tcm", "WM"), ("liver", "Liver"))
_SCANS = (("jdcs", "1"), ("mhco", "2"))


def real_curves(folder: Path | None = None) -> Iterator[tuple[str, InputCurve, TacTable]]:
    """Yield what is at hand: source, input curve and curves in Bq/mL that share it.

    Total-body FDG voxels of PET-TRACER and FDG regions of KMAP, both with an image-derived input,
    and [11C]PBR28 regions of two people with arterial plasma.

    Args:
        folder: Reference data; by default where `BETAPLUS_DATA` points.
    """
    folder = folder or data_folder()
    yield from _total_body(folder / "tacs_pettracer")
    yield from _kmap(folder / "tacs_kmap")
    for study in pbr28_studies(folder):
        if (study.subject, study.session) in _SCANS and study.tacs and study.blood:
            table = study.tacs
            curve = study.blood.curve(float(table.frames.end[-1]))
            yield f"PBR28 {study.subject}_{study.session}", curve, _becquerels(table)


def _total_body(folder: Path) -> Iterator[tuple[str, InputCurve, TacTable]]:
    found = all(importlib.util.find_spec(name) for name in ("pandas", "tables"))
    for name in _VOXELS:
        path = folder / f"{name}_TAC.h5"
        if not found or not path.is_file():
            continue
        import pandas

        rows = pandas.read_hdf(path).to_numpy(dtype=np.float64)
        frames = FrameTiming.from_durations(60.0 * rows[:, 0])
        yield _with_image_input(f"FDG voxel {name}", name, frames, 60.0 * rows[:, 1], *rows.T[2:4])


def _kmap(folder: Path) -> Iterator[tuple[str, InputCurve, TacTable]]:
    from scipy.io import loadmat

    for name, column in _KMAP:
        path = folder / f"demo_{name}_realdata.mat"
        if path.is_file():
            file = {k: v.ravel().astype(float) for k, v in loadmat(path).items() if k[0] != "_"}
            frames = FrameTiming.from_durations(file["dt"])
            yield _with_image_input(
                f"FDG region {column}", column, frames, frames.mid, file["Cp"], file[column]
            )


def _with_image_input(
    source: str,
    name: str,
    frames: FrameTiming,
    time: np.ndarray,
    blood: np.ndarray,
    values: np.ndarray,
) -> tuple[str, InputCurve, TacTable]:
    given = InputFunction(time=time, whole_blood=blood, plasma_kind="whole-blood")
    table = TacTable(
        values=values[None],
        frames=frames,
        unit="Bq/mL",
        names=(name,),
        tracer=Tracer.of("F18", name="FDG"),
    )
    return source, given.curve(float(frames.end[-1])), table


def _becquerels(table: TacTable) -> TacTable:
    from betaplus.core.units import activity_factor

    values = table.values * activity_factor(table.unit, "Bq/mL")
    return TacTable(
        values=values,
        frames=table.frames,
        unit="Bq/mL",
        names=table.names,
        tracer=table.tracer,
    )
