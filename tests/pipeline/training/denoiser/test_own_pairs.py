"""Own scans: which images are pairs, what they are trained against, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.pipeline.training.denoiser.own_cases import (
    CONFIG,
    DOSE,
    PLAN,
    VOXEL,
    base_bundle,
    body,
    correlation,
    nested,
    own_folder,
    scan,
    write,
)

from betaplus.core.errors import InputError, UsageError
from betaplus.pipeline.training.denoiser.own.corpus import (
    complement,
    read_pair,
)
from betaplus.pipeline.training.denoiser.own.pairs import find_pairs
from betaplus.pipeline.training.denoiser.own.plan import OwnPlan
from betaplus.pipeline.training.denoiser.own.train import fine_tune_denoiser
from betaplus.simulation.pairs import simulate_pairs
from betaplus.simulation.phantom import Phantom


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    return own_folder(tmp_path_factory.mktemp("own"), 3)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return base_bundle(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    x, y, z = np.meshgrid(*((np.arange(n) - 0.5 * (n - 1)) * 6.0 for n in (40, 32, 16)),
                          indexing="ij")  # fmt: skip
    labels = np.where((x / 110.0) ** 2 + (y / 85.0) ** 2 < 1.0, 2, 0).astype(np.uint8)
    labels[np.hypot(np.hypot(x - 40.0, y), z) < 35.0] = 17
    phantom = Phantom(labels, np.diag([6.0, 6.0, 6.0, 1.0]), {2: "Muscle", 17: "Liver"})
    out = tmp_path_factory.mktemp("simulated")
    for name, doses in (("one", 0.1), ("two", (0.25, 0.05))):
        simulate_pairs(
            out / name, anatomy=phantom, dose_fraction=doses, n=2, lesions=0, complement=True
        )
    return out


def test_what_simulate_pairs_writes_is_found(simulated) -> None:
    """With one dose the fraction is in the sidecar alone; the truth is not looked at."""
    one, two = (find_pairs(simulated / name) for name in ("one", "two"))
    assert [(p.subject, p.low.name, p.dose) for p in one] == [
        (f"0{n}", f"sub-0{n}_pet.nii.gz", 0.1) for n in (1, 2)
    ]
    assert sorted((p.subject, p.dose) for p in two) == [
        ("01", 0.05), ("01", 0.25), ("02", 0.05), ("02", 0.25)
    ]  # fmt: skip
    assert {p.against[0].name for p in two} == {
        "sub-01_desc-full_pet.nii.gz", "sub-02_desc-full_pet.nii.gz"
    }  # fmt: skip


def test_simulated_pairs_are_read_as_suv(simulated) -> None:
    plan = replace(PLAN, edge=8)
    pair = find_pairs(simulated / "one")[0]
    (low, target), about = read_pair(pair, plan, VOXEL)
    assert low.dtype == np.float16 and low.shape == (40, 32, 16)
    liver = np.zeros(low.shape, bool)
    liver[25:27, 14:18, 6:10] = True
    assert 1.0 < low[liver].mean() < 5.0
    assert target[liver].mean() == pytest.approx(low[liver].mean(), rel=0.2)
    assert about["tracer"] and 0.0 <= about["width"] <= 1.6


def test_the_target_on_disk_shares_no_noise_with_the_image_and_the_full_one_does(own) -> None:
    pair = find_pairs(own)[0]
    mean, inside = body(0), body(0) > 0.5
    (low, target), about = read_pair(pair, PLAN, VOXEL)
    (_, full), _ = read_pair(pair, replace(PLAN, nested=False), VOXEL)
    noise = {k: (v.astype(np.float64) - mean)[inside] for k, v in
             {"low": low, "target": target, "full": full}.items()}  # fmt: skip
    n = inside.sum() / 2.0  # the filter correlates neighbours
    assert abs(correlation(noise["low"], noise["target"])) < 4.0 / np.sqrt(n)
    # A full scan holds the noise of its part: their correlation is the root of the fraction.
    assert correlation(noise["low"], noise["full"]) == pytest.approx(np.sqrt(DOSE), abs=0.05)
    ratio = noise["target"].var() / noise["low"].var()
    assert about["ratio"] == pytest.approx(DOSE / (1 - DOSE))
    assert about["ratio"] == pytest.approx(ratio, rel=0.15)
    assert noise["target"].mean() == pytest.approx(0.0, abs=0.01)


def test_a_complement_is_not_cut_off_at_zero() -> None:
    full, low = np.array([1.0, 0.1], np.float32), np.array([0.5, 1.0], np.float32)
    np.testing.assert_allclose(complement(full, low, 0.2), [1.125, -0.125], rtol=1e-6)


def test_splits_teach_each_other(tmp_path) -> None:
    for subject in ("a", "b"):
        for n in (1, 2, 3):
            image = scan(body(0), 1 / 3, np.random.default_rng(n))
            write(tmp_path / f"sub-{subject}_split-{n}_pet.nii.gz", image)
    pairs = find_pairs(tmp_path)
    assert len(pairs) == 6
    first = pairs[0]
    assert first.dose == pytest.approx(1 / 3) and first.ratio(nested=True) == 0.5
    assert first.low not in first.against and len(first.against) == 2
    (low, target), _ = read_pair(first, PLAN, VOXEL)
    inside = body(0) > 0.5
    noise, other = ((v.astype(float) - body(0))[inside] for v in (low, target))
    assert abs(correlation(noise, other)) < 0.06
    assert other.var() / noise.var() == pytest.approx(0.5, rel=0.1)


def _named(folder: Path, *names: str) -> None:
    for name in names:
        write(folder / f"{name}_pet.nii.gz", np.ones((8, 8, 8)))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "holds no pairs of images"),
        (("sub-1_desc-full", "sub-2_desc-full"), "holds no pairs of images"),
        (("sub-1_desc-full", "sub-1_acq-dose0p1"), "holds pairs of one subject, sub-1"),
        (("sub-1_desc-full", "sub-1_acq-low"), "fraction of sub-1_acq-low_pet.nii.gz is unknown"),
        (("sub-1_acq-dose0p1",), "sub-1_acq-dose0p1_pet.nii.gz has no full-dose image"),
        (("sub-1_desc-full", "sub-1_acq-dose0"), "is 0; expected above 0"),
        (("sub-1_desc-full", "sub-1_acq-full", "sub-1_acq-dose0p1"), "has 2 full-dose images"),
        (("sub-1_split-1",), "is the only split"),
        (("sub-1_ses-a_desc-full", "sub-1_ses-b_acq-dose0p1"), "has no full-dose image"),
    ],
)
def test_folders_that_hold_no_pairs(tmp_path, names, words) -> None:
    _named(tmp_path, *names)
    with pytest.raises(InputError, match=words) as error:
        find_pairs(tmp_path)
    assert "\n" not in str(error.value)


def test_fractions_in_sidecars(tmp_path) -> None:
    ones = np.ones((8, 8, 8))
    for n in (1, 2):
        write(tmp_path / f"sub-{n}_run-1_pet.nii.gz", ones, DoseFraction=1)
        write(tmp_path / f"sub-{n}_run-1_acq-dose0p1_pet.nii.gz", ones, DoseFraction=0.1)
    assert [pair.dose for pair in find_pairs(tmp_path)] == [0.1, 0.1]
    write(tmp_path / "sub-1_run-1_acq-dose0p1_pet.nii.gz", ones, DoseFraction=0.2)
    with pytest.raises(InputError, match=r"says dose fraction 0\.1, its sidecar 0\.2"):
        find_pairs(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda full: {"values": full[:, :, :24]}, "on different grids"),
        (lambda full: {"values": full, "voxel": 6.1}, "on different grids"),
        (lambda full: {"values": full / DOSE}, r"holds 0\.(2|199|201) times the SUV"),
        (lambda full: {"values": np.where(full > 3, np.nan, full)}, "NaN"),
        (lambda full: {"values": np.stack([full, full], 3)}, "frames"),
        (lambda full: {"values": full, "Units": "Bq/mL"}, "SUV"),
    ],
)
def test_images_that_do_not_fit_are_refused_and_nothing_is_left(
    own, base, tmp_path, spoil, words
) -> None:
    for n in range(2):
        low, full = nested(body(n), DOSE, n)
        write(tmp_path / f"sub-{n}_acq-dose0p2_pet.nii.gz", low)
        change = spoil(full) if n else {"values": full}
        write(tmp_path / f"sub-{n}_desc-full_pet.nii.gz", **change)
    (tmp_path / "plan.toml").write_text(CONFIG.format(steps=2, rate=1e-3))
    with pytest.raises(InputError, match=words) as error:
        fine_tune_denoiser(tmp_path / "out", tmp_path, bundle=base, config=tmp_path / "plan.toml")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_small_volumes_and_strange_settings_are_refused(own, base, tmp_path) -> None:
    with pytest.raises(InputError, match="expected 48 or more along each axis"):
        read_pair(find_pairs(own)[0], OwnPlan(), VOXEL)
    for field, value in (("edge", 12), ("name", "Own"), ("name", "corpus"), ("steps", 0)):
        with pytest.raises(UsageError, match=field):
            OwnPlan(**{field: value})
