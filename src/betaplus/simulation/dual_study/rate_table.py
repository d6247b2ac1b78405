"""Frame means of two-tissue kinetics for very many voxels, from a table over the rates.

As `betaplus.simulation.dynamic_study.response_table`, but a voxel is one row of a sparse matrix:
four neighbours in the table (cubic Lagrange) for each of its two rates, and its blood.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve

__all__ = ["RateTable"]

_OFFSET = 1e-4  # 1/min
_MOST = 40.0  # 1/min
_NODES = 600
_CHUNK = 65536  # voxels


class RateTable:
    """Frame means that one input and one frame schedule can give.

    Args:
        curve: Input, in the tracer's own time and decay-corrected to its injection.
        frames: Frames in the tracer's own time.
        half_life: Of the radionuclide [s].
        arrival: At the tissue after the blood sampler [s].
    """

    def __init__(
        self, curve: InputCurve, frames: FrameTiming, half_life: float, arrival: float = 0.0
    ) -> None:
        import torch

        from betaplus.physics.response import InputResponse

        response = InputResponse(curve, frames, half_life)
        self._first = float(np.log(_OFFSET))
        self._step = float(np.log1p(_MOST / _OFFSET)) / (_NODES - 1)
        rates = np.exp(self._first + self._step * np.arange(_NODES)) - _OFFSET
        rates[0] = 0.0
        tissue = response.tissue(torch.tensor(rates), arrival).numpy()
        blood = response.blood(arrival).numpy()
        self._table = np.concatenate([tissue, blood[None]]).astype(np.float32)
        self.peak = float(response.plasma_mean(arrival).max())
        """The largest frame mean of plasma [input unit]."""

    def frame_means(self, parameters: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return frame means, shape (N, T) float32 [input unit], to 1e-6 of the largest.

        Args:
            parameters: K1 [mL/cm3/min], k2, k3, k4 [1/min], VB, each shape (N,); rates of the
                impulse response up to 40 per min.
        """
        n = np.size(parameters["K1"])
        out = np.empty((n, self._table.shape[1]), np.float32)
        for start in range(0, n, _CHUNK):
            part = slice(start, start + _CHUNK)
            chunk = {k: np.asarray(v[part], dtype=np.float64) for k, v in parameters.items()}
            out[part] = self._matrix(chunk) @ self._table
        return np.maximum(out, 0.0, out=out)

    def _matrix(self, p: Mapping[str, np.ndarray]):  # type: ignore[no-untyped-def]
        import torch
        from scipy.sparse import csr_matrix

        from betaplus.physics.compartments import exponentials

        n = p["K1"].size
        a1, a2, w1, w2 = (
            x.numpy() for x in exponentials(*(torch.as_tensor(p[k]) for k in ("k2", "k3", "k4")))
        )
        amount = p["K1"] * (1.0 - p["VB"])
        columns = np.empty((n, 9), np.int32)
        weights = np.empty((n, 9), np.float32)
        for at, (rate, share) in zip((0, 4), ((a1, w1), (a2, w2)), strict=True):
            place = (np.log(np.clip(rate, 0.0, _MOST) + _OFFSET) - self._first) / self._step
            node = np.clip(place.astype(np.int32), 1, _NODES - 3)
            t, scale = place - node, amount * share
            # Lagrange's weights of the nodes at -1, 0, 1, 2
            weights[:, at] = scale * t * (t - 1.0) * (2.0 - t) / 6.0
            weights[:, at + 1] = scale * (t * t - 1.0) * (t - 2.0) / 2.0
            weights[:, at + 2] = scale * t * (t + 1.0) * (2.0 - t) / 2.0
            weights[:, at + 3] = scale * t * (t * t - 1.0) / 6.0
            columns[:, at : at + 4] = node[:, None] + np.arange(-1, 3, dtype=np.int32)
        weights[:, 8], columns[:, 8] = p["VB"], _NODES
        ends = np.arange(0, 9 * n + 1, 9, dtype=np.int32)
        shape = (n, _NODES + 1)
        return csr_matrix((weights.reshape(-1), columns.reshape(-1), ends), shape=shape)
