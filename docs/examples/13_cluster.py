"""The same run on a cluster.

`engine="dask"` starts worker processes of dask on this machine; `dask:ADDRESS` uses a scheduler and
`slurm:CONFIG` a queue. Wherever it runs, the numbers are the same to the last bit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import betaplus as bp


def main(out: Path, quick: bool) -> dict[str, float]:
    """Fit curves inline and on workers; return the largest difference."""
    made = bp.simulation.simulate_tacs(out / "data", n=40 if quick else 400, overwrite=True)
    tacs, blood = bp.load_tacs(made["tacs"]), bp.load_blood(made["blood"])
    found = {
        engine: bp.kinetics.fit(
            tacs, blood, prior="published", delay=0.0, engine=engine, workers=2, seed=0
        )
        for engine in ("inline", "dask")
    }
    off = np.abs(found["inline"]["Ki"].mean - found["dask"]["Ki"].mean).max()
    print(f"largest difference of Ki between inline and dask: {off:g}")
    return {"difference": float(off)}


if __name__ == "__main__":
    main(Path("out/examples/13_cluster"), "--quick" in sys.argv)
