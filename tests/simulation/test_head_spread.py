"""How heads differ: the usual ones stay as they are, a population spreads as people do."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.simulation.anatomy import Anatomy
from betaplus.simulation.brain import SIZES, make_brain
from betaplus.simulation.head_spread import POPULATION, USUAL, draw_shape

BRAIN = {
    "WhiteMatter", "FrontalCortex", "ParietalCortex", "TemporalCortex", "OccipitalCortex",
    "Caudate", "Putamen", "Thalamus", "CerebellarCortex", "CerebellarWhite", "Brainstem",
}  # fmt: skip

# Adults [mL]: whole brain from the smallest of women to the largest of men (Matsumae et al., J
# Neurosurg 1996: 1143 +- 105 and 1302 +- 112, two and a half SD), ventricles from youth (Chung et
# al., Neurosci Lett 2006: 16) to atrophy, nuclei of both sides (Potvin et al., NeuroImage 2016).
RANGES = {
    "brain": (850, 1580), "Ventricles": (6, 75), "Caudate": (4.5, 11), "Putamen": (5.5, 14),
    "Thalamus": (7.5, 18), "cerebellum": (85, 180),
}  # fmt: skip


def _shapes(n: int):
    for seed in range(n):
        rng = np.random.default_rng(seed)
        yield draw_shape(POPULATION, rng.standard_normal(), rng.standard_normal(), rng)


def test_a_population_spreads_as_adults_do():
    shapes = list(_shapes(600))
    volume = np.array([s.scale**3 for s in shapes])
    assert volume.std() / volume.mean() == pytest.approx(0.10, abs=0.015)
    wide = np.array([s.ventricle for s in shapes])
    grown = np.log(wide) * (2 + POPULATION.ventricle_length)
    assert grown.std() == pytest.approx(0.43, abs=0.06)
    thin = np.array([s.cortex for s in shapes])
    open_ = np.array([s.sulcus for s in shapes])
    assert thin.min() >= 2.5 and thin.max() <= 4.0
    assert open_.min() >= 0.35 and open_.max() <= 1.1
    assert np.corrcoef(wide, open_)[0, 1] > 0.4 and np.corrcoef(wide, thin)[0, 1] < -0.4
    for s in shapes[:20]:
        assert np.prod(s.stretch) == pytest.approx(1.0)
        assert s.rotation @ s.rotation.T == pytest.approx(np.eye(3))


# Voxels of the head of seed 7 at 4.5 mm before heads could differ more.
BEFORE = {
    "SoftTissue": 7335, "Skull": 4343, "CSF": 2770, "Ventricles": 323, "WhiteMatter": 6180,
    "FrontalCortex": 1751, "ParietalCortex": 933, "TemporalCortex": 1022, "OccipitalCortex": 591,
    "Caudate": 82, "Putamen": 77, "Thalamus": 94, "CerebellarCortex": 734, "CerebellarWhite": 386,
    "Brainstem": 213, "VenousSinus": 158, "CarotidArtery": 15,
}  # fmt: skip


def test_usual_heads_are_as_they_were():
    phantom = make_brain("small", 7)
    found = {name: int((phantom.labels == i).sum()) for i, name in phantom.names.items()}
    assert found == pytest.approx(BEFORE, rel=2e-3, abs=1)
    usual = Anatomy(7).shape
    assert usual.stretch == (1.0, 1.0, 1.0) and usual.rotation is None
    assert (usual.cortex, usual.sulcus, usual.fold, usual.bend) == (3.6, 0.6, 11.5, 1.0)
    assert set(usual.parts.values()) == {1.0}


@pytest.mark.parametrize("seed", [3, 11, 12, 25])
def test_volumes_of_a_population_are_those_of_adults(seed):
    phantom = make_brain(seed=seed, voxel=3.0, spread=POPULATION, finer=1)
    count = {n: int((phantom.labels == i).sum()) * 0.027 for i, n in phantom.names.items()}
    count["brain"] = sum(v for name, v in count.items() if name in BRAIN)
    count["cerebellum"] = count["CerebellarCortex"] + count["CerebellarWhite"]
    for name, (low, high) in RANGES.items():
        assert low < count[name] < high, (name, count[name])
    for border in (phantom.labels[0], phantom.labels[-1], phantom.labels[:, 0]):
        assert not border.any()


def test_a_tilted_head_is_the_upright_one_turned():
    upright = Anatomy(4, dataclasses.replace(POPULATION, tilt=(0.0, 0.0, 0.0)))
    tilted = Anatomy(4, POPULATION)
    assert upright.shape.rotation is None
    assert dataclasses.replace(tilted.shape, rotation=None) == upright.shape


def test_grids_of_a_voxel_and_of_a_size_agree():
    shape, voxel = SIZES["small"]
    size, own = make_brain("small", 1), make_brain(seed=1, voxel=voxel)
    world = [np.linalg.inv(p.affine) @ [30.0, -20.0, 25.0, 1.0] for p in (size, own)]
    assert (world[1] - world[0])[:3] == pytest.approx(
        (np.array(own.labels.shape) - np.array(shape)) / 2
    )
    margin = tuple(
        slice((b - a) // 2, (b - a) // 2 + a) for a, b in zip(shape, own.labels.shape, strict=True)
    )
    assert (own.labels[margin] == size.labels).mean() > 0.99
    with pytest.raises(UsageError, match=r"a voxel of 0 mm; expected 0\.5 to 20 mm"):
        make_brain(voxel=0.0)


def test_the_label_of_a_centre_is_near_that_of_the_vote():
    voted = make_brain(seed=2, voxel=4.0, spread=USUAL)
    centre = make_brain(seed=2, voxel=4.0, spread=USUAL, finer=1)
    assert (voted.labels == centre.labels)[voted.labels > 0].mean() > 0.75
