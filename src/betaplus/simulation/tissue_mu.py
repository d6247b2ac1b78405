"""Attenuation of 511 keV photons in any phantom, by the names of its regions.

Linear coefficients are density times mass attenuation, interpolated at 511 keV in Hubbell and
Seltzer, NISTIR 5632 (water 0.0960 cm2/g, adipose 0.0960, bone 0.0894), with the densities of ICRU
Report 46 and ICRP Publication 110: adipose 0.95, muscle 1.05, cortical bone 1.92, spongiosa 1.18,
inflated lung 0.26 g/cm3. The skull here is one tissue of table and diploe and has the 0.151 / cm of
atlases for brain scanners, as in `betaplus.simulation.raw.attenuation`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from betaplus.simulation.phantom import Phantom

__all__ = ["MU", "SOFT", "tissue_mu"]

SOFT = 0.0096
"""Of soft tissue, blood and fluid [1/mm]."""

MU: Mapping[str, float] = {
    "Fat": 0.0091,
    "Breast": 0.0094,
    "Muscle": 0.0100,
    "CorticalBone": 0.0172,
    "Skull": 0.0151,
    "RedMarrow": 0.0112,
    "Lungs": 0.0025,
    "Airways": 0.0,
    "BowelGas": 0.0,
}
"""Region to coefficient [1/mm], where it is not `SOFT`."""


def tissue_mu(phantom: Phantom, lesion: float = SOFT) -> np.ndarray:
    """Return the attenuation coefficients of a phantom [1/mm], shape (X, Y, Z) float32; 0 in air.

    Args:
        phantom: Label map; regions that `MU` does not name are soft tissue.
        lesion: Coefficient of the label "Lesion" [1/mm].
    """
    table = np.zeros(int(phantom.labels.max(initial=0)) + 1, dtype=np.float32)
    for label, name in phantom.names.items():
        if label < table.size:
            table[label] = lesion if name == "Lesion" else MU.get(name, SOFT)
    return table[phantom.labels]
