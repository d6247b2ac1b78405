"""One scan, several methods.

The same C-11 curves by `exact`, by non-linear least squares and by Logan's plot: the method is one
word.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import betaplus as bp
from betaplus.io.tsv import read_table


def main(out: Path, quick: bool) -> dict[str, float]:
    """Fit curves by each method; return the median error of VT."""
    slow = {"K1": ("uniform", 0.08, 0.25), "k2": ("uniform", 0.06, 0.15),
            "k3": ("uniform", 0.03, 0.10), "k4": ("uniform", 0.025, 0.07),
            "VB": ("uniform", 0.02, 0.08), "noise": ("uniform", 1.0, 3.0)}  # fmt: skip
    made = bp.simulation.simulate_tacs(
        out / "data", prior=slow, n=6 if quick else 24, tracer="PBR28", overwrite=True
    )
    tacs, blood = bp.load_tacs(made["tacs"]), bp.load_blood(made["blood"])
    truth = np.array(read_table(made["truth/kinpar"])["VT"], dtype=float)

    errors = {}
    print("method   median error of VT")
    for method in ("exact", "nlls", "logan"):
        model = None if method == "logan" else "2TCM"
        post = bp.kinetics.fit(tacs, blood, model=model, method=method, delay=0.0, seed=0)
        VT = post["VT"]
        found = VT.quantiles.get(0.5, VT.mean)
        errors[method] = float(np.median(np.abs(found / truth - 1)))
        print(f"{method:8} {errors[method]:.1%}")
    return errors


if __name__ == "__main__":
    main(Path("out/examples/08_compare_methods"), "--quick" in sys.argv)
