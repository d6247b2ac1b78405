"""What denoisers are to reach."""

from __future__ import annotations

__all__ = ["LESION_BIAS", "LESION_DOSE", "PSNR_GAIN", "organ_bias"]

PSNR_GAIN = 1.5
"""Of `mmse` over the best filter [dB]."""

LESION_BIAS = 8.0
"""Of SUVpeak of lesions of 15 mm and more, at `LESION_DOSE` [%]."""

LESION_DOSE = 1 / 20


def organ_bias(dose: float) -> float:
    """Return the largest bias of an organ's SUVmean at a dose [%]."""
    return 3.0 if dose < 0.0101 else 1.0
