"""Problems in RAS axes, and maps back in those of the image."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from betaplus.patlak.orientation import RasAxes
from betaplus.patlak.problem import PatlakMaps
from betaplus.patlak.study import make_study

from .scans import bed_scan, blood, maps, scan

ORDERS = [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)]


def turned(image, order, signs):
    """Return the image stored with other axes, at the same place."""
    data = image.data.transpose(*order, 3)[tuple(slice(None, None, s) for s in signs)]
    matrix = image.affine[:, [*order, 3]].copy()
    for axis, sign in enumerate(signs):
        if sign < 0:
            matrix[:, 3] += matrix[:, axis] * (data.shape[axis] - 1)
            matrix[:, axis] *= -1
    return dataclasses.replace(image, data=np.ascontiguousarray(data), affine=matrix)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (-1, -1, -1)])
def test_any_axes_give_the_same_problem(order, signs):
    image = dataclasses.replace(scan(), affine=np.diag([3.0, 4.0, 5.0, 1.0]))
    plain = make_study(image, blood(), t_star=1200).problem
    other = turned(image, order, signs)
    study = make_study(other, blood(), t_star=1200)
    axes = RasAxes(other.affine, study.problem)
    assert axes.plain == (order == (0, 1, 2) and signs == (1, 1, 1))
    found = axes.turn(study.problem)
    assert found.voxel == plain.voxel and found.shape == plain.shape
    torch.testing.assert_close(found.h, plain.h, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.normal, plain.normal)
    back = axes.back(PatlakMaps(u=found.h, std=found.h, draws=found.h[None], found={}))
    for x in (back.u, back.std, back.draws[0]):
        torch.testing.assert_close(x, study.problem.h, rtol=0, atol=0)


def test_slices_with_times_of_their_own_are_turned_along():
    from betaplus.core.bed_times import BedTimes

    starts = 1200.0 + 400.0 * np.arange(5)[:, None] + 150.0 * (np.arange(8) >= 4)
    times = BedTimes(starts, np.full_like(starts, 120.0))
    image = bed_scan(maps(), times)
    plain = make_study(image, blood(), t_star=1200, bed_times=times).problem
    other = turned(image, (0, 1, 2), (1, 1, -1))
    flipped = BedTimes(times.start[:, ::-1], times.duration[:, ::-1])
    problem = make_study(other, blood(), t_star=1200, bed_times=flipped).problem
    found = RasAxes(other.affine, problem).turn(problem)
    torch.testing.assert_close(found.normal, plain.normal, rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(found.h, plain.h, rtol=1e-5, atol=1e-5)
    stored = turned(image, (2, 0, 1), (1, 1, 1))
    assert RasAxes(stored.affine, plain).order == (0, 1, 2)  # the bed stays the last axis
