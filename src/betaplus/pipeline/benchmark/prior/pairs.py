"""How much white noise a prior of pairs takes away from each map, beside one that sees it alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from betaplus.pipeline.benchmark.prior.cases import Case
from betaplus.pipeline.benchmark.prior.denoising import (
    Denoising,
    compare_errors,
    estimate,
    noisy_images,
)

if TYPE_CHECKING:
    from torch import Tensor

    from betaplus.generative.image_prior import ImagePrior

__all__ = ["map_of", "measure_pairs"]


def map_of(case: Case, index: int, name: str) -> Case:
    """Return one map of pairs as a case of its own."""
    part = slice(index, index + 1)
    return dataclasses.replace(
        case, name=f"{case.name}: {name}", images=case.images[:, part], there=case.there[:, part]
    )


def measure_pairs(
    case: Case,
    priors: Mapping[str, ImagePrior],
    sigma: float,
    names: Sequence[str],
    seed: int = 0,
) -> list[Denoising]:
    """Return the errors of denoisers and of the best filter for each map.

    Args:
        case: Clean pairs.
        priors: By name; those of one image see every map alone.
        sigma: Noise level of both maps [SUV].
        names: Of the maps.
        seed: Of the noise.
    """
    noisy = noisy_images(case, sigma, seed)
    found = {name: _estimate(prior, noisy, sigma, case) for name, prior in priors.items()}
    return [
        compare_errors(
            map_of(case, i, name),
            noisy[:, i : i + 1],
            {key: maps[:, i : i + 1] for key, maps in found.items()},
            sigma,
        )
        for i, name in enumerate(names)
    ]


def _estimate(prior: ImagePrior, noisy: Tensor, sigma: float, case: Case) -> Tensor:
    import torch

    if prior.images:
        return estimate(prior, noisy, sigma, case)
    return torch.cat([estimate(prior, noisy[:, i : i + 1], sigma, case) for i in range(2)], 1)
