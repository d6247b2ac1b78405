"""Lesions: size, contrast and place against what was asked for and against geometry."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.simulation.body.regions import BODY_LABELS
from betaplus.simulation.lesions import SITES, Site, add_lesions, draw_number, paint_lesions
from betaplus.simulation.lesions.shape import cover, draw_shape
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.uptake import paint

INDEX = {name: label for label, name in BODY_LABELS.items()}
ONLY_LIVER = {"liver": Site(hosts=("Liver",))}


@pytest.fixture(scope="module")
def block() -> Phantom:
    """A block of fat with a liver, lungs, marrow and an aorta."""
    labels = np.full((70, 60, 80), INDEX["Fat"], dtype=np.uint8)
    labels[:3] = 0
    labels[5:65, 5:55, 5:40] = INDEX["Liver"]
    labels[5:65, 5:30, 42:75] = INDEX["Lungs"]
    labels[5:25, 32:55, 42:75] = INDEX["RedMarrow"]
    labels[44:48, 40:44, 42:75] = INDEX["Aorta"]
    names = {INDEX[n]: n for n in ("Fat", "Liver", "Lungs", "RedMarrow", "Aorta")}
    return Phantom(labels, np.diag([4.0, 4.0, 4.0, 1.0]), names)


def _many(block: Phantom, **settings: object) -> list:
    return [x for seed in range(12) for x in add_lesions(block, seed, 5, **settings)[1]]


@pytest.mark.parametrize("lumpy", [False, True])
def test_a_shape_fills_the_volume_of_its_diameter(lumpy):
    phantom = Phantom(np.ones((30, 30, 30), np.uint8), np.diag([3.0, 3, 3, 1]), {1: "Liver"})
    volumes = []
    for seed in range(40):
        shape = draw_shape(np.array([45.0, 43.0, 44.0]), 30.0, True, np.random.default_rng(seed))
        if (shape.lumps > 0) == lumpy:
            _, share, dead = cover(shape, phantom)
            volumes.append((share + dead).sum() * 27)
            within = 0.05 if shape.lumps == 0 else 0.8
            assert dead.sum() == pytest.approx(shape.core**3 * (share + dead).sum(), rel=within)
    sphere = np.pi / 6 * 30**3
    assert np.mean(volumes) / sphere == pytest.approx(1.0, abs=0.15 if lumpy else 0.01)
    assert (np.std(volumes) / sphere > 0.05) == lumpy


def test_lesions_lie_in_their_hosts_and_do_not_overlap(block):
    for seed in range(5):
        phantom, lesions = add_lesions(block, seed, 12)
        ill = phantom.labels == INDEX["Lesion"]
        assert ill.any() and phantom.names[INDEX["Lesion"]] == "Lesion"
        assert np.array_equal(phantom.labels[~ill], block.labels[~ill])
        held = np.concatenate(
            [lesion.voxels[lesion.share + lesion.dead > 0.5] for lesion in lesions]
        )
        assert np.array_equal(np.sort(held), np.flatnonzero(ill))  # no voxel of two lesions
        for lesion in lesions:
            at = tuple(np.rint(np.array(lesion.centre) / 4).astype(int))
            assert block.names[int(block.labels[at])] == lesion.host
            assert lesion.host in SITES[lesion.site].hosts
            allowed = (lesion.host, *SITES[lesion.site].hosts, *SITES[lesion.site].within)
            found = {
                block.names.get(int(v), "air") for v in block.labels.reshape(-1)[lesion.voxels]
            }
            assert found <= set(allowed)


def test_nodes_lie_along_vessels(block):
    axis = np.array([46.0, 42.0]) * 4 - 2
    nodes = [x for x in _many(block) if x.site == "node"]
    assert nodes
    for node in nodes:
        away = np.linalg.norm(np.array(node.centre)[:2] - axis)
        assert away < 22 + 4 * 2 * np.sqrt(2) + 4


def test_diameter_and_contrast_are_log_uniform_and_within_bounds(block):
    lesions = _many(block, sites=ONLY_LIVER, contrast=(2.0, 20.0))
    diameter = np.array([x.diameter for x in lesions])
    contrast = np.array([x.contrast for x in lesions])
    assert 4 < diameter.min() < 8 and 30 < diameter.max() < 48
    assert np.median(diameter) == pytest.approx(np.sqrt(6 * 40), rel=0.25)
    assert np.median(contrast) == pytest.approx(np.sqrt(2 * 20), rel=0.25)
    assert contrast.min() >= 2 and contrast.max() <= 20
    cores = [x for x in lesions if x.core is not None]
    assert cores and all(x.dead.sum() > 0 for x in cores)


def test_cold_lesions_and_the_ceiling(block):
    cold = {"liver": Site(hosts=("Liver",), cold=1.0)}
    assert all(0.05 <= x.contrast <= 0.5 for x in _many(block, sites=cold))
    hot = _many(block, sites=ONLY_LIVER, contrast=(2.0, 20.0), uptake={"Liver": 5.0}, ceiling=40.0)
    assert max(x.contrast for x in hot) <= 8.0


def test_painted_uptake_is_the_contrast_times_the_surroundings(block):
    uptake = {"Fat": 0.3, "Liver": 2.0, "Lungs": 0.5, "RedMarrow": 1.5, "Aorta": 1.7}
    image = paint(block, uptake, 0, amount=0.0)
    _, lesions = add_lesions(block, 1, 8)
    painted = paint_lesions(image, block, lesions)
    before, after = image.reshape(-1), painted.reshape(-1)
    assert np.array_equal(np.flatnonzero(before != after),
                          np.sort(np.concatenate([x.voxels for x in lesions])))  # fmt: skip
    for lesion in lesions:
        whole = lesion.voxels[lesion.share > 0.999]
        expected = lesion.contrast * uptake[lesion.host]
        assert after[whole] == pytest.approx(expected, rel=1e-5)
        mixed = lesion.share * expected + (1 - lesion.share - lesion.dead) * before[lesion.voxels]
        mixed += lesion.dead * (lesion.core or 0.0) * uptake[lesion.host]
        assert after[lesion.voxels] == pytest.approx(mixed, rel=1e-5)


def test_numbers_vary_and_a_seed_is_a_set_of_lesions(block):
    numbers = [draw_number(block, seed) for seed in range(400)]
    assert min(numbers) == 0 and max(numbers) == 15
    few, many = add_lesions(block, 3, 2)[1], add_lesions(block, 3, 6)[1]
    assert [x.centre for x in few] == [x.centre for x in many[:2]]
    head = Phantom(
        block.labels, block.affine, {1: "WhiteMatter", **{k: "CSF" for k in range(2, 34)}}
    )
    assert np.mean([draw_number(head, seed) == 0 for seed in range(400)]) > 0.6
    same, none = add_lesions(block, 0, 0)
    assert same is block and none == ()
    with pytest.raises(UsageError, match="16 lesions; expected 0 to 15"):
        add_lesions(block, 0, 16)


def test_names_are_of_labels_that_are_there(block):
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:18, 2:18, 2:18] = INDEX["Liver"]
    labels[9, 9, 9] = INDEX["Gallbladder"]
    names = {INDEX["Liver"]: "Liver", INDEX["Gallbladder"]: "Gallbladder"}
    site = {"all": Site(hosts=("Liver", "Gallbladder"), diameter=(6.0, 60.0))}
    for seed in range(8):
        for edge in (4.0, 20.0):  # in the coarser grid small lesions fill no voxel
            phantom = Phantom(labels, np.diag([edge, edge, edge, 1.0]), names)
            ill, lesions = add_lesions(phantom, seed, 3, sites=site)
            assert set(ill.names) == set(np.unique(ill.labels).tolist()) - {0}
            assert lesions
