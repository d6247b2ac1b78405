"""What the diffusion priors know: people whom they never saw, denoised."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.core.progress import Progress

__all__ = ["NOISE", "FromPriors", "PriorShown", "from_priors"]

NOISE = 0.3
"""Standard deviation of the white noise, in mean uptakes or SUV."""

_PERSON = 950_000  # of the anatomies that no prior is trained on
_WIDTHS = np.arange(0.4, 3.1, 0.1)


@dataclass(frozen=True, eq=False, kw_only=True)
class PriorShown:
    """One prior at work.

    Attributes:
        name: Of the bundle.
        what: Of which the volume is.
        voxel: Edge [mm].
        volumes: ``truth``, ``noisy``, ``Gaussian`` (of the best width), ``prior``; (X, Y, Z).
        rmse: Of the last three, over the whole volume.
        seconds: Of the prior's pass.
    """

    name: str
    what: str
    voxel: float
    volumes: dict[str, np.ndarray]
    rmse: dict[str, float]
    seconds: float


@dataclass(frozen=True, eq=False, kw_only=True)
class FromPriors:
    """All priors at work.

    Attributes:
        shown: One each.
    """

    shown: tuple[PriorShown, ...]


def from_priors(seed: int, progress: Progress) -> FromPriors:
    """Denoise a head and a body with the priors that ship.

    Args:
        seed: Chooses the people and the noise.
        progress: What to report to.
    """
    from betaplus.generative.image_prior import load_image_prior
    from betaplus.pipeline.training.prior.corpus import simulate_volume
    from betaplus.pipeline.training.prior.plan import PRIORS

    shown = []
    for name, plan in PRIORS.items():
        progress.note(f"the prior {name} at work")
        prior = load_image_prior(name, bf16=True)
        truth = simulate_volume(plan, _PERSON + seed % 1000, 0, seed)
        shown.append(_show(name, plan.anatomy, prior, truth, seed))
    return FromPriors(shown=tuple(shown))


def _show(name: str, what: str, prior: Any, truth: np.ndarray, seed: int) -> PriorShown:
    import torch
    from scipy.ndimage import gaussian_filter

    from betaplus.engine import default_workers
    from betaplus.generative.keyed_noise import keyed_noise
    from betaplus.generative.volume_denoiser import volume_denoiser

    noisy = (truth + NOISE * keyed_noise(seed, 0, (0, 0, 0), truth.shape)).astype(np.float32)
    filtered = {float(w): gaussian_filter(noisy, w) for w in _WIDTHS}
    errors = {w: _rmse(image, truth) for w, image in filtered.items()}
    width = min(errors, key=lambda w: errors[w])
    began = time.perf_counter()
    whole = volume_denoiser(prior, threads=default_workers())
    found = whole(torch.from_numpy(noisy)[None, None], torch.tensor(NOISE))[0, 0].numpy()
    seconds = time.perf_counter() - began
    volumes = {"truth": truth, "noisy": noisy, "Gaussian": filtered[width], "prior": found}
    return PriorShown(
        name=name,
        what=what,
        voxel=prior.voxel,
        volumes=volumes,
        rmse={key: _rmse(image, truth) for key, image in volumes.items() if key != "truth"},
        seconds=seconds,
    )


def _rmse(image: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(image - truth, dtype=np.float64))))
