"""The procedural head: sizes of its parts, symmetry, and that a seed is a head."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.simulation.anatomy import LABELS, Anatomy, Space
from betaplus.simulation.brain import SIZES, make_brain

# Wide ranges of adult volumes [mL].
VOLUMES = {
    "cortex": (350, 750),
    "WhiteMatter": (350, 650),
    "Ventricles": (6, 50),
    "Caudate": (4, 12),
    "Putamen": (4, 13),
    "Thalamus": (4, 18),
    "cerebellum": (90, 170),
    "Brainstem": (15, 45),
}


@pytest.fixture(scope="module")
def phantom():
    return make_brain("small", 0)


def _volumes(phantom):
    count = {name: int((phantom.labels == i).sum()) for i, name in phantom.names.items()}
    volume = {name: n * phantom.voxel**3 / 1000 for name, n in count.items()}
    lobes = ("Frontal", "Parietal", "Temporal", "Occipital")
    volume["cortex"] = sum(volume[f"{lobe}Cortex"] for lobe in lobes)
    volume["cerebellum"] = volume["CerebellarCortex"] + volume["CerebellarWhite"]
    return volume


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_volumes_are_those_of_an_adult(seed):
    volume = _volumes(make_brain("small", seed))
    for name, (low, high) in VOLUMES.items():
        assert low < volume[name] < high, (name, volume[name])


def test_every_region_is_there_and_air_surrounds_the_head(phantom):
    assert phantom.names == LABELS
    assert phantom.labels.shape == SIZES["small"][0]
    for border in (phantom.labels[0], phantom.labels[-1], phantom.labels[:, 0]):
        assert not border.any()
    assert not phantom.labels[:, :, -1].any()


def test_centre_of_the_grid_is_where_the_affine_says(phantom):
    centre = phantom.affine @ [*((np.array(phantom.labels.shape) - 1) / 2), 1.0]
    assert centre[:3] == pytest.approx([0.0, -14.0, 15.0])


def test_sides_are_alike_but_not_equal(phantom):
    brain = (phantom.labels >= 4) & (phantom.labels <= 15)
    mirrored = brain[::-1]
    dice = 2 * (brain & mirrored).sum() / (brain.sum() + mirrored.sum())
    assert dice > 0.9
    assert (phantom.labels != phantom.labels[::-1]).any()


def test_cortex_is_a_ribbon_outside_white_matter(phantom):
    from scipy.ndimage import distance_transform_edt

    brain = (phantom.labels >= 4) & (phantom.labels <= 15)
    depth = distance_transform_edt(brain) * phantom.voxel
    cortex = (phantom.labels >= 6) & (phantom.labels <= 9)
    assert np.median(depth[cortex]) < np.median(depth[phantom.labels == 5])


def test_same_seed_same_head_other_seed_other_head(phantom):
    assert np.array_equal(make_brain("small", 0).labels, phantom.labels)
    assert (make_brain("small", 1).labels != phantom.labels).mean() > 0.02


def test_anatomy_does_not_depend_on_the_field_of_view():
    axis = np.arange(-40, 41, 4, dtype=np.float32)
    wide = np.meshgrid(axis, axis, axis, indexing="ij")
    narrow = [c[2:-2, 2:-2, 2:-2] for c in wide]
    whole = Anatomy(5).labels(Space(*wide, 4.0))[2:-2, 2:-2, 2:-2]
    part = Anatomy(5).labels(Space(*narrow, 4.0))
    nuclei = [i for i, name in LABELS.items() if name in ("Caudate", "Putamen", "Thalamus")]
    assert np.array_equal(np.isin(whole, nuclei), np.isin(part, nuclei))
    assert np.isin(part, nuclei).any()


@pytest.mark.parametrize("planes", [3, 7, 32])
def test_labels_do_not_depend_on_how_many_planes_are_made_at_a_time(phantom, monkeypatch, planes):
    monkeypatch.setattr("betaplus.simulation.brain._SLAB", planes)
    assert np.array_equal(make_brain("small", 0).labels, phantom.labels)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2])
def test_a_large_head_has_a_million_voxels(seed):
    large = make_brain("large", seed)
    assert 1_000_000 < (large.labels > 0).sum() < 1_400_000
    full = make_brain("full", seed)
    at = np.argwhere(full.labels > 0)[::97]
    world = at @ full.affine[:3, :3].T + full.affine[:3, 3]
    near = np.rint((world - large.affine[:3, 3]) / large.voxel).astype(int)
    same = large.labels[tuple(near.T)] == full.labels[tuple(at.T)]
    assert same.mean() > 0.8  # the same head: they differ at the edges of regions only
    for border in (large.labels[0], large.labels[-1], large.labels[:, 0], large.labels[:, :, -1]):
        assert not border.any()


def test_unknown_size_is_named():
    with pytest.raises(UsageError, match="'huge' is unknown"):
        make_brain("huge", 0)
