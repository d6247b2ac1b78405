"""Responses of one input function and one frame schedule, tabulated for all their curves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from betaplus.physics.response import InputResponse

__all__ = ["ResponseTable", "response_table"]

_LANES = 8  # frames are padded to whole vectors
_OFFSET = 0.004  # 1/min; below it rows are evenly spaced
_DELAY_STEP = 0.25  # s
_TINY = 1e-12  # of the largest frame mean of plasma
_SHIFT_FIXED, _SHIFT_FITTED = 17, 18  # 64 rows an octave, 32 where delays multiply them


class ResponseTable(NamedTuple):
    """Frame means of tissue response and whole blood in units of `scale`, frames padded.

    Rows follow alpha + offset through the float32 numbers whose last `shift` bits are zero: a row
    is found by a shift, the remaining bits are the linear interpolation weight, and spacing is
    relative above `offset` and even below it. Interpolation errs by less than 6e-5 of the curve's
    peak, and where the delay is fitted by less than 1.5e-3 in the steepest frames.
    """

    tissue: np.ndarray  # (delay, row, frame) float32 [min]
    blood: np.ndarray  # (delay, frame) float32
    offset: float  # 1/min
    shift: int
    first: int  # bits of row 0
    delay_low: float  # s
    delay_step: float  # s
    scale: float  # input units per table unit


def response_table(
    response: InputResponse,
    rates: tuple[float, float],
    delays: tuple[float, float],
    blood: np.ndarray | None = None,
) -> ResponseTable:
    """Tabulate `response`.

    Args:
        response: Input function and frames.
        rates: Smallest and largest exponential rate that will be asked for [1/min].
        delays: Smallest and largest delay [s]; equal where the delay is known.
        blood: Frame means to take in place of whole blood, shape (T,): those of a reference region.
    """
    shift = _SHIFT_FITTED if delays[1] > delays[0] else _SHIFT_FIXED
    offset = _OFFSET + max(0.0, -1.01 * rates[0])
    first, last = (
        int(np.float32(rate + offset).view(np.int32)) >> shift
        for rate in (min(rates[0], 0.0), rates[1])
    )
    bits = np.arange(first, last + 3, dtype=np.int32) << shift
    alpha = bits.view(np.float32).astype(np.float64) - offset
    n_delays = int(np.ceil((delays[1] - delays[0]) / _DELAY_STEP)) + 1
    delay = delays[0] + _DELAY_STEP * np.arange(n_delays)
    n_frames = len(response.frames)
    width = -(-n_frames // _LANES) * _LANES
    scale = float(response.plasma_mean().max())
    tissue = np.zeros((n_delays, alpha.size, width), dtype=np.float32)
    vascular = np.zeros((n_delays, width), dtype=np.float32)
    with torch.no_grad():
        rate = torch.from_numpy(alpha)
        for i, values in enumerate(response.tissue_at_delays(rate, torch.from_numpy(delay))):
            tissue[i, :, :n_frames] = (values / scale).numpy()
        seen = response.blood(torch.from_numpy(delay)).numpy() if blood is None else blood
        vascular[:, :n_frames] = seen / scale
    for values in (tissue, vascular):  # their squares would be denormal numbers, which are slow
        values[np.abs(values) < _TINY] = 0.0
    return ResponseTable(
        tissue, vascular, offset, shift, first, float(delays[0]), _DELAY_STEP, scale
    )
