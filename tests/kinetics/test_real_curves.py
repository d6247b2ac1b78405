"""Real curves: total-body FDG voxels, KMAP regions, and what is known of them."""

from __future__ import annotations

import numpy as np
import pytest

import betaplus
from betaplus.core import FrameTiming, InputFunction, TacTable, Tracer


def total_body(data, name):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    rows = pandas.read_hdf(data / "tacs_pettracer" / f"{name}_TAC.h5").to_numpy()
    frames = FrameTiming.from_durations(rows[:, 0] * 60)
    tacs = TacTable(
        values=rows[:, 3][None], frames=frames, unit="Bq/mL", names=(name,), tracer=Tracer.of("F18")
    )
    return tacs, InputFunction(
        time=rows[:, 1] * 60, whole_blood=rows[:, 2], plasma_kind="whole-blood", unit="Bq/mL"
    )


def kmap(data, name, column):
    from scipy.io import loadmat

    file = loadmat(data / "tacs_kmap" / f"demo_{name}_realdata.mat")
    frames = FrameTiming.from_durations(file["dt"].ravel().astype(float))
    tacs = TacTable(
        values=file[column].ravel()[None].astype(float),
        frames=frames,
        unit="Bq/mL",
        names=(column,),
        tracer=Tracer.of("F18"),
    )
    return tacs, InputFunction(
        time=frames.mid, whole_blood=file["Cp"].ravel().astype(float), plasma_kind="whole-blood"
    )


def test_grey_matter(reference_data):
    """FDG grey matter: Ki in .02-.07 per min, the rates within the published adults' ranges."""
    post = betaplus.kinetics.fit(*kmap(reference_data, "2tcm", "GM"))
    assert post["Ki"].quantiles[0.05][0] > 0.02 and post["Ki"].quantiles[0.95][0] < 0.07
    assert 0.09 < post["K1"].median[0] < 0.16
    assert 2 < post["delay"].median[0] < 7


def test_liver(reference_data):
    """Liver: high K1 and k2, Ki far below that of the brain, late arrival."""
    post = betaplus.kinetics.fit(*kmap(reference_data, "liver", "Liver"))
    assert 0.38 < post["K1"].median[0] < 0.9
    assert post["Ki"].median[0] < 0.015
    assert 7 < post["delay"].median[0] < 20


def test_one_tissue_misfits_grey_matter(reference_data):
    """A model without trapping cannot describe FDG in grey matter, and the status says so."""
    post = betaplus.kinetics.fit(*kmap(reference_data, "2tcm", "GM"), model="1TCM")
    assert post.diagnostics["status"][0] == 4


@pytest.mark.parametrize(
    ("name", "low", "high"), [("brain", 0.03, 0.065), ("liverInferiorRight", 0.015, 0.04)]
)
def test_total_body_voxels(reference_data, name, low, high):
    """Voxels of the published method's own data, under its prior and under ours."""
    for prior in ("published", "default"):
        post = betaplus.kinetics.fit(*total_body(reference_data, name), prior=prior)
        assert low < post["Ki"].median[0] < high
        assert np.isfinite([m.mean[0] for m in post.parameters.values()]).all()
        assert post.diagnostics["ess"][0] >= 100


def test_myocardium_leaves_the_published_box(reference_data):
    """The published prior stops at VB = .2; the myocardial voxel is mostly blood."""
    tacs, blood = total_body(reference_data, "myocardium")
    assert betaplus.kinetics.fit(tacs, blood, prior="published").diagnostics["status"][0] == 4
    post = betaplus.kinetics.fit(tacs, blood)
    assert post["VB"].quantiles[0.05][0] > 0.5


def test_pbr28_study(reference_data):
    """[11C]PBR28: thalamus VT between 1 and 8 mL/cm3 in every scan (Collste et al. 2016)."""
    import csv

    with (reference_data / "tacs_pbr28" / "pbr28_blooddata.csv").open() as stream:
        blood_rows = list(csv.DictReader(stream))
    with (reference_data / "tacs_pbr28" / "pbr28_tacdata.csv").open() as stream:
        tac_rows = list(csv.DictReader(stream))
    for scan in ("jdcs_1", "mhco_2"):
        rows = [r for r in tac_rows if r["PET"] == scan and float(r["Duration"]) > 0]
        samples = [r for r in blood_rows if r["PET"] == scan]
        tacs = TacTable(
            values=np.array([[float(r["THA"]) for r in rows], [float(r["FC"]) for r in rows]]),
            frames=FrameTiming(
                np.array([float(r["StartTime"]) for r in rows]),
                np.array([float(r["Duration"]) for r in rows]),
            ),
            unit="kBq/mL",
            names=("THA", "FC"),
            tracer=Tracer.of("C11"),
        )
        blood = InputFunction(
            time=np.array([float(r["Time"]) for r in samples]),
            plasma=np.array([float(r["Cpl_metabcorr"]) for r in samples]),
            whole_blood=np.array([float(r["Cbl_dispcorr"]) for r in samples]),
            plasma_kind="parent",
            unit="kBq/mL",
        )
        post = betaplus.kinetics.fit(tacs, blood)
        assert ((post["VT"].median > 1) & (post["VT"].median < 8)).all()
        assert (post["VT"].std < 0.3 * post["VT"].mean).all()
