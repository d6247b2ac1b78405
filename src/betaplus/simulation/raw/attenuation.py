"""Attenuation of 511 keV photons in a head.

Water has 0.096 / cm (Hubbell and Seltzer, NISTIR 5632: 0.0969 cm2/g at 500 keV and 0.0896 at 600);
skull, of 1.61 g/cm3 (ICRU Report 46), has the 0.151 / cm that atlases for brain scanners use.
"""

from __future__ import annotations

import numpy as np

from betaplus.simulation.anatomy import LABELS

__all__ = ["BONE", "SOFT", "mu_map"]

SOFT = 0.0096
"""Of soft tissue, blood and fluid [1/mm]."""
BONE = 0.0151
"""Of the skull [1/mm]."""


def mu_map(labels: np.ndarray) -> np.ndarray:
    """Return the attenuation coefficients of labels [1/mm], float32; 0 in air."""
    table = np.zeros(max(LABELS) + 1, dtype=np.float32)
    for label, name in LABELS.items():
        table[label] = BONE if name == "Skull" else SOFT
    return table[labels]
