"""`cnn3d`: a three-dimensional convolutional network, x, y and time, on every axial slice.

After Xu and Liu, "Three-dimensional convolutional neural networks for simultaneous dual-tracer PET
imaging" (Phys Med Biol 64:185016, 2019), whose convolutions go over space and time. How many layers
and channels it has is nominal.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.separation.problem import SeparatedImages, SeparationProblem

if TYPE_CHECKING:
    from betaplus.separation.bundle import TrainedSeparation

__all__ = ["Cnn3d", "Cnn3dNetwork", "Cnn3dSize"]


@dataclass(frozen=True, kw_only=True)
class Cnn3dSize:
    """What the network is built from.

    Attributes:
        frames: Frames of a sequence, T.
        width: Channels.
        layers: Convolutions.
    """

    frames: int = 18
    width: int = 24
    layers: int = 6

    def __post_init__(self) -> None:
        if min(self.frames, self.width) < 1 or self.layers < 2:
            raise UsageError(f"a 3-D network of {self}", "expected 1 or more, and 2 layers")


class Cnn3dNetwork(nn.Module):
    """A mixed sequence to two sequences, by convolutions over x, y and time.

    Args:
        size: What it is built from.
    """

    def __init__(self, size: Cnn3dSize) -> None:
        super().__init__()
        self.size = size
        widths = [1, *[size.width] * (size.layers - 1), 2]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths):
            layers += [nn.Conv3d(a, b, 3, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])
        self.to(memory_format=torch.channels_last_3d)

    def forward(self, mixture: Tensor) -> Tensor:
        """Return the two sequences one after the other, shape (B, 2T, X, Y).

        Args:
            mixture: In the scale of training, shape (B, T, X, Y).
        """
        volume = mixture[:, None].contiguous(memory_format=torch.channels_last_3d)
        return self.layers(volume).flatten(1, 2)


class Cnn3d:
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
