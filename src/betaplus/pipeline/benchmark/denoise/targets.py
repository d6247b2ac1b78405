"""What denoisers are to reach, and how a figure is shown beside it."""

from __future__ import annotations

import math

__all__ = ["LESION_BIAS", "LESION_DOSE", "PSNR_GAIN", "dose_name", "organ_bias", "verdict"]

PSNR_GAIN = 1.5
"""Of `mmse` over the best filter [dB]."""

LESION_BIAS = 8.0
"""Of SUVpeak of lesions of 15 mm and more, at `LESION_DOSE` [%]."""

LESION_DOSE = 1 / 20


def organ_bias(dose: float) -> float:
    """Return the largest bias of an organ's SUVmean at a dose [%]."""
    return 3.0 if dose < 0.0101 else 1.0


def verdict(found: float, target: float, *, least: bool = False) -> str:
    """Return ``pass`` or ``short``.

    Args:
        found: The figure; of one that is to be small the absolute value counts.
        target: What it is held against.
        least: Whether it is to be large.
    """
    if math.isnan(found):
        return "not measured"
    return "pass" if (found >= target if least else abs(found) <= target) else "short"


def dose_name(dose: float) -> str:
    """Return ``1/20`` for 0.05."""
    return f"1/{1 / dose:.0f}"
