r"""Chains from raw data to Ki that are linear and Gaussian: their coverage in closed form.

Frames are :math:`x_f = a_f u_1 + b_f u_2`, the raw data :math:`y_f = A x_f + n_f`, and u is a draw
of :math:`N(0, C)`. Every chain is then an estimate :math:`G y` with a covariance V that it states.
The covariance that its error has is

.. math:: E = (G H - I) C (G H - I)' + G R G' , \quad H_f = (a_f A, b_f A) ,

and its interval of level p of a linear function l holds the truth with a probability of
:math:`2 \Phi(z_p \sqrt{l'Vl / l'El}) - 1`. No draw of anything is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag
from scipy.stats import norm

__all__ = ["Chain", "GaussianCase", "chains", "coverage", "error_covariance", "strips"]


@dataclass(frozen=True, eq=False, kw_only=True)
class GaussianCase:
    """Raw data of a Gaussian truth.

    Attributes:
        design: a_f and b_f, shape (T, 2).
        system: A, shape (lines, n).
        noise: Variance of every datum, shape (T, lines).
        prior: C, of u_1 and u_2 one after the other, shape (2 n, 2 n).
    """

    design: np.ndarray
    system: np.ndarray
    noise: np.ndarray
    prior: np.ndarray

    @property
    def voxels(self) -> int:
        """Voxels of an image."""
        return self.system.shape[1]

    @property
    def forward(self) -> np.ndarray:
        """H, shape (T lines, 2 n)."""
        return np.concatenate([self.system @ d for d in self.parts])

    @property
    def parts(self) -> list[np.ndarray]:
        """D_f, which makes a frame of u, each of shape (n, 2 n)."""
        one = np.eye(self.voxels)
        return [np.hstack([a * one, b * one]) for a, b in self.design]

    @property
    def information(self) -> list[np.ndarray]:
        """A' R_f^-1 A of every frame: the precision of its likelihood image."""
        return [self.system.T @ (self.system / r[:, None]) for r in self.noise]


@dataclass(frozen=True, eq=False)
class Chain:
    """What a chain makes of raw data.

    Attributes:
        gain: G, shape (2 n, T lines).
        stated: V, shape (2 n, 2 n).
    """

    gain: np.ndarray
    stated: np.ndarray


def chains(case: GaussianCase) -> dict[str, Chain]:
    """Return the chains by name.

    ``exact`` is the posterior of u given the raw data. Of the others

    - ``likelihood`` has the frames' likelihood images, which no prior has touched, with their
      covariance in a Bayesian stage; ``likelihood-variances`` with the variances alone;
    - ``draws`` maps draws of all frames together, under the prior that C gives them, by least
      squares without noise; ``draws-by-frame`` draws of each frame given its own data;
    - ``naive`` takes the posterior mean of u for data and its covariance for that of noise: the
      prior is used twice, and nothing else is wrong. ``naive-frames`` does so with posterior means
      of frames; ``naive-residual`` reads white noise from what lines leave of those, as of an
      image whose past is not known;
    - ``least-squares`` has no prior at all.
    """
    n, frames = case.voxels, len(case.design)
    precision = np.linalg.inv(case.prior)
    forward, information = case.forward, case.information
    weighted = [case.system.T / r for r in case.noise]  # A' R_f^-1, of the data of a frame
    gains = [np.linalg.solve(f, w) for f, w in zip(information, weighted, strict=True)]
    noises = [np.linalg.inv(f) for f in information]
    right = forward.T / case.noise.ravel()
    known = forward.T @ (forward / case.noise.reshape(-1, 1))
    exact = np.linalg.inv(known + precision)
    found = {
        "exact": Chain(exact @ right, exact),
        "likelihood": _stage(case, gains, noises, precision),
        "likelihood-variances": _stage(
            case, gains, [np.diag(np.diag(s)) for s in noises], precision
        ),
    }
    down = np.kron(np.linalg.pinv(case.design), np.eye(n))  # least squares of frames
    every = np.concatenate(case.parts)
    together = every @ case.prior @ forward.T
    data = forward @ case.prior @ forward.T + np.diag(case.noise.ravel())
    gain = np.linalg.solve(data, together.T).T
    found["draws"] = Chain(
        down @ gain, down @ (every @ case.prior @ every.T - gain @ together.T) @ down.T
    )
    means, left = [], []
    for d, f, w in zip(case.parts, information, weighted, strict=True):
        left.append(np.linalg.inv(f + np.linalg.inv(d @ case.prior @ d.T)))
        means.append(left[-1] @ w)
    by_frame = block_diag(*means)
    found["draws-by-frame"] = Chain(down @ by_frame, down @ block_diag(*left) @ down.T)
    twice = np.linalg.inv(2.0 * precision + known)
    found["naive"] = Chain(twice @ right, twice)
    found["naive-frames"] = _stage(case, means, left, precision)
    off = np.eye(frames) - case.design @ np.linalg.pinv(case.design)
    residual = np.kron(off, np.eye(n)) @ by_frame
    square = np.einsum("ij,ji->i", residual @ data, residual.T).sum() / (n * (frames - 2))
    found["naive-residual"] = _stage(case, means, [square * np.eye(n)] * frames, precision)
    flat = np.linalg.inv(known)
    found["least-squares"] = Chain(flat @ right, flat)
    return found


def _stage(
    case: GaussianCase,
    gains: list[np.ndarray],
    noises: list[np.ndarray],
    precision: np.ndarray,
) -> Chain:
    """Return the Bayesian stage for frames that are seen as truth and noise of a covariance."""
    total, right = precision.copy(), []
    for d, gain, noise in zip(case.parts, gains, noises, strict=True):
        weighted = np.linalg.solve(noise, d).T
        total += weighted @ d
        right.append(weighted @ gain)
    stated = np.linalg.inv(total)
    return Chain(stated @ np.hstack(right), stated)


def error_covariance(case: GaussianCase, chain: Chain) -> np.ndarray:
    """Return E, the covariance of estimate less truth over truths and noise, shape (2 n, 2 n)."""
    off = chain.gain @ case.forward - np.eye(2 * case.voxels)
    noise = (chain.gain * case.noise.ravel()) @ chain.gain.T
    return np.asarray(off @ case.prior @ off.T + noise)


def coverage(
    case: GaussianCase, chain: Chain, wanted: np.ndarray, levels: tuple[float, ...]
) -> Mapping[str, np.ndarray]:
    """Return what a chain is worth for linear functions of u.

    Args:
        case: The case.
        chain: The chain.
        wanted: The functions, shape (k, 2 n).
        levels: Of the intervals.

    Returns:
        ``held``: probability that intervals hold the truth, shape (levels, k); ``sd``: what the
        chain states, ``error``: the root mean square of its error, shape (k,).
    """
    sd = np.sqrt(np.einsum("ki,ij,kj->k", wanted, chain.stated, wanted))
    error = np.sqrt(np.einsum("ki,ij,kj->k", wanted, error_covariance(case, chain), wanted))
    z = norm.ppf(0.5 + 0.5 * np.array(levels))[:, None]
    return {"held": 2.0 * norm.cdf(z * sd / error) - 1.0, "sd": sd, "error": error}


def strips(width: int, angles: int, bins: int) -> np.ndarray:
    """Return a system of parallel lines through a square, shape (angles bins, width^2).

    Each voxel adds to the two bins beside its centre, by its distance from them.
    """
    axis = np.arange(width) - 0.5 * (width - 1)
    x, y = (part.ravel() for part in np.meshgrid(axis, axis, indexing="ij"))
    out = np.zeros((angles, bins, width * width))
    voxel = np.arange(width * width)
    for n in range(angles):
        angle = np.pi * n / angles
        place = x * np.cos(angle) + y * np.sin(angle) + 0.5 * (bins - 1)
        low = np.floor(place).astype(int)
        for at, share in ((low, low + 1 - place), (low + 1, place - low)):
            inside = (at >= 0) & (at < bins)
            out[n, at[inside], voxel[inside]] += share[inside]
    return out.reshape(angles * bins, -1)
