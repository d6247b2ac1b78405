"""Posteriors of region curves.

Curves with known parameters are simulated and written as PET-BIDS files, read like anyone's, and
fitted: for each parameter a mean, a median, an SD and an interval.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import betaplus as bp
from betaplus.io.tsv import read_table


def main(out: Path, quick: bool) -> dict[str, float]:
    """Fit curves; return the share of true Ki in the 90 % interval and the median error."""
    made = bp.simulation.simulate_tacs(out / "data", n=8 if quick else 40, overwrite=True)
    tacs, blood = bp.load_tacs(made["tacs"]), bp.load_blood(made["blood"])
    post = bp.kinetics.fit(tacs, blood, model="2TCM", prior="published", seed=0)

    Ki = post["Ki"]
    truth = np.array(read_table(made["truth/kinpar"])["Ki"], dtype=float)
    print("curve   true Ki   median   5 to 95 %          [mL/cm3/min]")
    for i in range(4):
        low, high = Ki.quantiles[0.05][i], Ki.quantiles[0.95][i]
        print(f"{tacs.names[i]:7} {truth[i]:.4f}    {Ki.median[i]:.4f}   {low:.4f} to {high:.4f}")
    inside = (Ki.quantiles[0.05] < truth) & (truth < Ki.quantiles[0.95])
    error = np.median(np.abs(Ki.median / truth - 1))
    print(
        f"{100 * inside.mean():.0f} % of {len(truth)} true values inside, median error {error:.1%}"
    )
    return {"inside": float(inside.mean()), "error": float(error)}


if __name__ == "__main__":
    main(Path("out/examples/01_kinetics_of_regions"), "--quick" in sys.argv)
