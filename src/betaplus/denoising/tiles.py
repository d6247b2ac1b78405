"""Tiles of a volume, no larger than they need be."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["even_tiles"]


def even_tiles(shape: Sequence[int], tile: int, overlap: int, multiple: int) -> tuple[int, ...]:
    """Return edges of tiles along each axis: as few tiles as of the edge `tile`, and even ones.

    115 voxels take two tiles of 96 that overlap by 24, or two of 72.

    Args:
        shape: Of the volume.
        tile: Largest edge.
        overlap: Of neighbours, at least.
        multiple: What edges are multiples of.
    """
    if tile - overlap < multiple or tile % multiple:
        return (tile,) * len(shape)  # `plan_tiles` says what is wrong with it
    edges = []
    for n in shape:
        if n <= tile:  # one tile, as long as the axis
            edges.append(tile)
            continue
        count = -(-(n - overlap) // (tile - overlap))
        edge = -(-(n + (count - 1) * overlap) // count)
        edges.append(min(-(-edge // multiple) * multiple, tile))
    return tuple(edges)
