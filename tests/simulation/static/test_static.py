"""Static studies: what is drawn, and what the files say of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import betaplus as bp
from betaplus.core.errors import OutputError, UsageError
from betaplus.io.tsv import column_numbers, read_table
from betaplus.simulation.body.regions import BODY_LABELS
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static import draw_static, simulate_static
from betaplus.simulation.surrogate.styles import find_style
from betaplus.simulation.surrogate.surrogate import Surrogate
from betaplus.simulation.tissue_mu import SOFT

INDEX = {name: label for label, name in BODY_LABELS.items()}


@pytest.fixture(scope="module")
def body() -> Phantom:
    """A box of 50 L with the organs that make a body whole."""
    labels = np.full((30, 20, 84), INDEX["Muscle"], dtype=np.uint8)
    for k, name in enumerate(("GreyMatter", "Lungs", "Liver", "Bladder", "KidneyCortex", "Fat")):
        labels[2:10, 2:10, 2 + 10 * k : 10 + 10 * k] = INDEX[name]
    affine = np.diag([10.0, 10.0, 10.0, 1.0])
    return Phantom(labels, affine, {i: BODY_LABELS[i] for i in np.unique(labels).tolist()})


@pytest.fixture(scope="module")
def written(tmp_path_factory, body) -> tuple[Path, dict[str, Path]]:
    out = tmp_path_factory.mktemp("static") / "study"
    return out, simulate_static(out, anatomy=body, tracer="FDG", lesions=4, seed=3)


def test_weight_is_that_of_the_body_and_uptake_that_of_the_subject(body):
    scan = draw_static(body, "FDG", 5, lesions=0)
    assert scan.weight == pytest.approx(scan.mu.sum() / SOFT / 720, abs=0.05)
    for label, name in body.names.items():
        mean = scan.activity[body.labels == label].mean()
        assert mean == pytest.approx(scan.uptake[name], rel=0.15), name


def test_no_more_is_in_view_than_was_injected(body):
    for seed in range(6):
        scan = draw_static(body, "PSMA", seed, lesions=15)
        assert scan.activity.sum(dtype=np.float64) / 1000 <= 0.9 * scan.weight * 1.002


def test_the_same_seed_is_the_same_subject_and_another_is_not(body):
    first, second, other = (draw_static(body, "FDG", seed) for seed in (1, 1, 2))
    assert np.array_equal(first.activity, second.activity)
    assert first.dose == second.dose != other.dose
    assert not np.array_equal(first.activity, other.activity)


def test_a_drawn_brain_has_the_tracers_pattern():
    scan = draw_static("brain", "raclopride", 0, voxel=5.0, finer=1, lesions=0)
    mean = {
        n: scan.activity[scan.phantom.labels == i].mean() for i, n in scan.phantom.names.items()
    }
    assert mean["Putamen"] > 2 * mean["FrontalCortex"]
    assert not scan.activity[scan.phantom.labels == 0].any()
    assert scan.mu.max() == pytest.approx(0.0151)
    group = draw_static("brain", "amyloid", 0, voxel=8.0, finer=1, group="amyloid-positive").group
    assert group == "amyloid-positive"


def test_files_give_the_truth_back_in_suv(written, body):
    _, paths = written
    scan = draw_static(body, "FDG", 3, lesions=4)
    truth = bp.load(paths["truth/pet"])
    fields = truth.metadata
    suv = np.asarray(truth.data) * fields["BodyWeight"] * 1000 / fields["InjectedRadioactivity"]
    assert suv == pytest.approx(scan.activity, rel=1e-5, abs=1e-6)
    assert truth.unit == "Bq/mL" and truth.decay_corrected_to == 0.0
    assert truth.frames.start.tolist() == [3600.0] and truth.frames.duration.tolist() == [600.0]


def test_labels_lesions_and_settings_are_beside(written, body):
    import nibabel

    out, paths = written
    names = dict(zip(*(read_table(paths["labels"])[k] for k in ("index", "name")), strict=True))
    assert "Lesion" in names.values() and "Liver" in names.values()
    labels = np.asarray(nibabel.load(paths["dseg"]).dataobj)
    lesions = read_table(paths["truth/lesions"])
    diameter = column_numbers(lesions["diameter"], "diameter", "lesions")
    assert len(diameter) == 4
    volume = (labels == 34).sum()  # mL
    assert volume == pytest.approx((np.pi / 6 * diameter**3).sum() / 1000, rel=0.5, abs=5)
    mu = np.asarray(nibabel.load(paths["truth/mu"]).dataobj)
    assert mu.max() == pytest.approx(0.1, rel=0.01)  # 1/cm, of muscle
    simulation = json.loads(paths["truth/simulation"].read_text())
    assert simulation["seed"] == 3 and simulation["lesions"] == 4
    assert sorted(p.name for p in out.iterdir() if p.is_dir()) == ["truth"]


def test_noise_goes_with_the_root_of_the_dose_and_the_mean_stays(body, tmp_path):
    scan = draw_static(body, "FDG", 1, lesions=0)
    style = find_style("uEXPLORER")
    mean = Surrogate(scan.activity, scan.mu, body.voxel_size, style).mean_image()
    # Beside the hot blocks of this coarse box the recovered mean rings down to 0.
    inside = (body.labels == INDEX["Muscle"]) & (mean > 0.2)
    sd = []
    for fraction in (1.0, 0.25):
        paths = simulate_static(
            tmp_path / f"{fraction}", anatomy=body, dose_fraction=fraction, lesions=0,
            style="uEXPLORER", seed=1,
        )  # fmt: skip
        image = np.asarray(bp.load(paths["pet"]).data) / scan.per_suv
        noise = (image - mean)[inside] / mean[inside]
        assert abs(noise.mean()) < 0.1 * noise.std()
        sd.append(noise.std())
    assert sd[1] / sd[0] == pytest.approx(2.0, rel=0.1)


def test_a_folder_is_not_overwritten_unasked(written, body):
    out, _ = written
    before = (out / "sub-01_pet.nii.gz").read_bytes()
    with pytest.raises(OutputError, match="exists"):
        simulate_static(out, anatomy=body)
    assert (out / "sub-01_pet.nii.gz").read_bytes() == before
    with pytest.raises(UsageError, match="size 'huge' is unknown; expected one of small, full"):
        simulate_static(out / "other", anatomy="body", size="huge")
    assert not (out / "other").exists()
