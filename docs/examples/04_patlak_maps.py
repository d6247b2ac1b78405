"""Ki with few counts.

Least squares look at each voxel for itself; a kernel looks at voxels that are alike; `hqs` asks a
diffusion prior. Truth is known, so the errors are.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import betaplus as bp
from betaplus.io.nifti import open_nifti


def main(out: Path, quick: bool) -> dict[str, float]:
    """Make maps by several methods; return the NRMSE of Ki by each [%]."""
    made = bp.simulation.simulate_dynamic(
        out / "data",
        anatomy="brain" if quick else "body",
        dose_fraction=0.1 if quick else 0.02,
        overwrite=True,
    )
    scan, blood = bp.load(made["pet"]), bp.load_blood(made["blood"])
    truth = open_nifti(made["truth/Ki"]).read()
    inside = truth > 0

    errors = {}
    for method in ("wls", "kernel") if quick else ("wls", "kernel", "hqs"):
        found = bp.patlak.fit(scan, blood, method=method, t_star=1200.0, seed=0)
        off = (found.maps["Ki"] - truth)[inside]
        errors[method] = 100 * float(np.sqrt((off**2).mean() / (truth[inside] ** 2).mean()))
        print(f"{method:7} NRMSE of Ki {errors[method]:5.1f} %")
    return errors


if __name__ == "__main__":
    main(Path("out/examples/04_patlak_maps"), "--quick" in sys.argv)
