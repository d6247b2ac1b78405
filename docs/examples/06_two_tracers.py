"""Two tracers of one scan.

Flumazenil, and FDG 20 minutes later: one dynamic image becomes two.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import betaplus as bp

TRACERS = ("FMZ", "FDG")


def main(out: Path, quick: bool) -> dict[str, float]:
    """Separate a scan; return the NRMSE of each tracer [%]."""
    made = bp.simulation.simulate_dual(
        out / "data", tracers=TRACERS, delay=1200.0, seed=3, overwrite=True
    )
    mixture = bp.load(made["pet"])
    blood = tuple(bp.load_blood(made[f"blood/{name}"]) for name in TRACERS)
    method = "linear" if quick else "inn"
    found = bp.separation.separate(mixture, TRACERS, 1200.0, blood=blood, method=method, seed=0)

    errors = {}
    for name, image in zip(TRACERS, found.images, strict=True):
        truth = np.asarray(bp.load(made[f"truth/{name}"]).data[...])
        head = truth.any(-1)
        off = (np.asarray(image.data) - truth)[head]
        errors[name] = 100 * float(np.sqrt((off**2).mean() / (truth[head] ** 2).mean()))
        print(f"{name}: NRMSE {errors[name]:.1f} % of all voxels and frames, by {method}")
    return errors


if __name__ == "__main__":
    main(Path("out/examples/06_two_tracers"), "--quick" in sys.argv)
