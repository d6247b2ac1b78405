"""Binding potential without blood.

A simplified reference tissue model (SRTM) with the cerebellum as reference region, beside MRTM2.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import betaplus as bp
from betaplus.io.tsv import read_table
from betaplus.simulation.reference_tacs import REFERENCE_REGION, simulate_reference_tacs


def main(out: Path, quick: bool) -> dict[str, float]:
    """Fit curves by two models; return the median error of BPND by each."""
    del quick  # it is as quick as can be
    made = simulate_reference_tacs(out / "data", overwrite=True)
    tacs = bp.load_tacs(made["tacs"])
    rows = read_table(made["truth/kinpar"])
    truth = dict(zip(rows["region"], map(float, rows["BPND"]), strict=True))
    targets = [i for i, name in enumerate(tacs.names) if name != REFERENCE_REGION]

    errors = {}
    print("model   median error of BPND")
    for model in ("SRTM", "MRTM2"):
        post = bp.kinetics.fit(tacs, model=model, reference=REFERENCE_REGION, seed=0)
        found = post["BPND"].quantiles[0.5][targets]
        true = np.array([truth[tacs.names[i]] for i in targets])
        errors[model] = float(np.median(np.abs(found / true - 1)))
        print(f"{model:7} {errors[model]:.1%}")
    return errors


if __name__ == "__main__":
    main(Path("out/examples/03_without_blood"), "--quick" in sys.argv)
