"""From options to files, and back to an image."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from tests.physics.projector.cases import SMALL

import betaplus
from betaplus.core.errors import OutputError
from betaplus.core.grid import ImageGrid
from betaplus.io.raw.store import read_raw
from betaplus.physics.projector.projector import Projector
from betaplus.reconstruction.reconstruct import reconstruct
from betaplus.simulation.anatomy import LABELS
from betaplus.simulation.raw import head as head_module
from betaplus.simulation.raw.head import HEAD_CENTRE
from betaplus.simulation.raw.plan import make_plan
from betaplus.simulation.raw.simulate import simulate_raw

GRID = make_plan(scanner=SMALL).grid
_ANATOMY = functools.lru_cache(head_module.Anatomy)


@pytest.fixture(autouse=True)
def _same_anatomy(monkeypatch):
    """Draw each head once for all tests; a head does not change by being used."""
    monkeypatch.setattr(head_module, "Anatomy", _ANATOMY)


def _load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    image = nibabel.load(path)
    return np.asarray(image.dataobj), image.affine


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("raw") / "new" / "out"
    return out, simulate_raw(out, scanner=SMALL, counts=3e6, realisations=2, threads=1, seed=1)


def test_files(written):
    out, paths = written
    assert all(path.exists() for path in paths.values())
    assert sorted(p.name for p in out.iterdir()) == [
        ".bidsignore",
        "dataset_description.json",
        "sub-01_dseg.nii.gz",
        "sub-01_dseg.tsv",
        "sub-01_mu.json",
        "sub-01_mu.nii.gz",
        "sub-01_run-01_raw.zarr",
        "sub-01_run-02_raw.zarr",
        "truth",
    ]
    record = json.loads((out / "truth" / "sub-01_simulation.json").read_text())
    assert record["means"][0]["prompts"] == pytest.approx(3e6, rel=1e-4)
    assert record["seed"] == 1 and record["scanner"] == "small"


def test_containers_hold_what_a_user_would_have(written):
    scan, truth = read_raw(written[1]["raw/01"]), read_raw(written[1]["truth/raw"])
    assert scan.scanner == SMALL and scan.n_frames == 1
    assert scan.randoms is None and scan.delayeds is not None
    np.testing.assert_array_equal(scan.scatter[0], truth.scatter[0])
    np.testing.assert_array_equal(scan.efficiency[...], truth.efficiency[...])
    assert (scan.frames.start[0], scan.frames.duration[0]) == (2400.0, 1200.0)
    assert scan.tracer.radionuclide == "F18"
    mean = truth.prompts[0].astype(float)
    prompts = scan.prompts[0].astype(float)
    assert prompts.sum() == pytest.approx(3e6, abs=5.0 * np.sqrt(3e6))
    used = mean > 1.0
    chi2 = ((prompts - mean) ** 2 / np.where(used, mean, 1.0))[used]
    assert chi2.mean() == pytest.approx(1.0, abs=5.0 * np.sqrt(3.0 / chi2.size))
    delayeds = scan.delayeds[0].sum(dtype=float)
    assert delayeds == pytest.approx(truth.randoms[0].sum(dtype=float), rel=0.01)


def test_realisations_are_independent(written):
    mean = read_raw(written[1]["truth/raw"]).prompts[0].astype(float)
    one, two = (
        (read_raw(written[1][f"raw/0{n}"]).prompts[0] - mean)[SMALL.live].ravel() for n in (1, 2)
    )
    assert abs(np.corrcoef(one, two)[0, 1]) < 5.0 / np.sqrt(one.size)


def test_again_with_more_threads_gives_the_same_counts(written, tmp_path):
    again = simulate_raw(tmp_path, scanner=SMALL, counts=3e6, threads=3, seed=1)
    one, two = read_raw(again["raw"]), read_raw(written[1]["raw/01"])
    for name in ("prompts", "delayeds", "scatter"):
        np.testing.assert_array_equal(getattr(one, name)[0], getattr(two, name)[0])
    np.testing.assert_array_equal(one.attenuation[...], two.attenuation[...])


def test_truth_has_the_activity_of_the_fine_grid_and_the_grids_affine(written):
    coarse, affine = _load(written[1]["truth/pet"])
    fine, fine_affine = _load(written[1]["truth/fine/pet"])
    np.testing.assert_allclose(affine, GRID.affine, atol=1e-5)
    ends = [
        a @ [*(np.array(x.shape) / 2 - 0.5), 1] for a, x in ((affine, coarse), (fine_affine, fine))
    ]
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-5)  # same centre
    assert coarse.shape == GRID.shape
    total = fine.sum(dtype=float) * abs(np.linalg.det(fine_affine))
    assert coarse.sum(dtype=float) * abs(np.linalg.det(affine)) == pytest.approx(total, rel=1e-6)
    image = betaplus.load(written[1]["truth/pet"])
    assert image.unit == "Bq/mL" and image.decay_corrected_to == 0.0


def test_mu_is_in_1_cm_on_the_same_grid(written):
    mu, affine = _load(written[1]["mu"])
    np.testing.assert_allclose(affine, GRID.affine, atol=1e-5)
    assert np.median(mu[mu > 0.0]) == pytest.approx(0.096, rel=1e-5)
    assert json.loads((written[0] / "sub-01_mu.json").read_text())["Units"] == "1/cm"


def test_attenuation_from_the_mu_file_is_that_of_the_container(tmp_path):
    from betaplus.reconstruction.attenuation import factors_of_map

    wide = SMALL.replace(name="wide", detectors=150, radius=160.0, radial=100)  # a head fits in
    paths = simulate_raw(tmp_path, scanner=wide, counts=1e4)
    mu, affine = _load(paths["mu"])
    share = factors_of_map(mu, affine, wide) / read_raw(paths["raw"]).attenuation[...]
    low, middle, high = np.percentile(share[wide.live], [1, 50, 99])
    assert middle == pytest.approx(1.0, abs=1e-3)
    assert low > 0.93 and high < 1.07
    assert share[wide.live].mean() == pytest.approx(1.0, abs=2e-3)


def test_a_reconstruction_gives_the_truth_in_its_unit(written):
    scan = read_raw(written[1]["raw/01"])
    image = reconstruct(
        scan, grid=GRID, settings={"iterations": 4, "subsets": 5}, psf=SMALL.resolution
    )
    truth, _ = _load(written[1]["truth/pet"])
    inner = np.hypot(GRID.axis(0)[:, None], GRID.axis(1)[None]) < 40.0
    assert image.unit == "Bq/mL"
    assert image.data[inner].mean() == pytest.approx(truth[inner].mean(), rel=0.04)


def test_a_tenth_of_the_dose_keeps_the_activity(tmp_path, written):
    paths = simulate_raw(tmp_path, scanner=SMALL, counts=3e6, dose_fraction=0.1, seed=1)
    scan, full = read_raw(paths["raw"]), read_raw(written[1]["raw/01"])
    assert scan.sensitivity == pytest.approx(0.1 * full.sensitivity, rel=1e-6)
    expected = 3e6 * (0.1 * 0.6 + 0.01 * 0.4)
    assert scan.prompts[0].sum(dtype=float) == pytest.approx(expected, rel=0.02)
    np.testing.assert_array_equal(_load(paths["truth/pet"])[0], _load(written[1]["truth/pet"])[0])


class _Marked:
    """A body with a hot ball at one point of the phantom's world (RAS) and nothing else."""

    marker = np.array([-22.0, 13.0, 4.0])  # left, front, up, from what is in the scanner's centre

    def __init__(self, seed):
        del seed

    def labels(self, space):
        point = self.marker + np.array(HEAD_CENTRE)
        position = (space.x, space.y, space.z)
        away = np.sqrt(sum((c - p) ** 2 for c, p in zip(position, point, strict=True)))
        names = {name: label for label, name in LABELS.items()}
        return np.where(away < 4.0, names["Putamen"], 0).astype(np.uint8)


def test_a_marker_comes_back_at_its_place_in_the_world(monkeypatch, tmp_path):
    monkeypatch.setattr(head_module, "Anatomy", _Marked)
    paths = simulate_raw(tmp_path, scanner=SMALL, counts=2e6, randoms=0.0, scatter=0.0)
    scan = read_raw(paths["raw"])
    grid = ImageGrid(shape=(45, 45, 9), voxel_size=(2.0, 2.0, 2.0))
    back = Projector(SMALL, grid)
    image = back.adjoint(scan.prompts[0]) / (back.adjoint(scan.efficiency[...]) + 1e-3)
    top = np.array(np.unravel_index(np.argmax(image), image.shape))
    world = (grid.affine @ [*top, 1.0])[:3]
    assert np.abs(world - _Marked.marker).max() <= 2.0
    for name, tolerance in (("truth/pet", 0.6), ("dseg", 0.6), ("truth/fine/pet", 0.3)):
        values, affine = _load(paths[name])
        where = np.argwhere(values > 0)
        weight = values[tuple(where.T)].astype(float)
        found = affine[:3, :3] @ np.average(where, axis=0, weights=weight) + affine[:3, 3]
        assert np.abs(found - _Marked.marker).max() < tolerance


def test_dynamic(tmp_path):
    paths = simulate_raw(tmp_path, scanner=SMALL, counts=2e6, dynamic=True, tracer="PBR28")
    scan = read_raw(paths["raw"])
    truth = betaplus.load(paths["truth/pet"])
    assert scan.n_frames == 27 == truth.n_frames
    assert scan.frames == truth.frames
    total = sum(scan.prompts[n].sum(dtype=float) for n in range(27))
    assert total == pytest.approx(2e6, rel=0.01)
    assert betaplus.load_blood(paths["blood"]).parent_fraction is not None
    assert {f"truth/{p}" for p in ("K1", "k2", "k3", "k4", "VB", "Ki")} < set(paths)
    assert "truth/fine/pet" not in paths
    assert not list(tmp_path.glob(".tmp*"))


def test_an_earlier_simulation_is_kept_or_replaced_whole(tmp_path):
    small = {"scanner": SMALL, "counts": 1e4}
    first = simulate_raw(tmp_path, realisations=2, **small)
    with pytest.raises(OutputError, match=r"sub-01_run-01_raw\.zarr exists"):
        simulate_raw(tmp_path, **small)
    assert first["raw/02"].exists()
    simulate_raw(tmp_path, overwrite=True, **small)
    assert [p.name for p in tmp_path.glob("*_raw.zarr")] == ["sub-01_raw.zarr"]


def test_nothing_is_left_when_it_fails(tmp_path, monkeypatch):
    from betaplus.simulation.raw import draws

    def fail(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(draws, "draw", fail)
    with pytest.raises(KeyboardInterrupt):
        simulate_raw(tmp_path / "a" / "b", scanner=SMALL, counts=1e4)
    assert not (tmp_path / "a").exists()
