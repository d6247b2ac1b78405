"""A lesion that one tracer sees changes that tracer only, and no noise."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.simulation.dual_study import (
    DualPerson,
    Population,
    draw_dual_person,
    draw_dual_study,
    lesion_pair,
)

SHAPE = (24, 24, 20)


@pytest.fixture(scope="module")
def person() -> DualPerson:
    return draw_dual_person(919_501, Population(voxel=4.0))


@pytest.mark.parametrize("kind", ["first", "second", "both"])
def test_only_what_sees_the_lesion_changes(person: DualPerson, kind: str) -> None:
    ill, well = lesion_pair(person, "standard", kind, item=2, shape=SHAPE)
    share = ill.lesion_share(0)
    core = share > 0.999
    added = ill.x - well.x
    for i, name in enumerate(("first", "second")):
        if kind in (name, "both"):
            last = ill.frames.start.size - 1
            assert added[i][core][:, last].mean() > 0.3 * well.x[i][core][:, last].mean()
            assert np.abs(added[i][..., last]).max() == np.abs(added[i][..., last][share > 0]).max()
        else:
            assert (added[i] == 0).all()
    assert well.lesions == () and "Lesion" in ill.names.values()
    assert "Lesion" not in well.names.values()


def test_noise_of_both_is_the_same(person: DualPerson) -> None:
    ill, well = lesion_pair(person, "FDG-FMZ", "second", item=1, shape=SHAPE)
    np.testing.assert_array_equal(ill.noise_sd(), well.noise_sd())
    added = ill.mixture(0.5, 7).astype(np.float64) - well.mixture(0.5, 7)
    np.testing.assert_allclose(added, ill.clean.astype(np.float64) - well.clean, atol=0.05)


def test_lesions_of_every_kind_are_drawn_inside_the_brain(person: DualPerson) -> None:
    kinds: set[str] = set()
    count = 0
    for item in range(12):
        study = draw_dual_study(person, shape=SHAPE, item=item)
        for n, one in enumerate(study.lesions):
            kinds.add(one.kind)
            count += 1
            assert study.lesion_share(n).max() > 0.3
            assert 5.0 < one.lesion.diameter < 27.0
            assert [k is not None for k in one.kinetics] == [c != 1.0 for c in one.contrast]
        voxels = [set(one.lesion.voxels.tolist()) for one in study.lesions]
        assert sum(map(len, voxels)) == len(set().union(*voxels))  # none twice
    assert kinds == {"both", "first", "second"} and 6 <= count <= 30


def test_contrast_is_about_that_of_the_uptake(person: DualPerson) -> None:
    ill, _ = lesion_pair(person, "standard", "first", item=2, shape=SHAPE, hot=(3.0, 3.0))
    lesion = ill.lesions[0]
    kinetics, host = lesion.kinetics[0], ill.tissue.regions[0][lesion.lesion.host]
    assert kinetics is not None
    ratio = (kinetics["K1"] / kinetics["k2"]) / (host["K1"] / host["k2"])
    assert ratio == pytest.approx(3.0)  # the volume of distribution of one tissue compartment


def test_a_box_without_brain_has_no_place(person: DualPerson) -> None:
    with pytest.raises(UsageError, match="lesion of kind 'none'"):
        lesion_pair(person, kind="none")
    with pytest.raises(UsageError, match="no place for a lesion"):
        lesion_pair(person, "standard", "first", shape=(1, 1, 1), diameter=(30.0, 30.0))
