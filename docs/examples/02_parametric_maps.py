"""Maps of a posterior.

Every voxel of a slab of a simulated FDG head: the posterior median of Ki beside its SD.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import betaplus as bp
from betaplus.io.nifti import open_nifti


def main(out: Path, quick: bool) -> dict[str, float]:
    """Fit a slab; return the correlation of the median of Ki with the truth."""
    made = bp.simulation.simulate_dynamic(out / "data", seed=1, overwrite=True)
    scan, blood = bp.load(made["pet"]), bp.load_blood(made["blood"])
    truth = open_nifti(made["truth/Ki"]).read()
    slab = np.zeros(truth.shape, bool)
    slab[:, :, 14 : 15 if quick else 17] = truth[:, :, 14 : 15 if quick else 17] > 0
    if quick:
        slab[::2] = False
    post = bp.kinetics.fit(scan, blood, mask=slab, delay=0.0, seed=0)

    Ki = post["Ki"]
    print(f"{slab.sum():,} voxels; median Ki {np.median(Ki.median[slab]):.4f} mL/cm3/min,")
    print(f"median SD {np.median(Ki.std[slab]):.4f}")
    _draw(out / "picture.png", np.where(slab, Ki.median, np.nan), Ki.std, truth)
    return {"correlation": float(np.corrcoef(Ki.median[slab], truth[slab])[0, 1])}


def _draw(path: Path, median: np.ndarray, sd: np.ndarray, truth: np.ndarray) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.0), layout="constrained")
    panels = figure.subplots(1, 3)
    for axes, (name, volume) in zip(
        panels, {"truth": truth, "median": median, "SD": sd}.items(), strict=True
    ):
        plane = np.where(np.isfinite(median[:, :, 14]), volume[:, :, 14], np.nan)
        top = np.nanpercentile(plane, 98)
        shown = axes.imshow(plane.T, origin="lower", cmap="inferno", vmin=0, vmax=top)
        axes.set(title=f"Ki, {name}", xticks=[], yticks=[])
        figure.colorbar(shown, ax=axes, shrink=0.8, label="mL/cm3/min")
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main(Path("out/examples/02_parametric_maps"), "--quick" in sys.argv)
