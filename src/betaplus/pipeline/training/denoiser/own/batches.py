"""Parts of a user's pairs, to train with and to validate on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from betaplus.denoising.inputs import Shown, context_of, show
from betaplus.denoising.network import CorrectionNetwork
from betaplus.denoising.noise import measure_noise
from betaplus.pipeline.training.denoiser.own.corpus import OwnScan
from betaplus.pipeline.training.denoiser.own.plan import OwnPlan

__all__ = ["OwnBatches", "OwnValidation"]

_UNTOLD = 0.5  # share of items whose dose the network is not told
_AIR = 0.05  # SUV: of a part that is nearly all air
_TRIES = 8  # at one that is not
_MOST = 96  # parts that validate, of all images together
_LEAST = 1e-3  # of the noise: what may be left of it by an estimate


@dataclass(frozen=True, eq=False, kw_only=True)
class _Part:
    """A part of a pair, images of shape (1, 1, edge, edge, edge)."""

    noisy: Tensor
    target: Tensor
    mean: Tensor
    sd: Tensor
    shown: Shown


def _draw_part(scan: OwnScan, plan: OwnPlan, rng: np.random.Generator, flip: bool) -> _Part:
    for _ in range(_TRIES):
        low = [int(rng.integers(0, n - plan.wide + 1)) for n in scan.voxels.shape[1:]]
        part = (slice(None), *(slice(start, start + plan.wide) for start in low))
        both = np.asarray(scan.voxels[part], np.float32)
        if float(both[0].mean()) > _AIR:
            break
    axes = [axis for axis in range(1, 4) if flip and rng.random() < 0.5]
    noisy, target = torch.from_numpy(np.flip(both, axes).copy())[:, None, None]
    noise = measure_noise(noisy, torch.tensor([scan.width]))
    inner = (slice(plan.margin, plan.margin + plan.edge),) * 3
    at = (..., *inner)
    return _Part(
        noisy=noisy[at],
        target=target[at],
        mean=noise.mean[at],
        sd=noise.sd[at],
        shown=show(noisy, noise)[inner],
    )


class OwnBatches:
    """What the network is fine-tuned with.

    Args:
        scans: Pairs.
        plan: Of the run.
    """

    def __init__(self, scans: Sequence[OwnScan], plan: OwnPlan) -> None:
        self.scans, self.plan = list(scans), plan

    def __call__(
        self, n: int, generator: Generator, rank: int = 0, world: int = 1
    ) -> dict[str, Tensor]:
        """Draw n items and return those of a process, as `mean_loss` takes them."""
        keys = torch.randint(2**62, (n,), generator=generator)[rank::world]
        made = [self._draw(np.random.default_rng(int(key))) for key in keys]
        return {name: torch.cat([item[name] for item in made]) for name in made[0]}

    def _draw(self, rng: np.random.Generator) -> dict[str, Tensor]:
        scan = self.scans[int(rng.integers(len(self.scans)))]
        part = _draw_part(scan, self.plan, rng, flip=True)
        return {
            "z": (part.target - part.noisy) / part.sd,
            "sd": part.sd / part.sd.square().mean().sqrt(),
            "images": part.shown.images,
            "basis": part.shown.basis,
            "told": context_of([None if rng.random() < _UNTOLD else scan.dose], [scan.edges]),
            "ratio": torch.tensor([scan.ratio]),
        }


class OwnValidation:
    """Parts of held-out subjects, judged by their noisy targets.

    The distance to a target is what is left of the noise and the target's own noise. The latter is
    known by counts, r of that of the input, and what is left is estimated without the clean image:
    E|D - x|^2 = E|D - t|^2 - r / (1 + r) E|y - t|^2.

    Args:
        scans: Pairs of subjects that are not trained on.
        plan: Of the run.
        seed: Chooses the parts.
    """

    def __init__(self, scans: Sequence[OwnScan], plan: OwnPlan, seed: int) -> None:
        rng = np.random.default_rng(seed)
        each = max(1, min(plan.boxes, _MOST // len(scans)))
        self.cases = [
            (scan, [_draw_part(scan, plan, rng, flip=False) for _ in range(each)]) for scan in scans
        ]

    def measure(self, network: CorrectionNetwork, bf16: bool) -> dict[str, float]:
        """Return figures, of which ``score`` is the lower the better; means over images.

        Errors count where a local mean of the noisy image is above 0.05 SUV.
        """
        device = next(network.parameters()).device
        distances, gains = [], []
        for scan, parts in self.cases:
            before = after = 0.0
            told = context_of([None], [scan.edges]).to(device)
            for part in parts:
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                    z = network.mean(part.shown.to(device), told).cpu()
                inside = part.mean > _AIR
                apart = part.noisy - part.target
                before += float(apart[inside].square().sum())
                after += float((apart + part.sd * z)[inside].square().sum())
            share = after / max(before, 1e-12)
            noise = 1.0 / (1.0 + scan.ratio)  # share of it that is the input's
            left = max(share - (1.0 - noise), _LEAST * noise)
            distances.append(10.0 * math.log10(max(share, 1e-12)))
            gains.append(-10.0 * math.log10(left / noise))
        score = sum(distances) / len(distances)
        return {
            "score": score,
            "distance to noisy targets [dB]": score,
            "estimated gain [dB]": sum(gains) / len(gains),
        }
