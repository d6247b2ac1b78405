"""What the published 3-D DDPM would cost on this machine, from residual blocks that are timed.

Its weights are not ours to use (CC BY-NC-SA), and one call on one of its tiles takes two cores a
quarter of an hour. Timed is a residual block of the kind that nearly all of its work is done
in - group normalisation, SiLU and two 3 x 3 x 3 convolutions - on tiles small enough to repeat, at
widths of the order that its parameters and FLOP ask for. The cost of a volume is its FLOP over the
FLOP per second of the faster block, counting convolutions only: in favour of the published network,
whose first levels, resampling and 1,000 updates of the volume are taken to cost nothing more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["BLOCKS", "PUBLISHED", "PublishedNetwork", "block_flop", "block_rate", "published_cost"]


@dataclass(frozen=True, kw_only=True)
class PublishedNetwork:
    """The network of Yu et al. (EJNMMI 2025), as its code describes it.

    Attributes:
        parameters: Weights.
        tile: Edge of a tile [voxels].
        tile_flop: One call on a tile.
        tiles: Of a volume of 192 x 288 x 520.
        steps: Calls for each tile.
        volume_flop: In all.
    """

    parameters: int = 206_964_610
    tile: int = 96
    tile_flop: float = 118e12
    tiles: int = 6
    steps: int = 1000
    volume_flop: float = 7.1e17


PUBLISHED = PublishedNetwork()

BLOCKS = ((128, 48), (256, 24))
"""Channels and edge of the blocks that are timed."""


def block_flop(width: int, edge: int) -> float:
    """Return the FLOP of the two convolutions of a block; a multiplication and addition are 2."""
    return 2.0 * 2.0 * 27.0 * width**2 * edge**3


def block_rate(width: int, edge: int, *, bf16: bool, repeats: int = 3) -> float:
    """Return FLOP per second of a residual block with torch's present threads, best of repeats.

    Args:
        width: Channels.
        edge: Of the tile [voxels].
        bf16: Whether under autocast to bfloat16.
        repeats: Calls that are timed, after one that is not.
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    groups = min(32, width)
    layers = [
        layer
        for _ in range(2)
        for layer in (nn.GroupNorm(groups, width), nn.SiLU(), nn.Conv3d(width, width, 3, padding=1))
    ]
    block = nn.Sequential(*layers).eval()
    x = torch.randn(1, width, edge, edge, edge)
    best = float("inf")
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        for repeat in range(repeats + 1):
            began = time.perf_counter()
            x + block(x)
            if repeat:
                best = min(best, time.perf_counter() - began)
    return block_flop(width, edge) / best


def published_cost(
    threads: int,
    *,
    repeats: int = 3,
    blocks: Sequence[tuple[int, int]] = BLOCKS,
    network: PublishedNetwork = PUBLISHED,
) -> dict[str, Any]:
    """Return the cost of the published network, in single precision and in bfloat16.

    Args:
        threads: That torch computes with.
        repeats: As for `block_rate`.
        blocks: Channels and edge of each block to time.
        network: What is scaled to.

    Returns:
        ``network``, and for ``fp32`` and ``bf16``: ``timed``, a list of ``channels``, ``edge`` and
        ``flop_per_s``; ``flop_per_s``, the largest of them; scaled from it ``tile_s`` and
        ``volume_s``.
    """
    import torch

    before = torch.get_num_threads()
    out: dict[str, Any] = {"network": asdict(network), "threads": threads}
    torch.set_num_threads(threads)
    try:
        for name, bf16 in (("fp32", False), ("bf16", True)):
            timed = [
                {
                    "channels": width,
                    "edge": edge,
                    "flop_per_s": block_rate(width, edge, bf16=bf16, repeats=repeats),
                }
                for width, edge in blocks
            ]
            rate = max(float(one["flop_per_s"]) for one in timed)
            out[name] = {
                "timed": timed,
                "flop_per_s": rate,
                "tile_s": network.tile_flop / rate,
                "volume_s": network.volume_flop / rate,
            }
    finally:
        torch.set_num_threads(before)
    return out
