"""Measures of phantoms in closed form, and the benchmark on two coarse people of each kind."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.pipeline.benchmark.phantoms import run as phantoms
from betaplus.pipeline.benchmark.phantoms.measure import (
    Lattice,
    in_view,
    likeness,
    region_suv,
    region_volumes,
    spread,
    uptake_rows,
    volume_row,
)
from betaplus.report.benchmark.phantoms import phantoms_sheets
from betaplus.simulation.anatomy import LABELS
from betaplus.simulation.body.regions import BODY_LABELS
from betaplus.simulation.brain import make_brain
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.reference_volumes import HEAD_VOLUMES, ORGAN_VOLUMES
from betaplus.simulation.static import draw_static

INDEX = {name: label for label, name in BODY_LABELS.items()}


def block(at: int, voxel: float = 4.0) -> Phantom:
    """10 x 10 x 10 voxels of liver in air, from voxel `at` of the lattice on along x."""
    labels = np.zeros((14, 14, 14), np.uint8)
    labels[2:12, 2:12, 2:12] = INDEX["Liver"]
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = (np.array([at - 2, 0, 0]) + 0.5) * voxel
    return Phantom(labels, affine, {INDEX["Liver"]: "Liver"})


def test_volumes_add_over_regions() -> None:
    phantom = block(0)
    phantom.labels[2:4, 2:12, 2:12] = INDEX["Spleen"]
    phantom.names[INDEX["Spleen"]] = "Spleen"
    parts = {"both": ("Liver", "Spleen"), "liver": ("Liver",), "none": ("Uterus",)}
    found = region_volumes(phantom, parts)
    assert found == pytest.approx({"both": 64.0, "liver": 51.2, "none": 0.0})


def test_spread_of_a_log_normal() -> None:
    values = 20.0 * np.exp(0.4 * np.random.default_rng(0).standard_normal(20_000))
    found = spread(values)
    assert found["median"] == pytest.approx(20.0, rel=0.02)
    assert found["log_sd"] == pytest.approx(0.4, rel=0.03)
    assert found["cv"] == pytest.approx(np.sqrt(np.expm1(0.16)), rel=0.05)
    assert found["high"] == pytest.approx(20.0 * np.exp(0.4 * 1.645), rel=0.03)


@pytest.mark.parametrize(
    ("value", "ratio", "outside"), [(100, 1.0, False), (150, 1.25, True), (70, 0.7, True)]
)
def test_a_volume_is_held_against_the_nearest_reference(
    value: float, ratio: float, outside: bool
) -> None:
    row = volume_row([value] * 3, (100.0, 120.0), None)
    assert row["ratio"] == pytest.approx(ratio) and row["outside"] is outside


def test_uptake_is_that_of_healthy_tissue_and_the_dose_that_of_the_image() -> None:
    labels = np.full((40, 40, 40), INDEX["Liver"], np.uint8)
    phantom = Phantom(labels, np.diag([4.0, 4.0, 4.0, 1.0]), {INDEX["Liver"]: "Liver"})
    scan = draw_static(phantom, "FDG", 2, lesions=6)
    assert scan.lesions
    clean = draw_static(phantom, "FDG", 2, lesions=0)
    found, expected = region_suv(scan)["Liver"], clean.activity.mean()
    assert found == pytest.approx(expected, rel=0.01)
    flat = dataclasses.replace(scan, activity=np.full(labels.shape, 2.0, np.float32), weight=50.0)
    assert in_view(flat) == pytest.approx(2.0 * 4.096 / 50.0)


def test_groups_have_rows_of_their_own_where_their_tables_differ() -> None:
    tables = {
        "a": {"Liver": (1.0, 2.0, 3.0), "Spleen": (1.0, 1.5, 2.0)},
        "b": {"Liver": (2.0, 4.0, 6.0), "Spleen": (1.0, 1.5, 2.0)},
    }
    people = [("a", {"Liver": 2.0, "Spleen": 1.5})] * 3 + [("b", {"Liver": 8.0, "Spleen": 3.0})]
    rows = {(r["region"], r["group"]): r for r in uptake_rows(people, tables)}
    assert set(rows) == {("Liver", "a"), ("Liver", "b"), ("Spleen", "all")}
    assert rows["Liver", "a"]["ratio"] == 1.0 and rows["Liver", "a"]["inside"] == 1.0
    assert rows["Liver", "b"]["ratio"] == 2.0 and rows["Liver", "b"]["inside"] == 0.0
    assert rows["Spleen", "all"]["n"] == 4 and rows["Spleen", "all"]["inside"] == 0.75


@pytest.mark.parametrize("step", [1, 2])
def test_people_are_compared_where_they_are_in_the_world(step: int) -> None:
    lattice = Lattice(step)
    for at in (0, 4, 4):  # two of them in the same place, the first 4 voxels away
        lattice.add(block(at))
    found = likeness(lattice.maps(), lattice.names, {"liver": ("Liver",)})
    assert found["pair"] == [1, 2] and found["closest"] == 1.0
    assert found["dice"]["liver"] == pytest.approx((0.6 + 0.6 + 1.0) / 3)
    assert found["same"] == pytest.approx((6 / 14 + 6 / 14 + 1.0) / 3)


def test_reference_parts_are_regions_of_the_phantoms() -> None:
    for organ in ORGAN_VOLUMES.values():
        assert set(organ.regions) <= set(BODY_LABELS.values())
    for head in HEAD_VOLUMES.values():
        assert set(head.regions) <= set(LABELS.values()) and head.low < head.high


def people(name: str, seed: int, *, voxel: float) -> Phantom:
    """Heads with large voxels; bodies that are a box of organs, longer the higher the seed."""
    if name == "brain":
        return make_brain(seed=seed, voxel=8.0, finer=1)
    labels = np.full((30, 20, 84 + 2 * seed), INDEX["Muscle"], dtype=np.uint8)
    for k, region in enumerate(("GreyMatter", "Lungs", "Liver", "Bladder", "Spleen", "Fat")):
        labels[2:10, 2:10, 2 + 10 * k : 10 + 10 * k] = INDEX[region]
    affine = np.diag([10.0, 10.0, 10.0, 1.0])
    affine[:3, 3] = 5.0
    return Phantom(labels, affine, {i: BODY_LABELS[i] for i in np.unique(labels).tolist()})


def test_files_and_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("betaplus.simulation.static.make_anatomy", people)
    result = phantoms.benchmark_phantoms(tmp_path, n=2)
    assert json.loads((tmp_path / "benchmark_phantoms.json").read_text()) == result
    text = (tmp_path / "benchmark_phantoms.md").read_text()
    assert "| Ventricles | adults | 2 |" in text and "## PSMA" in text
    liver = [r for r in result["volumes"]["body"] if r["part"] == "Liver"]
    assert sum(row["n"] for row in liver) == 2
    assert all(row["median"] == pytest.approx(512.0) for row in liver)
    shown = [p["tracer"] for p in result["shown"]]
    assert shown == ["FDG", "DPA-714", "FDG", "PSMA"]
    assert all(0.0 < row["median"] < 0.91 for row in result["dose"])
    for path in phantoms_sheets(tmp_path, result):
        assert path.stat().st_size > 5000


def test_one_person_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--n 1; expected 2 or more"):
        phantoms.benchmark_phantoms(tmp_path / "out", n=1)
    assert not (tmp_path / "out").exists()
