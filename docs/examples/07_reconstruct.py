"""From raw counts to an image.

The counts of a small scanner by OSEM and by penalised maximum likelihood with the patch prior.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import betaplus as bp
from betaplus.core.grid import ImageGrid
from betaplus.evaluation.images import nrmse
from betaplus.io.raw.open_raw import open_raw
from betaplus.reconstruction.reconstruct import reconstruct
from betaplus.simulation.raw.simulate import simulate_raw

METHODS = {"osem": {"iterations": 2}, "map-em": {"iterations": 4}}


def main(out: Path, quick: bool) -> dict[str, float]:
    """Reconstruct; return the NRMSE in the head by each method [%]."""
    made = simulate_raw(out / "data", counts=5e6, seed=0, overwrite=True)
    scan = open_raw(made["raw"])
    print(f"{np.asarray(scan.prompts[...]).sum():,.0f} prompts")
    image = bp.load(made["truth/pet"])
    truth = np.asarray(image.data[...]).reshape(image.shape[:3])
    grid = ImageGrid(shape=truth.shape, voxel_size=image.voxel_size)

    errors = {}
    for method, settings in METHODS.items():
        if quick and method == "map-em":
            continue
        found = reconstruct(scan, grid=grid, method=method, settings={**settings, "subsets": 14})
        errors[method] = nrmse(np.asarray(found.data), truth, truth > 0)
        print(f"{method:7} NRMSE {errors[method]:.1f} %")
    return errors


if __name__ == "__main__":
    main(Path("out/examples/07_reconstruct"), "--quick" in sys.argv)
