"""Curves with a reference region: the relations that define R1 and BPND."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import OutputError
from betaplus.io.open import load
from betaplus.io.tsv import column_numbers, read_table
from betaplus.kinetics import fit
from betaplus.simulation.reference_tacs import REFERENCE_REGION, simulate_reference_tacs


def test_reference_study(tmp_path):
    """SRTM with a method that shares no code with the simulation's finds BPND to 12 % or .05."""
    paths = simulate_reference_tacs(tmp_path, seed=3)
    table = load(paths["tacs"])
    truth = read_table(paths["truth/kinpar"])
    assert list(table.names) == truth["region"] and table.names[0] == REFERENCE_REGION
    BPND = column_numbers(truth["BPND"], "BPND", "truth")
    post = fit(table, reference=REFERENCE_REGION, method="mrtm2", engine="inline")
    found = np.asarray(post["BPND"].mean)
    assert BPND[0] == 0 and abs(found[0]) < 1e-3
    np.testing.assert_allclose(found[1:], BPND[1:], rtol=0.12, atol=0.05)
    with pytest.raises(OutputError, match="exists"):
        simulate_reference_tacs(tmp_path, seed=3)
