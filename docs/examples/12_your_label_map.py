"""A scan of your own label map.

Any label image with the names of FreeSurfer or TotalSegmentator becomes a PET image of a tracer,
with the noise of a scanner. Here the label map is made on the spot: a ball of liver, and a smaller
one of spleen in it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel
import numpy as np

import betaplus as bp
from betaplus.io.derivatives import write_table

REGIONS = {1: "liver", 2: "spleen"}


def main(out: Path, quick: bool) -> dict[str, float]:
    """Simulate a PET image of a label map; return the mean SUV of each region."""
    edge = 24 if quick else 48
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, edge),) * 3, indexing="ij")
    labels = np.where(x**2 + y**2 + z**2 < 0.7, 1, 0)
    labels[(x - 0.4) ** 2 + y**2 + z**2 < 0.06] = 2
    out.mkdir(parents=True, exist_ok=True)
    affine = np.diag([200 / edge] * 3 + [1.0])
    path = out / "mine_dseg.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels.astype(np.uint8), affine), path)
    write_table(out / "mine_dseg.tsv", {"index": list(REGIONS), "name": list(REGIONS.values())})

    made = bp.simulation.simulate_static(
        out / "data", anatomy=path, tracer="FDG", lesions=0, dose_fraction=0.2, overwrite=True
    )
    image = bp.load(made["pet"])
    values = np.asarray(image.data[...])
    means = {name: float(values[labels == code].mean()) for code, name in REGIONS.items()}
    for name, value in means.items():
        print(f"{name:7} {value:.3g} {image.unit}")
    return means


if __name__ == "__main__":
    main(Path("out/examples/12_your_label_map"), "--quick" in sys.argv)
