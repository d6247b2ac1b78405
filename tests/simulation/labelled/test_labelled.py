"""A user's label images: FreeSurfer's and TotalSegmentator's names, tables beside, real files."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.simulation.labelled import read_anatomy, read_tissue_maps, region_of
from betaplus.simulation.labelled import totalsegmentator as total
from betaplus.simulation.static import draw_static

AFFINE = np.array([[-2.0, 0, 0, 90], [0, 0, 2.0, -80], [0, -2.0, 0, 60], [0, 0, 0, 1]])
# Of FreeSurferColorLUT.txt, with the region that each must become.
FREESURFER = {
    2: ("Left-Cerebral-White-Matter", "WhiteMatter"), 12: ("Left-Putamen", "Putamen"),
    51: ("Right-Putamen", "Putamen"), 4: ("Left-Lateral-Ventricle", "Ventricles"),
    16: ("Brain-Stem", "Brainstem"), 47: ("Right-Cerebellum-Cortex", "CerebellarCortex"),
    253: ("CC_Central", "WhiteMatter"), 1028: ("ctx-lh-superiorfrontal", "FrontalCortex"),
    2030: ("ctx-rh-superiortemporal", "TemporalCortex"), 1021: ("ctx-lh-pericalcarine",
    "OccipitalCortex"), 2025: ("ctx-rh-precuneus", "ParietalCortex"),
    49: ("Right-Thalamus", "Thalamus"),
}  # fmt: skip


def _save(path: Path, labels: list[int], affine: np.ndarray = AFFINE) -> Path:
    """Write a label image in which each label has 12 x 12 x 4 voxels."""
    blocks = np.repeat(np.array(labels, dtype=np.int32), 4)
    volume = np.broadcast_to(blocks, (12, 12, blocks.size)).copy()
    nibabel.save(nibabel.Nifti1Image(volume, affine), path)
    return path


def test_freesurfer_indices_become_regions(tmp_path: Path) -> None:
    path = _save(tmp_path / "sub-01_dseg.nii.gz", [0, *FREESURFER])
    phantom = read_anatomy(path)
    assert phantom.affine == pytest.approx(AFFINE)
    for k, (name, region) in enumerate(FREESURFER.values(), start=1):
        assert phantom.names[int(phantom.labels[0, 0, 4 * k])] == region == region_of(name)
    assert not phantom.labels[:, :, :4].any()
    scan = draw_static(phantom, "FDG", 1, lesions=0)
    assert scan.activity[:, :, :4].max() == 0 < scan.activity[:, :, 4:].min()


def test_totalsegmentator_names_are_all_known(reference_data: Path) -> None:
    official = reference_data / "body_totalsegmentator" / "labels_total.json"
    if not official.exists():
        pytest.skip("no body_totalsegmentator")
    assert {int(k): v for k, v in json.loads(official.read_text()).items()} == total.INDICES
    regions = {name: region_of(name) for name in total.INDICES.values()}
    assert all(regions.values())
    assert regions["kidney_left"] == "KidneyCortex"
    assert regions["urinary_bladder"] == "Bladder"
    assert regions["rib_left_7"] == regions["vertebrae_T12"] == "RedMarrow"


def test_a_real_abdomen_becomes_a_phantom_and_is_painted(reference_data: Path) -> None:
    folder = reference_data / "body_totalsegmentator"
    path = folder / "example_seg_fast_force_split.nii.gz"
    if not path.exists():
        pytest.skip("no body_totalsegmentator")
    phantom = read_anatomy(path)
    file = nibabel.load(path)
    stored = np.asarray(file.dataobj)
    by_name = {name: label for label, name in phantom.names.items()}
    kidneys = np.isin(stored, [2, 3])
    assert np.array_equal(phantom.labels == by_name["KidneyCortex"], kidneys)
    assert np.array_equal(phantom.labels == 0, stored == 0)
    scan = draw_static(phantom, "PSMA", 2, lesions=3)
    assert scan.activity[kidneys].mean() > 10 * scan.activity[stored == 5].mean() / 3
    assert len(scan.lesions) == 3


@pytest.mark.parametrize("kind", ["tsv", "json"])
def test_a_table_beside_comes_before_indices(tmp_path: Path, kind: str) -> None:
    path = _save(tmp_path / "sub-01_dseg.nii.gz", [0, 2, 5])
    names = {2: "liver", 5: "CerebellarCortex", 9: "never there"}
    if kind == "tsv":
        rows = "".join(f"{i}\t{n}\n" for i, n in names.items())
        (tmp_path / "sub-01_dseg.tsv").write_text("index\tname\n" + rows)
    else:
        (tmp_path / "sub-01_dseg.json").write_text(json.dumps(names))
    assert set(read_anatomy(path).names.values()) == {"Liver", "CerebellarCortex"}


@pytest.mark.parametrize(
    ("labels", "table", "words"),
    [
        ([0, 2, 5], "2\tliver\n5\tfoot\n", r"names in .* are unknown: foot; expected FreeSurfer's"),
        ([0, 2, 5], "2\tliver\n", r"labels 5 of sub-01_dseg\.nii\.gz have no name"),
        ([0, 2, 5], "2\tliver\nx\tfoot\n", r"index 'x' in sub-01_dseg\.tsv is no whole number"),
        ([0, 7, 8], None, r"labels 7, 8 of .* have no names; .* both fit; give sub-01_dseg\.tsv"),
        ([0, 11101], None, r"labels 11101 of .* have no names"),
        ([0], None, r"is 0 everywhere"),
    ],
)
def test_what_cannot_be_known_is_named_never_guessed(tmp_path, labels, table, words) -> None:
    path = _save(tmp_path / "sub-01_dseg.nii.gz", labels)
    if table is not None:
        (tmp_path / "sub-01_dseg.tsv").write_text("index\tname\n" + table)
    with pytest.raises(InputError, match=words):
        read_anatomy(path)


def test_fractions_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "sub-01_dseg.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.full((4, 4, 4), 0.5, np.float32), AFFINE), path)
    with pytest.raises(InputError, match="fractions"):
        read_anatomy(path)


def test_each_voxel_of_tissue_maps_is_its_likeliest_tissue(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(4), size=(6, 7, 8))
    shares[0, 0, 0] = (0, 1, 0, 0)  # so that the scale is that of the largest
    paths = []
    for k, name in enumerate(("GM", "WM", "CSF"), start=1):
        paths.append(tmp_path / f"{name}.nii.gz")
        values = (255 * shares[..., k]).round().astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(values, AFFINE), paths[-1])
    phantom = read_tissue_maps(*paths)
    assert phantom.names == {1: "GreyMatter", 2: "WhiteMatter", 3: "CSF"}
    clear = np.sort(shares, axis=-1)[..., -1] - np.sort(shares, axis=-1)[..., -2] > 0.02
    assert np.array_equal(phantom.labels[clear], shares.argmax(axis=-1)[clear])
    shifted = tmp_path / "shifted.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((6, 7, 8), np.uint8), 2 * AFFINE), shifted)
    with pytest.raises(InputError, match="different grids"):
        read_tissue_maps(paths[0], shifted)


def test_the_icbm_templates_become_a_brain(reference_data: Path) -> None:
    folder = reference_data / "brain_icbm152"
    maps = [folder / f"mni_icbm152_{t}_tal_nlin_sym_09a_converted.nii.gz" for t in ("gm", "wm")]
    if not all(m.exists() for m in maps):
        pytest.skip("no brain_icbm152")
    phantom = read_tissue_maps(*maps)
    grey, white = ((phantom.labels == i).sum() / 1000 for i in (1, 2))
    assert 700 < grey < 1200 and 450 < white < 750  # mL, of a template larger than most brains
