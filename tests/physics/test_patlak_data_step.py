"""The data step of splitting methods against dense solvers and `scipy.optimize.nnls`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from betaplus.physics.patlak import data_step

SHAPE, FRAMES, R = (3, 4, 2), 7, (3.0, 0.7)


def problem(seed=0, level=0.3, collinear=0.05):
    """Frames of voxels, slices with matrices of their own, and what is suggested of the maps."""
    rng = np.random.default_rng(seed)
    rise = np.linspace(0.5, 1.0, FRAMES)[:, None] * np.ones(SHAPE[2])
    fall = rise**-0.5 + collinear * rng.normal(size=rise.shape)
    basis = np.stack([rise, fall], 1)  # (F, 2, Z)
    weight = rng.uniform(0.5, 1.5, rise.shape)
    truth = rng.normal(0.2, 0.5, (2, *SHAPE))
    y = np.einsum("fiz,ixyz->fxyz", basis, truth) + level * rng.normal(size=(FRAMES, *SHAPE))
    h = np.einsum("fiz,fz,fxyz->ixyz", basis, weight, y)
    normal = np.einsum("fiz,fz,fjz->ijz", basis, weight, basis)
    precision = rng.uniform(0.1, 30.0, SHAPE)
    z = rng.normal(0.1, 0.6, (5, 2, *SHAPE))
    return basis, weight, y, h, normal, precision, z


def given(*arrays):
    """What the step is given: float32 but for M."""
    h, normal, precision, z = arrays
    return (
        torch.from_numpy(h).float(),
        torch.from_numpy(normal),
        torch.from_numpy(precision).float(),
        torch.from_numpy(z).float(),
    )


def test_equals_a_dense_solver_in_every_voxel():
    *_, h, normal, precision, z = problem()
    h32, m, p32, z32 = given(h, normal, precision, z)
    out = data_step(h32, m, p32, z32, R)
    assert out.dtype == torch.float32 and out.shape == z32.shape
    for k, x, y, s in np.ndindex(len(z), *SHAPE):
        p = float(p32[x, y, s])
        matrix = p * normal[:, :, s] + np.diag(R)
        right = p * h32[:, x, y, s].double().numpy() + R * z32[k, :, x, y, s].double().numpy()
        np.testing.assert_allclose(out[k, :, x, y, s], np.linalg.solve(matrix, right), rtol=2e-7)


def test_nonnegative_equals_nnls():
    """Of the augmented system: the frames, and z as two more measurements."""
    basis, weight, y, h, normal, precision, z = problem(1)
    out = data_step(*given(h, normal, precision, z), R, nonnegative=True).numpy()
    faces = set()
    for k, i, j, s in np.ndindex(len(z), *SHAPE):
        root = np.sqrt(weight[:, s] * precision[i, j, s])
        matrix = np.concatenate([basis[:, :, s] * root[:, None], np.diag(np.sqrt(R))])
        right = np.concatenate([y[:, i, j, s] * root, np.sqrt(R) * z[k, :, i, j, s]])
        expected = nnls(matrix, right)[0]
        np.testing.assert_allclose(out[k, :, i, j, s], expected, rtol=1e-4, atol=1e-6)
        faces.add(tuple(expected > 0))
    assert len(faces) == 4  # inside, both faces and the corner have come up


def test_forms_of_its_arguments():
    *_, h, normal, _, z = problem()
    h, normal, p, z = given(h, normal, np.full(SHAPE, 2.0), z)
    every = data_step(h, normal, p, z, torch.tensor(R, dtype=torch.float64))
    for same in (2.0, torch.tensor(2.0)):
        assert torch.equal(data_step(h, normal, same, z[1], R), every[1])


def test_a_voxel_has_the_same_bits_in_any_block(monkeypatch):
    *_, h, normal, precision, z = problem()
    args = given(h, normal, precision, z)
    whole = data_step(*args, R, nonnegative=True)
    monkeypatch.setattr("betaplus.physics.patlak.step._VOXELS", 1)
    assert torch.equal(data_step(*args, R, nonnegative=True), whole)
    part = data_step(args[0][:, 1:2], args[1], args[2][1:2], args[3][:, :, 1:2], R)
    assert torch.equal(part, data_step(*args, R)[:, :, 1:2])


def test_limits():
    """No data: z. No trust in z: least squares, also where M is nearly singular."""
    *_, h, normal, precision, z = problem(collinear=1e-4, level=0.0)
    h, normal, precision, z = given(h, normal, precision, z)
    assert torch.equal(data_step(h, normal, torch.zeros(SHAPE), z, R), z)
    out = data_step(h, normal, precision, z, (0.0, 0.0)).double()
    back = torch.einsum("ijz,kjxyz->kixyz", normal, out)
    np.testing.assert_allclose(back, h.double().expand_as(back), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("nonnegative", [False, True])
def test_is_the_minimum(nonnegative):
    *_, h, normal, precision, z = problem(2)
    out = data_step(*given(h, normal, precision, z), R, nonnegative).double().numpy()
    r = np.reshape(R, (2, 1, 1, 1))

    def objective(u):
        data = np.einsum("kixyz,ijz,kjxyz->kxyz", u, normal, u) - 2 * (h * u).sum(1)
        return 0.5 * precision * data + 0.5 * (r * (u - z) ** 2).sum(1)

    least = objective(out)
    rng = np.random.default_rng(0)
    for size in (1e-3, 0.1, 2.0):
        other = out + size * rng.normal(size=out.shape)
        other = np.maximum(other, 0.0) if nonnegative else other
        assert (objective(other) >= least - 1e-5).all()
