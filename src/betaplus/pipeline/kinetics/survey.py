"""One pass through an image: its mask, its region curves, and whether its voxels are numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.core.tacs import TacTable
from betaplus.io.labels import load_labels
from betaplus.io.voxels import iterate_slabs, voxel_curves

__all__ = ["Survey", "survey_image"]

_WHOLE = "mean of the mask"
_EXAMPLES = (0.15, 0.5, 0.85)  # quantiles of late activity at which a voxel is shown


@dataclass(frozen=True, eq=False, kw_only=True)
class Survey:
    """What one pass found.

    Attributes:
        mask: Voxels to fit, shape (X, Y, Z).
        curves: Mean curve of each region, shape (N, T) [unit of the image].
        names: The regions.
        labelled: Whether the regions are those of a label image.
        remarks: What was left out.
    """

    mask: np.ndarray
    curves: np.ndarray
    names: tuple[str, ...]
    labelled: bool
    remarks: list[str]

    def table(self, image: PetImage) -> TacTable:
        """Return the region curves as a table."""
        assert image.frames is not None
        return TacTable(
            values=self.curves,
            frames=image.frames,
            unit=image.unit,
            names=self.names,
            tracer=image.tracer,
            decay_corrected_to=image.decay_corrected_to,
            source=image.source,
        )


def survey_image(
    image: PetImage,
    mask: np.ndarray | None,
    labels: Path | None,
    check: Callable[[int], None] | None = None,
) -> Survey:
    """Read an image once, as its file holds it.

    Sums are taken plane by plane, so that the region curves do not depend on the kind of file.

    Args:
        image: Dynamic image.
        mask: Voxels asked for, shape (X, Y, Z), or None for all that are not zero in all frames.
        labels: Label image whose regions' mean curves are wanted; without one, the mean of the
            mask and three of its voxels.
        check: Called with the number of voxels to fit as soon as it is known; may refuse them.

    Raises:
        InputError: If nothing is left to fit, a voxel is no number, or the labels cannot be used.
    """
    shape = image.shape[:3]
    region = np.zeros(shape, dtype=np.int32)
    names: dict[int, str] = {}
    if labels is not None:
        region, names = load_labels(labels, image)
    asked = np.ones(shape, dtype=bool) if mask is None else mask
    region = np.where(asked, region, -1)  # 0: in the mask, without a label
    found, index = np.unique(region, return_inverse=True)
    index = index.reshape(shape)
    sums = np.zeros((image.n_frames, found.size))
    alive = np.zeros(shape, dtype=bool)
    bad = np.zeros(shape, dtype=bool)
    for planes, frames, voxels in iterate_slabs(image):
        n = planes.stop - planes.start
        bins = (index[:, :, planes] + found.size * np.arange(n)).ravel()
        by_frame = np.ascontiguousarray(np.moveaxis(voxels, -1, 0))
        for t, frame in enumerate(by_frame, start=frames.start):
            numbers = np.isfinite(frame)
            bad[:, :, planes] |= ~numbers
            alive[:, :, planes] |= frame != 0
            values = np.where(numbers, frame, 0.0).ravel()
            for row in np.bincount(bins, values, minlength=n * found.size).reshape(n, -1):
                sums[t] += row
    if (bad & asked).any():
        voxel_curves(image, bad & asked)  # says which voxel
    where = image.source.name if image.source else "the image"
    kept = asked & alive
    if not kept.any():
        what = "is zero everywhere" if mask is None else "is zero in all voxels of the mask"
        raise InputError(f"{where} {what}", "expected an image with activity")
    if check is not None:
        check(int(kept.sum()))
    remarks = []
    if mask is not None and (asked & ~alive).any():
        remarks.append(
            f"{int((asked & ~alive).sum())} voxels of the mask are zero in all frames and were"
            " left out"
        )
    counts = np.bincount(index[kept], minlength=found.size)
    sums = np.ascontiguousarray(sums.T)
    inside = found >= 0
    mean = sums[inside].sum(0) / counts[inside].sum()
    rows = [i for i, label in enumerate(found) if label in names and counts[i]]
    if rows:
        return Survey(
            mask=kept,
            curves=sums[rows] / counts[rows, None],
            names=tuple(names[int(found[i])] for i in rows),
            labelled=True,
            remarks=remarks,
        )
    if labels is not None:
        remarks.append(f"no label of {labels.name} lies in the mask")
    curves, examples = _examples(image, kept)
    return Survey(
        mask=kept,
        curves=np.concatenate([mean[None], curves]),
        names=(_WHOLE, *examples),
        labelled=False,
        remarks=remarks,
    )


def _examples(image: PetImage, mask: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the curves of voxels of low, middle and high late activity."""
    late = np.zeros(mask.shape)
    third = image.n_frames - max(1, image.n_frames // 3)
    for planes, frames, voxels in iterate_slabs(image):
        for t in range(max(frames.start, third), frames.stop):
            late[:, :, planes] += voxels[..., t - frames.start]
    voxels = np.argwhere(mask)
    order = np.argsort(late[mask], kind="stable")
    at = sorted({int(order[round(q * (order.size - 1))]) for q in _EXAMPLES})
    chosen = np.zeros_like(mask)
    chosen[tuple(voxels[at].T)] = True
    names = tuple(f"voxel ({i}, {j}, {k})" for i, j, k in voxels[at])
    return voxel_curves(image, chosen).astype(np.float64), names
