"""Train a diffusion prior of your own images.

A few minutes on small images show the way: a folder of NIfTI files becomes a bundle of weights that
`patlak --bundle` and `reconstruct --bundle` take. Real priors take hours (see the page on priors).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

import betaplus as bp
from betaplus.generative.image_prior import load_image_prior, uptake_level
from betaplus.pipeline.training.prior.train import train_prior

PLAN = """
name = "mine2d"
dimensions = 2
voxel = 4.0
edge = 32
widths = [8, 16]
blocks = 1
batch = 8
bf16 = false
"""


def main(out: Path, quick: bool) -> dict[str, float]:
    """Train on simulated heads; return the error of noisy slices before and after the prior."""
    images = out / "images"
    for seed in range(3 if quick else 13):
        bp.simulation.simulate_static(images / f"sub-{seed:02d}", seed=seed, overwrite=True)
    config = out / "plan.toml"
    config.write_text(PLAN + f"steps = {20 if quick else 1500}\n")
    bundle = train_prior(out / "training", config=config, data=images, overwrite=True)

    prior = load_image_prior("mine2d", bundle)
    fresh = bp.simulation.simulate_static(out / "fresh", seed=99, overwrite=True)
    volume = np.asarray(bp.load(fresh["truth/pet"]).data[...])
    slices = torch.from_numpy(volume[:, :, 18:22] / uptake_level(volume))
    clean = slices.permute(2, 0, 1)[:, None].float()
    clean = torch.nn.functional.pad(clean, (0, -clean.shape[-1] % 8, 0, -clean.shape[-2] % 8))
    noisy = clean + 0.3 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    found = prior(noisy, 0.3)
    errors = {"noisy": 0.3, "prior": float((found - clean).square().mean().sqrt())}
    print(f"error of noisy slices {errors['noisy']:.2f}, of the prior {errors['prior']:.3f}")
    return errors


if __name__ == "__main__":
    main(Path("out/examples/11_train_a_prior"), "--quick" in sys.argv)
