"""The large-study benchmark on a tiny study, and what it says of posteriors that are known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy.stats import norm

from betaplus.core.errors import UsageError
from betaplus.pipeline.benchmark.kinetics.region_accuracy import region_accuracy
from betaplus.pipeline.benchmark.kinetics.scale import scale, scale_table
from betaplus.pipeline.benchmark.memory_watch import MemoryWatch

CHEAP = [
    *("--set", "coarse=64", "--set", "pilot=64", "--set", "fine=64"),
    *("--set", "largest=64", "--set", "least_ess=0", "--no-report"),
]


def normal(truth: np.ndarray, sd: float, shift: float, width: float) -> dict[str, np.ndarray]:
    """Normal posteriors, off by `shift` SDs and `width` times as wide as they should be."""
    rng = np.random.default_rng(1)
    centre = truth + sd * (shift + rng.standard_normal(truth.size))
    found = {"mean": centre + 0.5 * sd, "std": np.full(truth.size, width * sd), "median": centre}
    edge = norm.ppf(0.95) * width * sd
    return {**found, "q05": centre - edge, "q95": centre + edge}


@pytest.mark.parametrize(("shift", "width"), [(0.0, 1.0), (1.0, 1.0), (0.0, 2.0)])
def test_bias_and_coverage_of_normal_posteriors(shift: float, width: float) -> None:
    n = 60_000
    truth = np.full(n, 0.04)
    labels = np.repeat([3, 8], n // 2)
    truth[n // 2 :] = 0.02
    found = region_accuracy(normal(truth, 0.004, shift, width), truth, labels, {3: "a", 8: "b"})
    assert list(found) == ["all", "a", "b"]
    edge = norm.ppf(0.95) * width
    below, above = norm.sf(edge - shift), norm.cdf(-edge - shift)
    for name, true in (("a", 0.04), ("b", 0.02)):
        row = found[name]
        assert row["voxels"] == n // 2 and row["truth"] == pytest.approx(true)
        assert row["median_sd"] == pytest.approx(shift / width, abs=0.03)
        assert row["mean_sd"] == pytest.approx((shift + 0.5) / width, abs=0.03)
        assert row["median_percent"] == pytest.approx(100 * shift * 0.004 / true, abs=0.6)
        assert row["below"] == pytest.approx(below, abs=0.012)
        assert row["above"] == pytest.approx(above, abs=0.012)
        assert row["coverage"] == pytest.approx(1 - below - above, abs=0.012)


def test_voxels_without_truth_or_posterior_are_left_out() -> None:
    truth = np.array([1.0, 0.0, 1.0, 1.0])
    found = normal(truth, 0.1, 0.0, 1.0)
    found["std"][2] = 0.0
    found["q95"][3] = np.nan
    rows = region_accuracy(found, truth, np.array([1, 1, 1, 2]), {1: "a", 2: "b"})
    assert {name: row["voxels"] for name, row in rows.items()} == {"all": 1, "a": 1}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_of_a_tree_counts_its_children() -> None:
    child = "import time; held = bytes(60_000_000); held = bytearray(held); time.sleep(1.5)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", code])
    with MemoryWatch(process, interval=0.02) as watch:
        assert process.wait() == 0
    assert 65e6 < watch.peak < 250e6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where studies are made once."""
    return tmp_path_factory.mktemp("scale")


@pytest.mark.parametrize("form", ["zarr", pytest.param("nii.gz", marks=pytest.mark.slow)])
def test_a_tiny_study_from_files_to_table(folder: Path, form: str) -> None:
    options = dict(voxels=300, format=form, options=CHEAP)
    result = scale(folder, **options)
    assert result["voxels"] == 300 and result["grid"] == [40, 48, 32] and result["frames"] == 35
    assert {"read", "fit", "write", "total"} <= set(result["seconds"])
    assert 1e8 < result["peak_bytes"] < result["limit_bytes"] == 4 << 30
    assert result["wall_seconds"] >= result["seconds"]["total"]
    assert sum(n for name, n in result["status"].items() if name != "outside") == 300
    assert abs(result["delay"]["fitted"] - result["delay"]["true"]) < 1

    maps = {s: folder / f"out-{form}-300" / _map(s) for s in ("mean", "std", "q05", "q95")}
    maps["truth"] = folder / f"study-{form}" / "truth" / "sub-01_model-2TCM_meas-Ki_mimap.nii.gz"
    values = {name: np.asarray(nibabel.load(path).dataobj) for name, path in maps.items()}
    labels = np.asarray(nibabel.load(folder / f"study-{form}" / "sub-01_dseg.nii.gz").dataobj)
    white = (labels == 5) & (values["std"] > 0)
    row = result["Ki"]["WhiteMatter"]
    assert row["voxels"] == white.sum() > 20
    truth = values["truth"][white].astype(float)
    inside = (truth >= values["q05"][white]) & (truth <= values["q95"][white])
    assert row["coverage"] == pytest.approx(inside.mean())
    error = np.median(values["mean"][white].astype(float) / truth - 1)
    assert row["mean_percent"] == pytest.approx(100 * error)

    table = scale_table(result)
    assert "300 voxels of a 40 x 48 x 32 x 35 study" in table
    assert f"| WhiteMatter | {row['voxels']} |" in table
    again = scale(folder, **options)  # everything is there already
    assert again["Ki"] == result["Ki"] and again["seconds"] == result["seconds"]


def _map(stat: str) -> str:
    return f"sub-01_model-2TCM_meas-Ki_stat-{stat}_mimap.nii.gz"


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="9000000 voxels"):
        scale(tmp_path / "new", voxels=9_000_000)
    with pytest.raises(UsageError, match="format 'mat' is unknown"):
        scale(tmp_path / "new", voxels=10, format="mat")
    assert not (tmp_path / "new").exists()


def test_a_run_that_fails_says_why(folder: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ended with 2: betaplus: error: .*nowhere"):
        scale(folder, voxels=10, options=["--model", "nowhere"])
