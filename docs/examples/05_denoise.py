"""A whole-body image with a twentieth of its counts.

The network beside a Gaussian filter that is matched to the noise, and what is found of the truth.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import betaplus as bp
from betaplus.core.image import PetImage
from betaplus.simulation.static import draw_static, make_anatomy
from betaplus.simulation.surrogate.styles import QUADRA
from betaplus.simulation.surrogate.surrogate import Surrogate


def main(out: Path, quick: bool) -> dict[str, float]:
    """Denoise a body; return the RMSE against the image without noise [SUV]."""
    out.mkdir(parents=True, exist_ok=True)
    person = make_anatomy("body", 2, voxel=6.0 if quick else 4.0)
    scan = draw_static(person, "FDG", 2, lesions=3)
    scanner = Surrogate(scan.activity, scan.mu, person.voxel_size, QUADRA)
    clean, few = scanner.mean_image(), scanner.image(0.05, seed=0)
    noisy = PetImage(
        data=few, affine=person.affine, unit="SUV",
        metadata={"TracerName": "FDG", "SUVType": "SUVbw"},
    )  # fmt: skip
    volumes = {"noisy": few}
    for method in ("gaussian", "nlm") if quick else ("gaussian", "nlm", "mmse"):
        volumes[method] = np.asarray(bp.denoising.denoise(noisy, method=method).image.data)

    body = clean > 0.1
    errors = {}
    for name, volume in volumes.items():
        errors[name] = float(np.sqrt(((volume - clean)[body] ** 2).mean()))
        print(f"{name:9} RMSE {errors[name]:.3f} {noisy.unit}")
    _draw(out / "picture.png", {**volumes, "no noise": clean})
    return errors


def _draw(path: Path, volumes: dict[str, np.ndarray]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.7 * len(volumes), 3.8), layout="constrained")
    for axes, (name, volume) in zip(figure.subplots(1, len(volumes)), volumes.items(), strict=True):
        plane = volume[:, volume.shape[1] // 2].T
        axes.imshow(plane, origin="lower", cmap="gray_r", vmin=0, vmax=np.percentile(plane, 99))
        axes.set(title=name, xticks=[], yticks=[])
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main(Path("out/examples/05_denoise"), "--quick" in sys.argv)
