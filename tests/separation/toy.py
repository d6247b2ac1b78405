"""Small problems of two tracers with everything known."""

from __future__ import annotations

import numpy as np
import torch

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputFunction
from betaplus.core.tracer import Tracer
from betaplus.physics.compartments import predict
from betaplus.physics.dual import Mixing
from betaplus.physics.response import InputResponse
from betaplus.separation.problem import SeparationProblem
from betaplus.simulation.input_functions import feng

FMZ, FDG = Tracer.of("C11", name="FMZ"), Tracer.of("F18", name="FDG")


def bolus(end, late=1.5, fall=0.25):
    """A bolus sampled finely enough for tests, coarsely enough to be quick."""
    time = np.unique(np.concatenate([np.arange(0.0, 120.0, 5.0), np.geomspace(120.0, end, 30)]))
    plasma = 5000.0 * feng((time - 15.0) / 60.0, (300.0, 4.0, late), (5.0, fall, 0.006))
    return InputFunction(
        time=time, plasma=plasma, whole_blood=0.9 * plasma, plasma_kind="parent", unit="Bq/mL"
    )


def frames_with(delay):
    """Frames of both tracers: short after each injection."""
    each = [15.0] * 4 + [60.0] * 4 + [150.0] * 2
    before = [d for d in each if d]
    first, left = [], delay
    for d in [*before, *[300.0] * 20]:
        if left <= 0:
            break
        first.append(min(d, left))
        left -= d
    return FrameTiming.from_durations([*first, *each, *[300.0] * 8])


def make_problem(parameters, *, delay=1200.0, noise=0.0, tracers=(FMZ, FDG), seed=0):
    """Return a problem of N voxels in a row and its true pair, shape (2, N, 1, 1, T).

    Args:
        parameters: Of each tracer, name to shape (N,); k3 is absent for one tissue.
        delay: Second injection [s].
        noise: SD of a frame of weight 1 in units of the largest mean.
    """
    frames = frames_with(delay)
    injections = (0.0, delay)
    mixing = Mixing(frames, tracers, injections)
    bloods = (bolus(7000.0), bolus(7000.0, late=3.0, fall=0.12))
    n = len(parameters[0]["K1"])
    x = np.zeros((2, n, len(frames)))
    for i, values in enumerate(parameters):
        own = mixing.own_frames(i)
        response = InputResponse(bloods[i].curve(float(own.end[-1])), own, tracers[i].half_life)
        curve = predict(response, {k: torch.as_tensor(v).double() for k, v in values.items()})
        x[i][:, mixing.seen[i]] = curve.numpy()
    clean = mixing.forward(x)
    scale = float(clean.mean(0).max())
    weights = frames.duration / (clean.mean(0) + 0.02 * scale)
    weights = weights / weights.mean()
    rng = np.random.default_rng(seed)
    data = clean / scale + noise / np.sqrt(weights) * rng.standard_normal(clean.shape)
    shape = (n, 1, 1)
    problem = SeparationProblem(
        mixture=torch.from_numpy(data.astype(np.float32)).reshape(*shape, -1),
        scale=scale,
        decay=mixing.decay,
        frames=frames,
        weights=weights,
        noise=torch.full(shape, float(noise)),
        voxel=(2.0, 2.0, 2.0),
        mask=torch.ones(shape, dtype=torch.bool),
        tracers=tracers,
        injections=injections,
        blood=bloods,
    )
    return problem, torch.from_numpy(x / scale).reshape(2, *shape, -1)


def grey(n, seed=0, VB=None):
    """Return FMZ and FDG parameters of n voxels, a VB in common."""
    rng = np.random.default_rng(seed)
    VB = rng.uniform(0.03, 0.07, n) if VB is None else np.full(n, VB)
    K1 = rng.uniform(0.25, 0.4, n)
    fmz = {"K1": K1, "k2": K1 / rng.uniform(2.0, 7.0, n), "VB": VB}
    fdg = {
        "K1": rng.uniform(0.08, 0.14, n),
        "k2": rng.uniform(0.1, 0.25, n),
        "k3": rng.uniform(0.05, 0.15, n),
        "k4": rng.uniform(0.006, 0.016, n),
        "VB": VB,
    }
    return fmz, fdg
