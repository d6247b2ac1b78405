"""Every example of the gallery runs, in its quick form, and finds what it says that it finds."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples"
Found = dict[str, float]

CHECKS: dict[str, Callable[[Found], bool]] = {
    "01_kinetics_of_regions": lambda f: f["inside"] >= 0.5 and f["error"] < 0.3,
    "02_parametric_maps": lambda f: f["correlation"] > 0.8,
    "03_without_blood": lambda f: all(error < 0.25 for error in f.values()),
    "04_patlak_maps": lambda f: f["kernel"] < f["wls"],
    "05_denoise": lambda f: f["gaussian"] < f["noisy"] and f["nlm"] < f["noisy"],
    "06_two_tracers": lambda f: all(error < 20 for error in f.values()),
    "07_reconstruct": lambda f: f["osem"] < 60,
    "08_compare_methods": lambda f: all(error < 0.3 for error in f.values()),
    "09_calibration": lambda f: all(share > 0.78 for share in f.values()),
    "10_own_prior": lambda f: f["prior"] < f["default"],
    "11_train_a_prior": lambda f: f["prior"] < f["noisy"],
    "12_your_label_map": lambda f: all(value > 0 for value in f.values()),
    "13_cluster": lambda f: f["difference"] == 0.0,
    "14_data_set": lambda f: f["rows"] > 10,
}


def test_every_example_is_tested() -> None:
    assert sorted(CHECKS) == sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))


@pytest.mark.parametrize("name", CHECKS)
def test_example(name: str, tmp_path: Path) -> None:
    if name == "13_cluster":
        pytest.importorskip("distributed", reason="needs the dask extra")
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.main(tmp_path / name, True)
    assert CHECKS[name](found), found
