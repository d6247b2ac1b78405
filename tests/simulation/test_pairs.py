"""Pairs of low and full counts: their algebra, their files, the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from betaplus.cli.simulate_pairs import pairs
from betaplus.core.errors import OutputError, UsageError
from betaplus.io.open import load
from betaplus.simulation.pairs import make_pair, simulate_pairs
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.surrogate.style import ScanStyle
from betaplus.simulation.surrogate.styles import QUADRA, STYLES, find_style
from betaplus.simulation.surrogate.surrogate import Surrogate


def phantom() -> Phantom:
    """A small trunk of muscle with a liver in it."""
    x, y, z = np.meshgrid(*((np.arange(n) - 0.5 * (n - 1)) * 6.0 for n in (40, 32, 16)),
                          indexing="ij")  # fmt: skip
    labels = np.where((x / 110.0) ** 2 + (y / 85.0) ** 2 < 1.0, 2, 0).astype(np.uint8)
    labels[(np.hypot(np.hypot(x - 40.0, y), z) < 35.0)] = 17
    affine = np.diag([6.0, 6.0, 6.0, 1.0])
    return Phantom(labels, affine, {2: "Muscle", 17: "Liver"})


def test_files_hold_a_nested_pair(tmp_path: Path) -> None:
    paths = simulate_pairs(
        tmp_path, anatomy=phantom(), dose_fraction=0.1, n=1, lesions=0, complement=True, seed=4
    )
    read = {k.split("/", 1)[-1]: load(v) for k, v in paths.items() if str(v).endswith("pet.nii.gz")}
    low, full, rest = (np.asarray(read[k].data) for k in ("pet", "truth/full", "truth/complement"))
    np.testing.assert_allclose(0.1 * low + 0.9 * rest, full, rtol=1e-3, atol=1e-3 * full.max())
    inside = phantom().labels == 17
    truth = np.asarray(read["truth/pet"].data)
    assert full[inside].mean() == pytest.approx(truth[inside].mean(), rel=0.2)
    mean = np.asarray(read["truth/mean"].data)
    ratio = (low - mean)[inside].std() / (full - mean)[inside].std()
    assert ratio == pytest.approx(np.sqrt(10.0), rel=0.1)
    fields = json.loads(paths["sub-01/pet"].with_name("sub-01_pet.json").read_text())
    assert fields["Units"] == "Bq/mL" and fields["ReconMethodParameterValues"][0] == 0.1
    suv = truth * fields["BodyWeight"] * 1000.0 / fields["InjectedRadioactivity"]
    assert 1.0 < suv[inside].mean() < 4.0  # of a liver with FDG
    settings = json.loads(paths["sub-01/truth/simulation"].read_text())
    assert settings["scan_style"]["name"] == "Quadra" and settings["seed"] == 4


def test_several_doses_and_subjects(tmp_path: Path) -> None:
    paths = simulate_pairs(
        tmp_path, anatomy=phantom(), dose_fraction=(0.25, 0.05), n=2, lesions=0, style="uexplorer"
    )
    assert paths["sub-02/pet/0.05"].name == "sub-02_acq-dose0p05_pet.nii.gz"
    one, two = (np.asarray(load(paths[f"sub-0{n}/pet/0.25"]).data) for n in (1, 2))
    assert not np.allclose(one, two)
    with pytest.raises(OutputError, match="exists"):
        simulate_pairs(tmp_path, anatomy=phantom(), lesions=0)
    again = simulate_pairs(tmp_path, anatomy=phantom(), lesions=0, overwrite=True)
    assert not paths["sub-02/pet/0.05"].exists() and again["sub-01/pet"].exists()


def test_same_seed_same_voxels(tmp_path: Path) -> None:
    a, b = (
        simulate_pairs(tmp_path / name, anatomy=phantom(), lesions=0, seed=3)["sub-01/pet"]
        for name in ("a", "b")
    )
    assert np.array_equal(load(a).data[:], load(b).data[:])


def test_make_pair_sorts_doses_and_draws_anew() -> None:
    made = phantom()
    activity = (made.labels > 0).astype(np.float32)
    surrogate = Surrogate(activity, 0.0096 * activity, made.voxel_size, QUADRA, sectors=1)
    pair = make_pair(surrogate, (0.5, 0.1), seed=1)
    assert pair.doses == (0.1, 0.5) and len(pair.low) == 2
    assert pair.complement(0).min() >= 0.0
    other = make_pair(surrogate, (0.5, 0.1), seed=1, draw=1)
    assert not np.allclose(pair.full, other.full)
    np.testing.assert_array_equal(pair.mean, other.mean)


def test_styles_are_found_by_name() -> None:
    assert find_style("QUADRA") is QUADRA and isinstance(STYLES["uEXPLORER"], ScanStyle)
    with pytest.raises(UsageError, match="expected one of"):
        find_style("nothing")


@pytest.mark.parametrize("wrong", [{"dose_fraction": 1.0}, {"n": 0}, {"style": "x"},
                                   {"size": "huge"}])  # fmt: skip
def test_wrong_options_leave_nothing(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        simulate_pairs(tmp_path / "out", anatomy="body", **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def called(out: Path, **options: object) -> dict[str, Path]:
        seen.update(options)
        return {"sub-01/pet": out / "sub-01_pet.nii.gz"}

    monkeypatch.setattr("betaplus.simulation.pairs.simulate_pairs", called)
    app = typer.Typer()
    app.command()(pairs)
    line = ["-o", str(tmp_path), "--dose-fraction", "0.1", "--dose-fraction", "0.05", "-n", "3"]
    result = CliRunner().invoke(app, [*line, "--scanner", "uEXPLORER", "--complement"])
    assert result.exit_code == 0 and "sub-01_pet.nii.gz" in result.output
    assert seen["dose_fraction"] == [0.1, 0.05] and seen["n"] == 3
    assert seen["style"] == "uEXPLORER" and seen["complement"] is True
