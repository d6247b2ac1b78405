"""A small Patlak problem made by hand: a body of discs and balls, and frames with noise."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import null_space

from betaplus.patlak.problem import PatlakProblem
from betaplus.simulation.fields import gaussian_field

LEVELS = (0.08, 0.18, 0.36)
"""SD of a frame at 1 SUV: about doses 1, 1/5 and 1/20."""

# Ki [1/min], V0, middle and radius over the half edge.
TISSUES = (
    (0.0016, 0.50, (0.0, 0.0, 0.0), 0.90),  # muscle
    (0.0030, 1.00, (-0.35, 0.1, 0.0), 0.42),  # liver
    (0.0350, 0.60, (0.4, 0.35, 0.1), 0.30),  # grey matter
    (0.0200, 0.55, (0.4, 0.35, 0.1), 0.17),  # white matter
    (0.0005, 0.95, (0.0, -0.1, 0.35), 0.18),  # blood
    (0.0060, 0.15, (0.25, -0.45, 0.0), 0.28),  # lung
    (0.0250, 0.70, (-0.3, 0.2, 0.1), 0.10),  # lesions
    (0.0400, 0.60, (0.25, -0.4, -0.1), 0.10),
    (0.0300, 0.50, (-0.2, -0.6, 0.2), 0.10),
)
LESIONS = 3  # the last of them


@dataclass(frozen=True)
class Toy:
    """A problem and its truth.

    Attributes:
        problem: As methods see it.
        u: Truth, shape (2, X, Y, Z).
        s: SD of a frame of weight 1.
        y, basis, weight: The frames (T, X, Y, Z), B (T, 2) and w (T,).
        lesions: Masks.
    """

    problem: PatlakProblem
    u: np.ndarray
    s: np.ndarray
    y: np.ndarray
    basis: np.ndarray
    weight: np.ndarray
    lesions: list[np.ndarray]


def feng(t: np.ndarray) -> np.ndarray:
    """Feng's input function of FDG (IEEE Trans Biomed Eng 40, 1993), t in minutes."""
    (a1, a2, a3), (l1, l2, l3) = (851.1, 21.88, 20.81), (-4.134, -0.1191, -0.01043)
    d = np.maximum(t - 0.735, 0.0)
    rise = (a1 * d - a2 - a3) * np.exp(l1 * d) + a2 * np.exp(l2 * d) + a3 * np.exp(l3 * d)
    return np.where(t > 0.735, rise, 0.0)


def late_frames(n: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (B (n, 2), weights of mean 1, scale (2,)) of frames from 20 to 60 min; c = 0.9 SUV."""
    fine = np.arange(0, 60.0, 0.005) + 0.0025
    cp = feng(fine)
    integral = np.cumsum(cp) * 0.005
    edges = np.linspace(20.0, 60.0, n + 1)
    rows = [(fine >= a) & (fine < b) for a, b in itertools.pairwise(edges)]
    b = np.array([[integral[r].mean(), cp[r].mean()] for r in rows])
    decay = np.exp(-np.log(2) / 109.8 * edges[:-1])
    rise = b @ [0.01, 0.6]
    weight = decay / rise
    c = b[-1, 1] / 0.9
    return b / b[-1], weight / weight.mean(), c / b[-1]


def make(
    n: int = 32,
    level: float = 0.18,
    *,
    voxel: float = 4.0,
    filtered: float = 0.8,
    seed: int = 0,
    uptake: float = 0.5,
    gain: float = 1.0,
) -> Toy:
    """Return a toy of n^3 voxels.

    Args:
        n: Voxels along an axis.
        level: SD of a frame of weight 1 where the uptake is 1 SUV.
        voxel: Edge [mm].
        filtered: SD of the Gaussian through which the white noise went [voxels].
        seed: Of the noise.
        uptake: Exponent of the uptake in the noise.
        gain: All of y is multiplied by it.
    """
    basis, weight, scale = late_frames()
    at = np.stack(np.meshgrid(*[np.linspace(-1, 1, n)] * 3, indexing="ij"))
    u, balls = np.zeros((2, n, n, n)), []
    for ki, v0, middle, radius in TISSUES:
        ball = ((at - np.array(middle)[:, None, None, None]) ** 2).sum(0) < radius**2
        u[:, ball] = np.array([ki, v0])[:, None] / scale[:, None]
        balls.append(ball)
    s = level * np.where(balls[0], u.sum(0), 0.3) ** uptake
    rng = np.random.default_rng(seed)
    noise = np.stack([gaussian_field((n, n, n), [filtered] * 3, rng) for _ in weight])
    y = np.tensordot(basis, u, 1) + noise * s / np.sqrt(weight)[:, None, None, None]
    y *= gain
    problem = problem_of(y, basis, weight, scale, voxel, balls[0])
    return Toy(problem, gain * u, gain * s, y, basis, weight, balls[-LESIONS:])


def problem_of(
    y: np.ndarray,
    basis: np.ndarray,
    weight: np.ndarray,
    scale: np.ndarray,
    voxel: float,
    mask: np.ndarray,
) -> PatlakProblem:
    """Return the statistics of frames, shape (T, X, Y, Z)."""
    normal = basis.T @ (weight[:, None] * basis)
    h = np.tensordot(basis.T * weight, y, 1)
    fit = np.tensordot(np.linalg.inv(normal), h, 1)
    misfit = np.tensordot(weight, y**2, 1) - (h * fit).sum(0)
    planes = y.shape[3]
    free = null_space((basis * np.sqrt(weight)[:, None]).T)[:, 0]
    noise = np.tensordot(free * np.sqrt(weight), y, 1)
    return PatlakProblem(
        h=torch.tensor(h, dtype=torch.float32),
        normal=torch.tensor(normal)[..., None].repeat(1, 1, planes),
        misfit=torch.tensor(misfit, dtype=torch.float32),
        noise=torch.tensor(noise, dtype=torch.float32),
        freedom=torch.full((planes,), len(weight) - 2.0),
        scale=torch.tensor(scale),
        voxel=(voxel, voxel, voxel),
        mask=torch.tensor(mask),
    )


def ki_error(toy: Toy, u: torch.Tensor) -> float:
    """Return the NRMSE of Ki in the mask: of the root mean square of the truth."""
    inside = toy.problem.mask.numpy()
    truth = toy.u[0][inside]
    return float(np.sqrt(np.mean((u[0].numpy()[inside] - truth) ** 2) / np.mean(truth**2)))


def lesion_recovery(toy: Toy, u: torch.Tensor) -> float:
    """Return the mean over lesions of their mean u_1 over the truth."""
    return float(np.mean([u[0].numpy()[x].mean() / toy.u[0][x].mean() for x in toy.lesions]))
