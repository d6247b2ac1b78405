"""`betaplus evaluate`: a good run, and bad input that ends with 2, one line and nothing written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.conftest import RunCli
from tests.cli.study import AFFINE, save_nifti, tree

from betaplus.io.tsv import read_table

SHAPE = (12, 11, 9)


class Images:
    """A reference, two images with SDs, labels and a mask on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder.parent / "out"
        rng = np.random.default_rng(0)
        reference = np.zeros(SHAPE, dtype=np.float32)
        reference[2:-2, 2:-2, 1:-1] = 100.0
        labels = np.zeros(SHAPE, dtype=np.int16)
        for label, place in enumerate(((4, 4, 4), (7, 7, 5), (3, 7, 3), (7, 3, 3)), start=1):
            part = tuple(slice(i - 1, i + 1) for i in place)
            labels[part] = label
            reference[part] = {1: 400.0, 2: 0.0}.get(label, 100.0)
        self.voxels = {"truth": reference, "mask": (reference > 200).astype(np.uint8)}
        for k in range(2):
            noise = 10.0 * rng.standard_normal(SHAPE)
            self.voxels[f"rec{k}"] = (0.9 * reference + noise).astype(np.float32)
            self.voxels[f"sd{k}"] = np.full(SHAPE, 10.0, dtype=np.float32)
        self.voxels["labels"] = labels
        folder.mkdir()
        for name, values in self.voxels.items():
            save_nifti(self.path(name), values)
            if name not in ("labels", "mask"):
                self.units(name, "Bq/mL")
        (folder / "labels.tsv").write_text("index\tname\n1\thot\n2\tcold\n3\tback\n4\tbehind\n")

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.nii.gz"

    def units(self, name: str, unit: str) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps({"Units": unit}))

    def arguments(self, *more: object) -> list[object]:
        recs = [self.path("rec0"), self.path("rec1")]
        return ["evaluate", self.path("truth"), *recs, "-o", self.out, *more]

    def edit(self, name: str, change: Callable[[np.ndarray], Any]) -> None:
        values = self.voxels[name].copy()
        changed = change(values)
        save_nifti(self.path(name), values if changed is None else changed)


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(tmp_path / "in")


def test_a_good_run(images: Images, run_cli: RunCli) -> None:
    regions = ["--regions", images.path("labels"), "--background", "back", "--background", "4"]
    std = ["--std", images.path("sd0"), "--std", images.path("sd1")]
    code, out, err = run_cli(*images.arguments(*regions, *std, "--realisations"))
    assert code == 0 and err == ""
    assert out.splitlines()[0].startswith("rec0.nii.gz: NRMSE ")
    assert "over 2 realisations: bias " in out and "remark" not in out
    tables = ("evaluation", "evaluation_regions", "evaluation_realisations")
    found = {path.name for path in images.out.iterdir()}
    assert found == {
        *(f"{name}.{kind}" for name in tables for kind in ("tsv", "json")),
        "truth_evaluate_report.html",
        "truth_evaluate_run.json",
        "dataset_description.json",
        ".bidsignore",
    }
    for name in tables:  # every column is described
        described = json.loads((images.out / f"{name}.json").read_text())
        assert set(read_table(images.out / f"{name}.tsv")) <= set(described)
    run = json.loads((images.out / "truth_evaluate_run.json").read_text())
    assert run["verb"] == "evaluate" and run["unit"] == "Bq/mL" and run["background"]
    assert run["command"].startswith("betaplus evaluate ")
    page = (images.out / "truth_evaluate_report.html").read_text()
    assert page.count('src="data:image/png;base64,') == 1 and page.count("<svg ") == 1
    sections = ("Errors", "Images", "Realisations", "Uncertainty", "Regions", "Settings")
    assert all(f"{heading}</h2>" in page for heading in sections)


def test_quiet_without_report(images: Images, run_cli: RunCli) -> None:
    assert run_cli(*images.arguments("--quiet", "--no-report")) == (0, "", "")
    assert not list(images.out.glob("*.html"))


def test_overwrite_leaves_nothing_of_an_earlier_run(images: Images, run_cli: RunCli) -> None:
    assert run_cli(*images.arguments("--regions", images.path("labels"), "--quiet"))[0] == 0
    assert (images.out / "evaluation_regions.tsv").exists()
    before = tree(images.out)
    code, _, err = run_cli(*images.arguments("--quiet"))
    assert code == 2 and "exists already" in err and "--overwrite" in err
    assert tree(images.out) == before
    assert run_cli(*images.arguments("--quiet", "--no-report", "--overwrite"))[0] == 0
    left = {path.name for path in images.out.iterdir()}
    assert left == {
        "evaluation.tsv",
        "evaluation.json",
        "truth_evaluate_run.json",
        "dataset_description.json",
        ".bidsignore",
    }


def test_help(run_cli: RunCli) -> None:
    code, out, _ = run_cli("evaluate", "--help")
    assert code == 0 and out.startswith("Usage: betaplus evaluate")
    assert "  evaluate " in run_cli("--help")[1]


Spoil = Callable[[Images], Any]
CASES: dict[str, tuple[Spoil, str]] = {}


def case(words: str) -> Callable[[Spoil], Spoil]:
    """Register a way to spoil the input, and what the message must then say."""

    def register(spoil: Spoil) -> Spoil:
        CASES[spoil.__name__] = (spoil, words)
        return spoil

    return register


@case("rec1.nii.gz has shape (12, 11, 8) but the reference truth.nii.gz has (12, 11, 9)")
def another_shape(i: Images) -> None:
    i.edit("rec1", lambda v: v[..., :-1])


@case("rec0.nii.gz lies 4 mm away from the reference")
def another_affine(i: Images) -> None:
    moved = AFFINE.copy()
    moved[0, 3] += 4
    save_nifti(i.path("rec0"), i.voxels["rec0"], moved)


@case("rec0.nii.gz has 3 frames but the reference truth.nii.gz has 1")
def another_number_of_frames(i: Images) -> None:
    i.edit("rec0", lambda v: np.stack([v] * 3, axis=-1))


@case("rec1.nii.gz is in kBq/mL but the reference truth.nii.gz is in Bq/mL")
def another_unit(i: Images) -> None:
    i.units("rec1", "kBq/ml")


@case("sd1.nii.gz is in SUV")
def another_unit_of_an_sd(i: Images) -> list[object]:
    i.units("sd1", "SUV")
    return ["--std", i.path("sd0"), "--std", i.path("sd1")]


@case("rec0.nii.gz holds nan at voxel (5, 5, 5) (1 such voxels)")
def nan_inside(i: Images) -> None:
    i.edit("rec0", lambda v: v.__setitem__((5, 5, 5), np.nan))


@case("rec0.nii.gz holds inf at voxel (6, 6, 4)")
def infinite_in_a_region_outside_the_mask(i: Images) -> list[object]:
    i.edit("rec0", lambda v: v.__setitem__((6, 6, 4), np.inf))  # cold: the reference is 0
    return ["--regions", i.path("labels")]


@case("truth.nii.gz holds nan at voxel (0, 0, 0)")
def nan_in_the_reference(i: Images) -> None:
    i.edit("truth", lambda v: v.__setitem__((0, 0, 0), np.nan))


@case("truth.nii.gz has no voxel above 0")
def reference_of_zeros(i: Images) -> None:
    i.edit("truth", lambda v: v.fill(0))


@case("mask.nii.gz is 0 everywhere")
def empty_mask(i: Images) -> list[object]:
    i.edit("mask", lambda v: v.fill(0))
    return ["--mask", i.path("mask")]


@case("mask.nii.gz has shape (12, 11, 8)")
def mask_of_another_grid(i: Images) -> list[object]:
    i.edit("mask", lambda v: v[..., 1:])
    return ["--mask", i.path("mask")]


@case("truth.nii.gz is 0 throughout the mask")
def mask_where_nothing_is(i: Images) -> list[object]:
    i.edit("mask", lambda v: (i.voxels["truth"] == 0).astype(np.uint8))
    return ["--mask", i.path("mask")]


@case("--std is given 1 times for 2 images")
def one_sd_for_two(i: Images) -> list[object]:
    return ["--std", i.path("sd0")]


@case("sd0.nii.gz holds -1 in the mask")
def sd_below_0(i: Images) -> list[object]:
    i.edit("sd0", lambda v: v.__setitem__((5, 5, 5), -1))
    return ["--std", i.path("sd0"), "--std", i.path("sd1")]


@case("sd1.nii.gz holds nan at voxel (5, 5, 5)")
def sd_of_nan(i: Images) -> list[object]:
    i.edit("sd1", lambda v: v.__setitem__((5, 5, 5), np.nan))
    return ["--std", i.path("sd0"), "--std", i.path("sd1")]


@case("labels.nii.gz holds fractions")
def labels_with_fractions(i: Images) -> list[object]:
    save_nifti(i.path("labels"), (i.voxels["labels"] / 2).astype(np.float32))
    return ["--regions", i.path("labels")]


@case("--background without --regions")
def background_without_regions(i: Images) -> list[object]:
    return ["--background", "3"]


@case("--background liver is no label of labels.nii.gz; expected a label or its name, such as 1")
def unknown_background(i: Images) -> list[object]:
    return ["--regions", i.path("labels"), "--background", "liver"]


@case("an image is given twice")
def the_same_image_twice(i: Images) -> list[object]:
    return [i.path("rec0")]


@case("does not exist")
def missing_image(i: Images) -> None:
    i.path("rec1").unlink()


@case("is a folder; expected a NIfTI file")
def folder_as_an_image(i: Images) -> None:
    i.path("rec1").unlink()
    i.path("rec1").mkdir()


@case("rec1.nii.gz is truncated")
def truncated_image(i: Images) -> None:
    plain = gzip.decompress(i.path("rec1").read_bytes())
    i.path("rec1").write_bytes(gzip.compress(plain[:-200]))


@case("is not a readable NIfTI file")
def text_as_an_image(i: Images) -> None:
    i.path("rec1").write_bytes(gzip.compress(b"no image" * 100))


@case("truth.json is not valid JSON")
def broken_sidecar(i: Images) -> None:
    (i.folder / "truth.json").write_text("{")


@case("out is a file; expected a folder")
def out_is_a_file(i: Images) -> None:
    i.out.write_text("")


@case("dataset_description.json is not valid JSON")
def broken_description(i: Images) -> None:
    i.out.mkdir()
    (i.out / "dataset_description.json").write_text("{")


@case("No such option")
def unknown_option(i: Images) -> list[object]:
    return ["--steps", "4"]


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name: str, images: Images, run_cli: RunCli) -> None:
    spoil, words = CASES[name]
    more = spoil(images) or []
    before = tree(images.folder.parent)
    code, out, err = run_cli(*images.arguments(*more))
    assert code == 2 and out == ""
    assert err.startswith("betaplus: error: ") and err.count("\n") == 1 and err.endswith("\n")
    assert words in err
    assert tree(images.folder.parent) == before


def test_realisations_need_two(images: Images, run_cli: RunCli) -> None:
    arguments = ["evaluate", images.path("truth"), images.path("rec0"), "-o", images.out]
    code, _, err = run_cli(*arguments, "--realisations")
    assert code == 2 and "--realisations with one image" in err and err.count("\n") == 1
    code, _, err = run_cli("evaluate", images.path("truth"), "-o", images.out)
    assert code == 2 and "IMAGE" in err and err.count("\n") == 1
    assert not images.out.exists()


def test_a_failing_report_leaves_nothing(
    images: Images, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    import betaplus.report.evaluate
    from betaplus.core.errors import OutputError

    def fail(*_: object) -> None:
        raise OutputError("disk full")

    monkeypatch.setattr(betaplus.report.evaluate, "evaluate_report", fail)
    assert run_cli(*images.arguments("--quiet"))[0] == 2
    assert not images.out.exists()
