"""Attenuation of any phantom, against densities and the brain's own map."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.simulation.anatomy import LABELS
from betaplus.simulation.body.regions import BODY_LABELS
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.raw.attenuation import mu_map
from betaplus.simulation.tissue_mu import tissue_mu

# Densities [g/cm3] of ICRP Publication 110, times 0.096 cm2/g (bone 0.0895).
EXPECTED = {
    "Fat": 0.95 * 0.096, "Muscle": 1.05 * 0.096, "CorticalBone": 1.92 * 0.0895,
    "Lungs": 0.26 * 0.096, "Liver": 1.05 * 0.096, "RedMarrow": 1.18 * 0.0945,
}  # fmt: skip


def test_coefficients_are_density_times_mass_attenuation():
    labels = np.arange(35, dtype=np.uint8)[:, None, None]
    mu = tissue_mu(Phantom(labels, np.eye(4), BODY_LABELS))[:, 0, 0]
    assert mu.dtype == np.float32
    for label, name in BODY_LABELS.items():
        if name in EXPECTED:
            assert 10 * mu[label] == pytest.approx(EXPECTED[name], rel=0.06), name
        assert (mu[label] == 0) == (name in ("Airways", "BowelGas"))
    assert mu[0] == 0


def test_a_head_has_the_map_that_raw_data_are_made_with():
    labels = np.arange(18, dtype=np.uint8)[:, None, None]
    assert np.array_equal(tissue_mu(Phantom(labels, np.eye(4), LABELS)), mu_map(labels))
