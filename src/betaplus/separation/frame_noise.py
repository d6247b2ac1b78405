r"""The noise of the frames of a scan beside its own curves, without a model of tracers.

The curves of a scan lie near a space of few dimensions, which its frames show: the combinations of
frames of which a filter in space leaves most, against what it takes out (minimum noise fractions:
Green et al., IEEE Trans Geosci Remote Sens 1988, 26:65-74). What a voxel's frames have beside them
is noise,

.. math:: r = (I - H)\, W^{1/2} m, \quad E[r_f^2] = s^2 (1 - h_f),

with H the projection onto p such directions, in the weights of frames, and h its diagonal. Weights
begin with the count model :math:`w_f \propto D_f / (\bar m_f + c)` and are corrected by what is
found, frame by frame, until they stay as they are; a frame of which H takes up most keeps to it.
"""

from __future__ import annotations

import math

import numpy as np

from betaplus.physics.blur import GaussianBlur

__all__ = ["LEAST_LEFT", "frame_weights", "left_over", "signal_space"]

LEAST_LEFT = 3
"""Fewest frames less directions."""

_SMOOTH = 10.0  # mm: of the filter that noise does not pass
_THIN = 1e-3
_MOST_DIRECTIONS = 10
_CLEAR = 1.4  # times what the filter leaves of noise: it leaves more of a direction with signal
_ROUNDS = 8
_BOUND = 0.3  # 1 - h: below it a frame is taken up by the directions and tells little of noise
_LEAST_FREE = 1e-3
_HALF_NORMAL = math.sqrt(2.0 / math.pi)  # mean modulus
_MOST = 10.0  # by which weights may depart from the count model


def signal_space(
    mixture: np.ndarray, tissue: np.ndarray, seen: np.ndarray, voxel: tuple[float, float, float]
) -> np.ndarray:
    """Return directions that hold the curves of tissue, shape (T, p) [unit of the mixture].

    Args:
        mixture: Shape (X, Y, Z, T).
        tissue: Shape (X, Y, Z).
        seen: Indices of those of its voxels that are looked at.
        voxel: Edges of a voxel [mm].
    """
    weight = tissue.astype(np.float32)
    blur = GaussianBlur(tissue.shape, voxel, _SMOOTH)
    share = blur.forward(weight).reshape(-1)[seen]
    frames = mixture.shape[-1]
    passed = np.stack(
        [
            blur.forward(mixture[..., f] * weight).reshape(-1)[seen] / np.maximum(share, _THIN)
            for f in range(frames)
        ],
        axis=1,
    ).astype(np.float64)
    taken = mixture.reshape(-1, frames)[seen] - passed
    size = np.sqrt(np.mean(taken * taken, axis=0)) + 1e-30
    inside, outside = ((x / size).T @ (x / size) / len(x) for x in (passed, taken))
    outside = outside + 1e-9 * np.eye(frames)
    root = np.linalg.cholesky(outside)
    half = np.linalg.solve(root, inside)
    ratio, vectors = np.linalg.eigh(np.linalg.solve(root, half.T))
    floor = float(np.median(ratio[: (frames + 1) // 2]))
    clear = int((ratio > _CLEAR * floor).sum())
    count = min(max(clear, 1), _MOST_DIRECTIONS, frames - LEAST_LEFT)
    return np.asarray(size[:, None] * (root @ vectors[:, -count:]))


def left_over(signal: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return I - H, shape (T, T), for directions in the weights of frames."""
    top, _ = np.linalg.qr(np.sqrt(weights)[:, None] * signal)
    return np.asarray(np.eye(len(weights)) - top @ top.T)


def frame_weights(sample: np.ndarray, signal: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return the weights of frames, shape (T,), mean 1.

    Args:
        sample: Curves over the SD that the uptake suggests, shape (N, T).
        signal: From `signal_space`.
        counted: Weights of the count model, shape (T,), mean 1.
    """
    weights = counted
    free = np.ones_like(counted)
    for _ in range(_ROUNDS):
        left = left_over(signal, weights)
        r = (sample * np.sqrt(weights).astype(np.float32)) @ left.astype(np.float32)
        free = np.diag(left)
        # a mean of moduli: the noise of a frame is not alike in all voxels, w is for most of them
        found = (np.abs(r).mean(0, dtype=np.float64) / _HALF_NORMAL) ** 2 / free.clip(_LEAST_FREE)
        ratio = found / np.exp(np.average(np.log(found), weights=free))
        weights = np.clip(weights / ratio, counted / _MOST, counted * _MOST)
        weights = weights / weights.mean()
    sure = np.minimum(free / _BOUND, 1.0)
    weights = counted * (weights / counted) ** sure
    return np.asarray(weights / weights.mean())
