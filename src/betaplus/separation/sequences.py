"""Networks that turn the mixed sequence of a slice into the sequences of both tracers.

They were made for one protocol: the frames of a scan have to be those of training. Mixture and
sequences are frame means as measured, not decay-corrected, so that m = s1 + s2, in units of the
largest value of the mixed slice.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from betaplus.core.errors import InputError
from betaplus.core.progress import Progress, Silent
from betaplus.separation.bundle import TrainedSeparation
from betaplus.separation.problem import SeparatedImages, SeparationProblem
from betaplus.separation.published_training import common_scale

__all__ = ["separate_slices"]


def separate_slices(
    problem: SeparationProblem,
    trained: TrainedSeparation,
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> SeparatedImages:
    """Return the images of both tracers, slice by axial slice; nothing is random.

    Args:
        problem: The scan.
        trained: The network: (B, T, X, Y) to (B, 2T, X, Y).
        threads: Slices at work at a time.
        progress: Told of slices.

    Raises:
        InputError: If the scan has other frames than the network was made for.
    """
    frames, wanted = problem.mixture.shape[-1], int(trained.network.size.frames)  # type: ignore
    if frames != wanted:
        raise InputError(
            f"a scan of {frames} frames",
            f"expected {wanted}, which the network was trained on",
            "use weights trained on the frames of the scan, or the method inn, which takes any",
        )
    decay = torch.as_tensor(problem.decay, dtype=torch.float32)
    over = torch.where(decay > 0, 1.0 / decay.clamp_min(1e-30), 0.0)
    x = torch.zeros((2, *problem.mixture.shape))
    told, device = progress or Silent(), trained.device

    def compute(k: int) -> Tensor | None:
        mask = problem.mask[:, :, k]
        if not mask.any():
            return None
        with torch.no_grad(), trained.cast():
            mixture = problem.mixture[:, :, k].permute(2, 0, 1)[None].contiguous()
            scale = common_scale(mixture)
            found = trained.network((mixture / scale).to(device)).float().cpu() * scale
        pair = found[0].reshape(2, frames, *mask.shape).permute(0, 2, 3, 1)
        return pair * over[:, None, None] * mask[..., None]

    count = problem.shape[2]
    told.start("slices", count)
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, count, threads):
            group = range(first, min(first + threads, count))
            for k, pair in zip(group, pool.map(compute, group), strict=True):
                told.advance()
                if pair is not None:
                    x[:, :, :, k] = pair
    told.finish()
    return SeparatedImages(x=x, found={"slices": float(count)})
