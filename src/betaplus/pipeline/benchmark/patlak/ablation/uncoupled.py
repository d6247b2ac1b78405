"""Maps denoised without what the data say of both together: what the full method is held against.

- `uncoupled`: `hqs` whose data step treats Ki and V0 as two problems (`coupled=False`).
- `each map`: the same, with the noise levels of each map its own, as if it were the only one.
- `one call`: each map of weighted least squares through the prior once, told its own noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from betaplus.core.crew import ThreadCrew
from betaplus.generative.image_prior import ImagePrior
from betaplus.patlak.hqs import Hqs
from betaplus.patlak.noise_map import deviation, noise_map, tissue
from betaplus.patlak.orientation import RasAxes
from betaplus.patlak.prior import Denoiser, prior_denoiser
from betaplus.patlak.problem import PatlakMaps, PatlakProblem
from betaplus.patlak.study import Study
from betaplus.pipeline.benchmark.patlak.scores import MAPS

__all__ = ["VARIANTS", "noise_of_maps", "one_call", "run_variant", "uncoupled"]


def uncoupled(
    problem: PatlakProblem, prior: ImagePrior | Denoiser, settings: Mapping[str, Any]
) -> Tensor:
    """Return the maps of `hqs` without the coupling, shape (2, X, Y, Z) [SUV]."""
    return Hqs(Hqs.Settings(coupled=False, **settings), prior).fit(problem).u


def each_map(
    problem: PatlakProblem, prior: ImagePrior | Denoiser, settings: Mapping[str, Any]
) -> Tensor:
    """Return the maps of two runs of `hqs` without the coupling, noise levels those of each."""
    own = noise_of_maps(problem)
    both = float(np.sqrt(np.mean(np.square(own))))
    defaults = Hqs.Settings()
    maps = []
    for i, noise in enumerate(own):
        share = noise / both
        levels = {
            name: float(settings.get(name, getattr(defaults, name))) * share
            for name in ("first", "last")
        }
        maps.append(uncoupled(problem, prior, {**settings, **levels})[i])
    return torch.stack(maps)


def one_call(
    problem: PatlakProblem, prior: ImagePrior | Denoiser, settings: Mapping[str, Any]
) -> Tensor:
    """Return the maps of weighted least squares after one call of the prior for each.

    Args:
        problem: The scan.
        prior: Of static images, or a denoiser.
        settings: ``level``: what the prior is told, over the noise of each map.
    """
    denoise = prior_denoiser(prior, problem, ThreadCrew())
    u = problem.least_squares() * problem.mask
    told = [settings["level"] * noise for noise in noise_of_maps(problem)]
    maps = torch.stack([denoise(u, sigma)[i] for i, sigma in enumerate(told)])
    return maps.clamp_min(0.0) * problem.mask


VARIANTS = {"uncoupled": uncoupled, "each map": each_map, "one call": one_call}
"""Name to function."""


def noise_of_maps(problem: PatlakProblem) -> list[float]:
    """Return the SD of each map of weighted least squares, the median over tissue [SUV]."""
    sd = deviation(problem, noise_map(problem))
    inside = torch.from_numpy(tissue(problem))
    return [float(values[inside].median()) for values in sd]


def run_variant(
    study: Study, variant: str, prior: ImagePrior, settings: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Return ``Ki`` and ``V0`` of a variant, shape (X, Y, Z).

    Args:
        study: The scan.
        variant: Of `VARIANTS`.
        prior: The prior.
        settings: Of the variant.
    """
    axes = RasAxes(study.image.affine, study.problem)
    u = VARIANTS[variant](axes.turn(study.problem), prior, settings)
    u = axes.back(PatlakMaps(u=u, found={})).u
    scale = study.problem.scale.float()
    return {name: (u[i] * scale[i]).numpy() for i, name in enumerate(MAPS)}
