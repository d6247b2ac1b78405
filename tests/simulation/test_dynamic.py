"""The whole scan: frame means, noise, determinism, and files that load."""

from __future__ import annotations

import contextlib
import json

import nibabel
import numpy as np
import pytest
import torch

import betaplus
from betaplus.core.errors import OutputError, UsageError
from betaplus.io.tsv import read_table
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse
from betaplus.simulation.dynamic import draw_dynamic, simulate_dynamic
from betaplus.simulation.noise import noise_sd


@pytest.fixture(scope="module")
def scan():
    with _threads(1):
        return draw_dynamic(seed=3)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("dynamic") / "out"
    with _threads(2):
        paths = simulate_dynamic(out, seed=3)
        assert torch.get_num_threads() == 2
    return out, paths


@pytest.fixture(scope="module")
def reversible():
    return draw_dynamic(seed=4, tracer="PBR28", noise=0.0, partial_volume=6.0)


@contextlib.contextmanager
def _threads(number):
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _by_integration(scan, voxel):
    """Frame means by brute force: fine steps, trapezoid rule, no closed form."""
    p = {name: float(values[voxel]) for name, values in scan.maps.items()}
    frames = scan.profile.frames
    curve = scan.blood.curve(float(frames.end[-1]))
    step = 0.05
    t = np.arange(0, frames.end[-1] + step / 2, step)
    shifted = t - scan.delay
    cp = np.interp(shifted, curve.time, curve.plasma, left=0.0)
    blood = np.interp(shifted, curve.time, curve.whole_blood, left=0.0)
    C1 = C2 = 0.0
    tissue = np.empty_like(t)
    K1, k2, k3, k4 = (p[k] / 60 for k in ("K1", "k2", "k3", "k4"))
    for i in range(t.size):
        tissue[i] = C1 + C2
        if i + 1 == t.size:
            break
        mid = 0.5 * (cp[i] + cp[i + 1])
        d1, d2 = K1 * mid - (k2 + k3) * C1 + k4 * C2, k3 * C1 - k4 * C2
        H1, H2 = C1 + 0.5 * step * d1, C2 + 0.5 * step * d2
        C1 += step * (K1 * mid - (k2 + k3) * H1 + k4 * H2)
        C2 += step * (k3 * H1 - k4 * H2)
    total = ((1 - p["VB"]) * tissue + p["VB"] * blood) * np.exp(
        -scan.profile.tracer.decay_constant * t
    )
    means = []
    for start, end in zip(frames.start, frames.end, strict=True):
        i, j = round(start / step), round(end / step)
        means.append(np.trapezoid(total[i : j + 1], dx=step) / (end - start))
    return np.array(means) * frames.decay_factors(scan.profile.tracer.half_life)


def test_frame_means_agree_with_integration_by_small_steps(scan):
    label = next(i for i, name in scan.phantom.names.items() if name == "Putamen")
    voxel = tuple(np.argwhere(scan.phantom.labels == label)[5])
    expected = _by_integration(scan, voxel)
    assert scan.clean[voxel] == pytest.approx(expected, abs=1e-4 * expected.max())


def test_noise_has_the_model_s_sd(scan):
    frames, half_life = scan.profile.frames, scan.profile.tracer.half_life
    response = InputResponse(scan.blood.curve(float(frames.end[-1])), frames, half_life)
    sd = noise_sd(scan.clean, 5.0, noise_gain(frames, half_life), noise_floor(response))
    head = scan.phantom.labels > 0
    z = ((scan.image - scan.clean) / sd)[head]
    # neighbours at 4.5 mm correlate a little: fewer independent voxels than there are
    assert z.std(axis=0) == pytest.approx(1, abs=0.03)
    assert z.mean(axis=0) == pytest.approx(0, abs=0.04)
    assert z.std() == pytest.approx(1, abs=0.005)
    assert not scan.image[~head].any()
    assert scan.image[head].any(axis=-1).all()


def test_a_tenth_of_the_dose_is_the_same_scan_with_more_noise(scan):
    low = draw_dynamic(seed=3, dose_fraction=0.1)
    assert np.array_equal(low.clean, scan.clean)
    head = scan.phantom.labels > 0
    ratio = (low.image - low.clean)[head].std() / (scan.image - scan.clean)[head].std()
    assert ratio == pytest.approx(np.sqrt(10), rel=1e-3)


def test_bit_equal_on_another_number_of_threads(written, scan):
    _, paths = written
    assert np.array_equal(betaplus.load(paths["pet"]).data[...], scan.image)
    assert np.array_equal(betaplus.load(paths["truth/pet"]).data[...], scan.clean)


def test_a_zarr_study_is_the_same_and_replaces_the_other(tmp_path, scan):
    out = tmp_path / "out"
    (out / "truth").mkdir(parents=True)
    for name in ("sub-01_pet.nii.gz", "sub-01_pet.json", "truth/sub-01_pet.nii.gz"):
        (out / name).write_text("of an earlier simulation")
    with pytest.raises(OutputError, match=r"sub-01_pet\.nii\.gz exists"):
        simulate_dynamic(out, seed=3, format="zarr")
    paths = simulate_dynamic(out, seed=3, format="zarr", overwrite=True)
    assert paths["pet"].name == paths["truth/pet"].name == "sub-01_pet.zarr"
    assert all(path.exists() for path in paths.values())
    assert not list(out.rglob("*_pet.nii.gz")) and not list(out.rglob("*_pet.json"))
    image, truth = betaplus.load(paths["pet"]), betaplus.load(paths["truth/pet"])
    assert np.array_equal(image.data[...], scan.image)
    assert np.array_equal(truth.data[...], scan.clean)
    assert image.frames == scan.profile.frames and not image.remarks
    assert image.tracer.name == "FDG" and image.metadata["ReconMethodName"] == "simulated"
    with pytest.raises(OutputError, match=r"sub-01_pet\.zarr exists"):
        simulate_dynamic(out, seed=3)
    simulate_dynamic(out, seed=3, overwrite=True)
    assert not list(out.rglob("*.zarr"))


def test_seeds_differ_in_everything(scan, reversible):
    assert not np.array_equal(reversible.phantom.labels, scan.phantom.labels)
    assert reversible.delay != scan.delay
    K1 = [np.unique(s.maps["K1"][s.phantom.labels == 5]) for s in (scan, reversible)]
    assert not np.isin(*K1).any()


def test_c11_scan_reverses_and_resolution_blurs_only_the_image(scan, reversible):
    blurred = reversible
    cortex = blurred.phantom.labels == 6
    assert blurred.image[cortex, -1].mean() < 0.97 * blurred.clean[cortex, -1].mean()
    head = blurred.phantom.labels > 0
    lost = 1 - blurred.image[head].sum() / blurred.clean[head].sum()
    assert 0 < lost < 0.1  # over the edge of the head
    curve = blurred.clean[cortex].mean(axis=0)
    assert curve[-1] < 0.75 * curve.max()
    assert (
        scan.clean[scan.phantom.labels == 6].mean(axis=0).argmax() == len(scan.profile.frames) - 1
    )


def test_files_load_as_they_were_simulated(written, scan):
    out, paths = written
    image = betaplus.load(paths["pet"])
    assert not image.remarks
    assert image.unit == "Bq/mL" and image.decay_corrected_to == 0.0 and image.injection == 0.0
    assert image.tracer.radionuclide == "F18" and image.tracer.name == "FDG"
    assert image.frames == scan.profile.frames
    assert np.array_equal(image.data[...], scan.image)
    assert np.array_equal(betaplus.load(paths["truth/pet"]).data[...], scan.clean)
    blood = betaplus.load_blood(paths["blood"])
    assert np.array_equal(blood.plasma, scan.blood.plasma)
    assert np.array_equal(blood.whole_blood, scan.blood.whole_blood)
    labels = np.asarray(nibabel.load(paths["dseg"]).dataobj)
    assert labels.dtype == np.uint8 and np.array_equal(labels, scan.phantom.labels)
    lookup = read_table(paths["labels"])
    assert dict(zip(map(int, lookup["index"]), lookup["name"], strict=True)) == scan.phantom.names
    tacs = betaplus.load_tacs(paths["tacs"])
    thalamus = scan.phantom.labels == 12
    assert tacs.values[tacs.names.index("Thalamus")] == pytest.approx(
        scan.image[thalamus].mean(axis=0, dtype=np.float64)
    )
    assert all(path.exists() for path in paths.values())
    assert not list(out.rglob(".tmp*"))


def test_truth_maps_belong_together(written, scan):
    _, paths = written
    maps = {p: nibabel.load(paths[f"truth/{p}"]) for p in ("K1", "k2", "k3", "k4", "VB", "Ki")}
    head = scan.phantom.labels > 0
    values = {p: np.asarray(m.dataobj)[head].astype(np.float64) for p, m in maps.items()}
    Ki = values["K1"] * values["k3"] / (values["k2"] + values["k3"])
    assert values["Ki"] == pytest.approx(Ki, rel=1e-5)
    assert np.array_equal(values["VB"], scan.maps["VB"][head].astype(np.float32))
    assert np.array_equal(maps["K1"].affine, nibabel.load(paths["pet"]).affine)
    assert paths["truth/Ki"].name == "sub-01_model-2TCM_meas-Ki_mimap.nii.gz"
    told = json.loads(paths["truth/simulation"].read_text())
    assert told["delay"] == scan.delay and told["noise_at_dose"] == 5.0 and told["seed"] == 3
    truth = read_table(paths["truth/kinpar"])
    grey = dict(zip(truth["region"], map(float, truth["Ki"]), strict=True))
    assert 0.02 < grey["FrontalCortex"] < 0.08


def test_required_fields_of_pet_bids_are_there(written):
    _, paths = written
    fields = json.loads(paths["pet"].with_name("sub-01_pet.json").read_text())
    required = (
        "Manufacturer ManufacturersModelName Units TracerName TracerRadionuclide"
        " InjectedRadioactivity InjectedRadioactivityUnits InjectedMass InjectedMassUnits"
        " SpecificRadioactivity SpecificRadioactivityUnits ModeOfAdministration TimeZero ScanStart"
        " InjectionStart FrameTimesStart FrameDuration AcquisitionMode ImageDecayCorrected"
        " ImageDecayCorrectionTime ReconMethodName ReconMethodParameterLabels"
        " ReconMethodParameterUnits ReconMethodParameterValues ReconFilterType"
        " AttenuationCorrection"
    )
    assert [name for name in required.split() if name not in fields] == []
    assert len(fields["FrameDuration"]) == 35 and sum(fields["FrameDuration"]) == 3000


def test_an_earlier_simulation_is_kept_and_mistakes_write_nothing(written, tmp_path):
    out, _ = written
    with pytest.raises(OutputError, match=r"sub-01_pet\.nii\.gz exists"):
        simulate_dynamic(out)
    for mistake in (
        {"tracer": "XYZ"},
        {"size": "huge"},
        {"format": "mat"},
        {"dose_fraction": 0.0},
        {"noise": -1.0},
    ):
        with pytest.raises(UsageError):
            simulate_dynamic(tmp_path / "new", **mistake)
    assert not (tmp_path / "new").exists()
