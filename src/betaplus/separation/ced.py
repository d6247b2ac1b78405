"""`ced`: a convolutional encoder-decoder on every axial slice.

After Pan, Marsden and Reader, "Dual-Tracer PET Image Separation by Deep Learning: A Simulation
Study" (Applied Sciences 13:4089, 2023), whose frames are channels. How many layers and channels it
has is nominal: about as many weights as `inn-published`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.generative.tiling import pad_end
from betaplus.separation.problem import SeparatedImages, SeparationProblem

if TYPE_CHECKING:
    from betaplus.separation.bundle import TrainedSeparation

__all__ = ["Ced", "CedNetwork", "CedSize"]


@dataclass(frozen=True, kw_only=True)
class CedSize:
    """What the network is built from.

    Attributes:
        frames: Frames of a sequence, T.
        widths: Channels of each level, finest first.
    """

    frames: int = 18
    widths: tuple[int, ...] = (48, 96, 160, 160)

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        if self.frames < 1 or not self.widths or min(self.widths) < 1:
            raise UsageError(f"an encoder-decoder of {self}", "expected whole numbers above 0")


class CedNetwork(nn.Module):
    """A mixed sequence to two sequences, through ever coarser images and back.

    Args:
        size: What it is built from.
    """

    def __init__(self, size: CedSize) -> None:
        super().__init__()
        self.size = size
        w = size.widths
        pairs = list(itertools.pairwise(w))
        self.first = _two(size.frames, w[0])
        self.down = nn.ModuleList(_two(a, b, stride=2) for a, b in pairs)
        self.finer = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in pairs)
        self.up = nn.ModuleList(_two(2 * a, a) for a, _ in pairs)
        self.head = nn.Conv2d(w[0], 2 * size.frames, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, mixture: Tensor) -> Tensor:
        """Return the two sequences one after the other, shape (B, 2T, X, Y).

        Args:
            mixture: In the scale of training, shape (B, T, X, Y).
        """
        shape, multiple = mixture.shape[2:], 2 ** len(self.down)
        padded = pad_end(mixture, [-(-n // multiple) * multiple for n in shape], "edge")
        h = self.first(padded.contiguous(memory_format=torch.channels_last))
        kept = []
        for level in self.down:
            kept.append(h)
            h = level(h)
        for finer, level in reversed(list(zip(self.finer, self.up, strict=True))):
            h = functional.relu(finer(functional.interpolate(h, scale_factor=2.0)))
            h = level(torch.cat([h, kept.pop()], 1))
        return self.head(h)[..., : shape[0], : shape[1]]


def _two(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.ReLU(),
    )


class Ced:
    """The method.

    Args:
        settings: It has none.
        trained: The network.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """Nothing to set."""

    def __init__(self, settings: Settings | None, trained: TrainedSeparation) -> None:
        self.settings, self.trained = settings or self.Settings(), trained

    def fit(
        self,
        problem: SeparationProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> SeparatedImages:
        """Return the images; nothing is random.

        Raises:
            InputError: If the scan has other frames than the network was trained on.
        """
        from betaplus.separation.sequences import separate_slices

        return separate_slices(problem, self.trained, threads=threads, progress=progress)
