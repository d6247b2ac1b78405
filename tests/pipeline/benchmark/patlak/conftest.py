"""A made-up study whose scores are known, and a small simulated one."""

from types import SimpleNamespace

import numpy as np
import pytest

from betaplus.simulation.dynamic_study.study import MARGIN, draw_patlak_study

VOXEL = 4.0
SHAPE = (24, 24, 24)


@pytest.fixture
def made_up():
    """A body of two tissues, the plane x = 12 between them, with a hot sphere in the first."""
    outer = tuple(n + 2 * MARGIN for n in SHAPE)
    x, y, z = np.indices(SHAPE)
    labels = np.where(x < 12, 1, 2).astype(np.int32)
    radius = np.sqrt((x - 8) ** 2 + (y - 12) ** 2 + (z - 12) ** 2)
    sphere = radius <= 2.0
    Ki = np.where(labels == 1, 0.01, 0.002).astype(np.float32)
    Ki[sphere] = 0.05
    V0 = np.full(SHAPE, 0.4, np.float32)
    padded = np.pad(sphere, MARGIN)
    voxels = np.flatnonzero(padded)
    lesion = SimpleNamespace(
        voxels=voxels, share=np.ones(voxels.size, np.float32), dead=np.zeros(voxels.size),
        site="sphere", diameter=16.0,
    )  # fmt: skip
    tissue = SimpleNamespace(
        phantom=SimpleNamespace(labels=np.zeros(outer)),
        beneath=SimpleNamespace(labels=np.pad(labels, MARGIN)),
    )
    return SimpleNamespace(
        shape=SHAPE, voxel=(VOXEL,) * 3, body=np.ones(SHAPE, bool), labels=labels,
        names={1: "First", 2: "Second"}, noise_free=(Ki, V0), true_Ki=1.25 * Ki,
        lesions=(SimpleNamespace(lesion=lesion),), tissue=tissue, sphere=sphere,
    )  # fmt: skip


@pytest.fixture(scope="session")
def simulated():
    """A trunk of 20 x 20 x 20 voxels of 8 mm."""
    return draw_patlak_study("body", 5, voxel=8.0, shape=(20, 20, 20), lesions=2)
