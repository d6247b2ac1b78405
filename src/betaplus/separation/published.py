r"""The network of Sun et al. (DTS-INN, IEEE TRPMS 2024), for the record.

Eight blocks, each an LU 1x1 convolution and an affine coupling with dense sub-networks, map the
mixed sequence of a slice, given twice as 2T channels, to the sequences of the two tracers. As
published, connections skip blocks on the way forward and not on the way back, which makes the
network not invertible: the way back does not return what went in. Without them it is invertible
exactly, and then the published cycle loss, the inverse of the prediction against the mixture, is 0
whatever the weights are and trains nothing.

Which blocks the skips join is nominal here: the output of block k is added to the input of block
N - k + 1, as in a U-Net.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from betaplus.core.errors import InputError, UsageError
from betaplus.generative.invertible.network import InvertibleNetwork, InvertibleSize
from betaplus.generative.invertible.subnetwork import DenseSize

__all__ = ["PublishedNetwork", "PublishedSize", "duplicated"]


@dataclass(frozen=True, kw_only=True)
class PublishedSize:
    """What the network is built from; the defaults are those of the paper.

    Attributes:
        frames: Frames of a sequence, T.
        blocks: How many.
        growth: Images that a convolution of a dense block adds.
        convolutions: Of a dense block.
        clamp: The largest |log scale| of a coupling.
        skips: Whether connections skip blocks on the way forward.
    """

    frames: int = 18
    blocks: int = 8
    growth: int = 32
    convolutions: int = 5
    clamp: float = 0.8
    skips: bool = True

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise UsageError(f"a network of {self.frames} frames", "expected at least 1")

    def invertible(self) -> InvertibleSize:
        """Return the size of the invertible network that this is without skips."""
        return InvertibleSize(
            dimensions=2,
            halves=(self.frames, self.frames),
            blocks=self.blocks,
            subnetwork=DenseSize(convolutions=self.convolutions, growth=self.growth),
            clamp=self.clamp,
        )


class PublishedNetwork(nn.Module):
    """A mixed sequence to two sequences, and back.

    Args:
        size: What it is built from.
    """

    def __init__(self, size: PublishedSize) -> None:
        super().__init__()
        self.size = size
        self.network = InvertibleNetwork(size.invertible())

    def forward(self, mixture: Tensor) -> Tensor:
        """Return the two sequences one after the other, shape (B, 2T, X, Y).

        Args:
            mixture: In the scale of training, shape (B, T, X, Y).
        """
        return self.separate(duplicated(mixture))

    def separate(self, pair: Tensor) -> Tensor:
        """Return what comes of two sequences of the mixture, shape (B, 2T, X, Y) both.

        Raises:
            InputError: If the sequences have not the frames that the network was made for.
        """
        self._check(pair)
        if not self.size.skips:
            return self.network(pair)[0]
        blocks = self.network.blocks
        kept: list[Tensor] = []
        for k, block in enumerate(blocks):
            if k >= len(blocks) - len(blocks) // 2:
                pair = pair + kept[len(blocks) - k - 1]
            pair = block(pair)[0]
            if k < len(blocks) // 2:
                kept.append(pair)
        return pair

    def mix_back(self, pair: Tensor) -> Tensor:
        """Return what the blocks make of two sequences backwards, without skips.

        Args:
            pair: Shape (B, 2T, X, Y).

        Raises:
            InputError: As for `separate`.
        """
        self._check(pair)
        return self.network.inverse(pair)

    def _check(self, pair: Tensor) -> None:
        if pair.shape[1] != 2 * self.size.frames:
            raise InputError(
                f"sequences of {pair.shape[1] / 2:g} frames",
                f"expected {self.size.frames}, which this network was made for",
                "use weights trained on the frames of the scan, or the method inn, which takes any",
            )


def duplicated(mixture: Tensor) -> Tensor:
    """Return the mixture (B, T, X, Y) twice, shape (B, 2T, X, Y)."""
    return torch.cat([mixture, mixture], 1)
