"""What is computed once for all pieces has the same bits with any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from betaplus.denoising import non_local
from betaplus.denoising.guard import guard
from betaplus.denoising.kept_means import kept_means
from betaplus.denoising.noise import NoiseMaps
from betaplus.denoising.non_local import non_local_means

SHAPE = (41, 20, 18)


def volumes(number: int) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [0.2 + 3.0 * torch.rand((1, 1, *SHAPE), generator=draw) for _ in range(number)]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_means_of_slabs_are_those_of_the_whole(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, scale, *bands = volumes(6)
    noise = NoiseMaps(
        mean=image, scale=scale, level=torch.tensor([0.3]), bands=torch.cat(bands, 1),
        details=torch.cat(bands[:3], 1) - 1.0, width=torch.tensor([1.0]),
    )  # fmt: skip
    whole = non_local_means(image, noise)
    monkeypatch.setattr(non_local, "_SLAB", 20 * 18 * 11)
    assert torch.equal(non_local_means(image, noise, threads), whole)


def test_kept_means_and_guard_do_not_depend_on_threads() -> None:
    denoised, sd = volumes(2)
    residual = torch.randn((1, 1, *SHAPE), generator=torch.Generator().manual_seed(1)) * sd
    one, two = (kept_means(residual, denoised, (4.0, 4.0, 4.0), n) for n in (1, 2))
    assert torch.equal(one, two) and float(one.std()) > 0.0
    blob = torch.zeros_like(denoised)
    blob[..., 8:12, 8:12, 8:12] = 9.0
    noisy = denoised + residual + blob
    alone, shared = (guard(noisy, denoised, sd, (4.0, 4.0, 4.0), threads=n) for n in (1, 3))
    assert alone.findings and repr(alone.as_dict()) == repr(shared.as_dict())
    assert np.isfinite(alone.findings[0].z)
