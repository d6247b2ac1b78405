"""Curves of regions and voxels stand in the order of their truth, whatever their place."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer
from betaplus.io.tacs import load_tacs
from betaplus.pipeline.demo.methods import METHODS, one_voxel_each, side_by_side

FRAMES = FrameTiming.from_durations([60.0, 120.0, 300.0, 600.0])
TRACER = Tracer.of("F18", name="FDG")


def test_one_voxel_of_each_region_that_has_any() -> None:
    labels = np.array([7, 2, 7, 7, 0, 2])
    found = one_voxel_each(labels, {2: "b", 7: "a", 9: "absent"})
    assert found == {"b": 5, "a": 2}


def test_curves_and_truth_are_of_the_same_voxels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = rng.uniform(1.0, 2.0, (3, 4, 2, 4)).astype(np.float32)
    image = PetImage(
        data=data, affine=np.eye(4), frames=FRAMES, unit="Bq/mL", tracer=TRACER,
        decay_corrected_to=0.0,
    )  # fmt: skip
    mask = rng.random((3, 4, 2)) < 0.7
    means = rng.uniform(1.0, 2.0, (3, 4))
    table = TacTable(
        values=means, frames=FRAMES, unit="Bq/mL", names=("a", "b", "c"), tracer=TRACER,
        decay_corrected_to=0.0,
    )  # fmt: skip
    brain = SimpleNamespace(
        regions=table, data=image, posterior=SimpleNamespace(settings={"delay": 3.25})
    )
    voxels = {"a": 9, "c": 4, "b": 1}  # neither in the order of names nor of voxels
    truth = {"Ki": np.arange(mask.sum(), dtype=float)}
    asked = []
    found = side_by_side(
        brain, mask, voxels, truth, {r: {"Ki": 100.0} for r in "abc"}, Path("blood.tsv"),
        tmp_path / "methods", lambda request: asked.append(request) or request,
        seed=5, overwrite=False,
    )  # fmt: skip
    assert list(found.results) == list(METHODS) == [r.method for r in asked]
    assert all(float(r.delay) == 3.25 and r.seed == 5 for r in asked)
    written = load_tacs(asked[0].source)
    assert written.names == ("a", "b", "c", "a-voxel", "b-voxel", "c-voxel")
    np.testing.assert_array_equal(written.values[:3], means)
    np.testing.assert_array_equal(written.values[3:], data[mask][[9, 1, 4]])
    np.testing.assert_array_equal(found.truth["Ki"], [100.0, 100.0, 100.0, 9.0, 1.0, 4.0])
