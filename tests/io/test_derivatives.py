"""What is written: names, maps, images, and nothing by halves."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from betaplus.core.errors import OutputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.tracer import Tracer
from betaplus.io.atomic import atomic_path
from betaplus.io.derivatives import (
    bids_label,
    bids_name,
    source_stem,
    write_dataset_description,
    write_image,
    write_json,
    write_map,
    write_table,
)
from betaplus.io.open import load


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("sub-01_pet.nii.gz", "sub-01"),
        ("a/b/sub-01_ses-x_desc-preproc_seg-gtm_tacs.tsv", "sub-01_ses-x_desc-preproc_seg-gtm"),
        ("sub-01_pet.nii", "sub-01"),
        ("sub-01_desc-x.nii.gz", "sub-01_desc-x"),
        ("scan.v2.nii.gz", "scan.v2"),
        ("pet.nii.gz", "pet"),
    ],
)
def test_source_stem(name, stem):
    assert source_stem(name) == stem


def test_names_of_the_contract():
    assert (
        bids_name("sub-01", {"model": "2TCM", "meas": "Ki", "stat": "mean"}, "mimap", ".nii.gz")
        == "sub-01_model-2TCM_meas-Ki_stat-mean_mimap.nii.gz"
    )
    assert (
        bids_name("sub-01_desc-a_rec-b", {"desc": "separated", "trc": "A"}, "pet", ".nii.gz")
        == "sub-01_desc-separated_rec-b_trc-A_pet.nii.gz"
    )
    twice = bids_name("sub-01_desc-a_ses-1_desc-b", {"desc": "c"}, "pet", ".nii.gz")
    assert twice == "sub-01_desc-c_ses-1_pet.nii.gz"
    assert bids_label("map-em") == "mapem"
    for bad in ("map-em", "", "a_b", "é"):
        with pytest.raises(UsageError):
            bids_name("sub-01", {"rec": bad}, "pet", ".nii.gz")
    with pytest.raises(UsageError):
        bids_label("--")


label = st.from_regex(r"[0-9A-Za-z]{1,6}", fullmatch=True)
entities = st.dictionaries(st.sampled_from(["sub", "ses", "desc", "model", "meas", "stat"]), label)


@given(first=entities, second=entities)
def test_an_entity_is_replaced_and_never_repeated(first, second):
    start = bids_name("", first, "pet", ".nii.gz")
    name = bids_name(source_stem(start) if first else "", second, "mimap", ".nii.gz")
    *parts, last = name.split("_")
    assert last == "mimap.nii.gz"
    assert dict(part.split("-") for part in parts) == first | second
    assert [part.split("-")[0] for part in parts] == list(first | second)


def image(shape=(3, 4, 5, 3), **changes):
    data = np.random.default_rng(3).normal(0, 1e5, shape).astype(np.float32)
    affine = np.array([[-2.1, 0.3, 0, 90], [0.3, 2.1, 0, -7.5], [0, 0, 3.3, 11], [0, 0, 0, 1]])
    frames = FrameTiming([-1 / 3, 60.7, 200], [60, 120.1, 300])
    fields = {
        "data": data,
        "affine": affine.astype(np.float32).astype(np.float64),
        "unit": "kBq/mL",
        "frames": frames if shape[-1] == 3 else None,
        "tracer": Tracer.of("C11", 1220.04, "MC1"),
        "decay_corrected_to": 12.25,
        "injection": 3.5,
        "metadata": {"Manufacturer": "x", "DecayFactor": [1, 2, 3], "Units": "Bq/mL"},
    }
    return PetImage(**{**fields, **changes})


@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
@pytest.mark.parametrize("corrected", [None, 0.0, 12.25])
def test_written_image_is_read_back_bit_equal(tmp_path, extension, corrected):
    scan = image(decay_corrected_to=corrected)
    path = tmp_path / "new" / f"sub-01_pet{extension}"
    write_image(path, scan, {"TimeZero": "10:00:00"})
    again = load(path)
    np.testing.assert_array_equal(again.data.read(), scan.data)
    np.testing.assert_array_equal(again.affine, scan.affine)
    assert again.frames == scan.frames and again.tracer == scan.tracer
    for name in ("unit", "decay_corrected_to", "injection"):
        assert getattr(again, name) == getattr(scan, name)
    assert again.remarks == () and again.metadata["Manufacturer"] == "x"
    assert "DecayFactor" not in again.metadata
    assert sorted(p.name for p in path.parent.iterdir()) == ["sub-01_pet.json", path.name]
    write_image(path, again)  # over the file it is read from
    np.testing.assert_array_equal(load(path).data.read(), scan.data)


def test_same_image_gives_the_same_bytes(tmp_path):
    for name in ("a_pet.nii.gz", "b_pet.nii.gz"):
        write_image(tmp_path / name, image())
    assert (tmp_path / "a_pet.nii.gz").read_bytes() == (tmp_path / "b_pet.nii.gz").read_bytes()


def test_map_carries_the_source(tmp_path):
    write_image(tmp_path / "sub-01_pet.nii.gz", image(), {"TimeZero": "10:00:00"})
    source = nibabel.load(tmp_path / "sub-01_pet.nii.gz")
    source.set_sform(source.affine, code=4)
    nibabel.save(source, tmp_path / "sub-01_pet.nii.gz")
    scan = load(tmp_path / "sub-01_pet.nii.gz")
    values = np.linspace(0, 1, 60).reshape(3, 4, 5)
    path = tmp_path / "sub-01_meas-Ki_mimap.nii.gz"
    changes = {
        "Units": "mL/cm3/min",
        "TimeZero": None,
        "betaplus": {"seed": np.int64(3), "limits": np.array([0.5, np.nan]), "from": path},
    }
    write_map(path, values, scan, changes)
    made = nibabel.load(path)
    assert made.get_data_dtype() == np.float32 and made.shape == (3, 4, 5)
    np.testing.assert_array_equal(made.affine, scan.affine)
    assert made.header["sform_code"] == 4
    np.testing.assert_array_equal(made.get_fdata(), values.astype(np.float32))
    fields = json.loads(path.with_name("sub-01_meas-Ki_mimap.json").read_text())
    assert fields["Sources"] == ["sub-01_pet.nii.gz"] and fields["Units"] == "mL/cm3/min"
    assert fields["Manufacturer"] == "x" and fields["TracerRadionuclide"] == "C11"
    assert fields["betaplus"] == {"seed": 3, "limits": [0.5, None], "from": path.name}
    assert not {"FrameTimesStart", "FrameDuration", "TimeZero"} & set(fields)
    with pytest.raises(ValueError, match="map of shape"):
        write_map(path, values[:2], scan, {})


def test_dataset_description_is_added_to(tmp_path):
    (tmp_path / ".bidsignore").write_text("mine/\n")
    write_json(
        tmp_path / "dataset_description.json",
        {"Name": "theirs", "DatasetType": "derivative", "GeneratedBy": [{"Name": "petprep"}]},
    )
    for _ in range(2):
        write_dataset_description(tmp_path, "kinetics")
    fields = json.loads((tmp_path / "dataset_description.json").read_text())
    assert fields["Name"] == "theirs" and fields["DatasetType"] == "derivative"
    assert [item["Name"] for item in fields["GeneratedBy"]] == ["petprep", "betaplus"]
    assert fields["GeneratedBy"][1]["Version"] and fields["BIDSVersion"]
    lines = (tmp_path / ".bidsignore").read_text().splitlines()
    assert lines[0] == "mine/" and len(lines) == len(set(lines))
    assert {"*_mimap.*", "*_kinpar.tsv", "*_report.html", "*_run.json", "*.zarr"} <= set(lines)
    (tmp_path / "dataset_description.json").write_text("{")
    with pytest.raises(OutputError):
        write_dataset_description(tmp_path, "kinetics")


def test_tables(tmp_path):
    columns = {"region": ["a", "b"], "Ki": np.array([0.1, np.nan]), "status": np.array([1, 2])}
    write_table(tmp_path / "x_kinpar.tsv", columns)
    assert (tmp_path / "x_kinpar.tsv").read_text() == ("region\tKi\tstatus\na\t0.1\t1\nb\tn/a\t2\n")
    for bad in ({"a": [1, 2], "b": [1]}, {"a": ["x\ty"]}, {"a": [np.inf]}):
        with pytest.raises(ValueError):
            write_table(tmp_path / "y.tsv", bad)
    assert not (tmp_path / "y.tsv").exists()


def test_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "x" / "y" / "b.txt") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_replaced_whole(tmp_path):
    for content in ("one", "two"):
        with atomic_path(tmp_path / "a.zarr") as temporary:
            temporary.mkdir()
            (temporary / content).write_text(content)
    assert [p.name for p in (tmp_path / "a.zarr").iterdir()] == ["two"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def test_an_output_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "map.nii.gz", tmp_path / "file" / "deep" / "map.nii.gz"):
        with pytest.raises(OutputError, match=r"cannot write .*map\.nii\.gz"):
            write_image(path, image())
    with pytest.raises(OutputError, match="cannot write"):
        write_image(tmp_path / ("x" * 300 + ".nii.gz"), image())
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_the_users_to_mend(tmp_path):
    with pytest.raises(OutputError, match="No space left"), atomic_path(tmp_path / "a") as path:
        path.write_text("half")
        raise OSError(28, "No space left on device")
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a"):
        (tmp_path / "never").read_text()
    assert not list(tmp_path.iterdir())
