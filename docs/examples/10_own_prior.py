"""A prior of your own.

A TOML file replaces what you know better than the default: here that k4 is 0 in this tissue and
that blood volume is near 4 %.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import betaplus as bp

PRIOR = """
k4 = 0.0
VB = {dist = "normal", mean = 0.04, sd = 0.01, low = 0.0, high = 0.2}
"""


def main(out: Path, quick: bool) -> dict[str, float]:
    """Fit with and without it; return the median SD of k3 with each [1/min]."""
    box = {"K1": ("uniform", 0.08, 0.25), "k2": ("uniform", 0.06, 0.15),
           "k3": ("uniform", 0.03, 0.10), "VB": ("uniform", 0.03, 0.05),
           "noise": ("uniform", 2.0, 4.0)}  # fmt: skip
    made = bp.simulation.simulate_tacs(
        out / "data", prior=box, n=6 if quick else 24, overwrite=True
    )
    tacs, blood = bp.load_tacs(made["tacs"]), bp.load_blood(made["blood"])
    own = out / "prior.toml"
    own.write_text(PRIOR)

    spread = {}
    for prior in ("default", str(own)):
        post = bp.kinetics.fit(tacs, blood, prior=prior, delay=0.0, seed=0)
        name = Path(prior).stem
        spread[name] = float(np.median(post["k3"].std))
        print(f"{name:8} median SD of k3 {spread[name]:.4f} 1/min")
    return spread


if __name__ == "__main__":
    main(Path("out/examples/10_own_prior"), "--quick" in sys.argv)
