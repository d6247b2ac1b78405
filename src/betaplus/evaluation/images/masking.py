"""The voxels that a measure is taken over."""

from __future__ import annotations

import numpy as np

from betaplus.core.errors import InputError

__all__ = ["inside"]


def inside(mask: np.ndarray | None, **volumes: np.ndarray) -> list[np.ndarray]:
    """Return each volume's voxels in the mask as float64, shape (n,), in the order given.

    Args:
        mask: Voxels to keep, boolean, in the shape of the volumes; None for all.
        volumes: What each is called in messages, and its voxels, all of one shape.

    Raises:
        InputError: If shapes differ, the mask holds no voxel, or a voxel in it is no finite number.
    """
    shapes = {name: np.shape(volume) for name, volume in volumes.items()}
    shape = next(iter(shapes.values()))
    if mask is not None:
        shapes["mask"] = np.shape(mask)
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{name} {value}" for name, value in shapes.items())
        raise InputError(f"shapes differ: {found}", "expected one grid")
    keep = np.ones(shape, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if not keep.any():
        raise InputError("no voxel lies in the mask", "expected one or more")
    out = []
    for name, volume in volumes.items():
        values = np.asarray(volume)[keep].astype(np.float64)
        bad = ~np.isfinite(values)
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            voxel = tuple(int(i) for i in np.argwhere(keep)[first])
            raise InputError(
                f"{name} holds {values[first]} at voxel {voxel} ({int(bad.sum())} such voxels"
                " in the mask)",
                "expected numbers",
                "repair it or give a mask without them",
            )
        out.append(values)
    return out
