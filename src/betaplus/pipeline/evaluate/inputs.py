"""The files of the evaluate verb, opened and checked against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.units import activity_unit
from betaplus.io.jsons import read_sidecar
from betaplus.io.labels import load_labels
from betaplus.io.nifti import LazyNifti, open_nifti
from betaplus.io.voxels import load_mask
from betaplus.pipeline.evaluate.request import EvaluateRequest

__all__ = ["Inputs", "frames_of", "load_inputs"]

_MISALIGNED = 0.1  # of a voxel edge, as for masks and labels
_TIMES = ("FrameTimesStart", "FrameDuration")


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """What the verb works on; voxels are read when they are used.

    Attributes:
        reference: What the images should be.
        images: The images.
        names: What each is called in tables: its file's name, or its path where names clash.
        std: Standard deviation image of each, or none.
        mask: Voxels to count, shape (X, Y, Z), or None for those where the reference is above 0.
        labels: Label of every voxel, likewise, or None.
        regions: Label to name.
        background: Labels of the background.
        unit: Unit of the reference, or "" where it does not say.
        remarks: What was found untidy.
    """

    reference: LazyNifti
    images: tuple[LazyNifti, ...]
    names: tuple[str, ...]
    std: tuple[LazyNifti, ...]
    mask: np.ndarray | None
    labels: np.ndarray | None
    regions: dict[int, str]
    background: tuple[int, ...]
    unit: str
    remarks: tuple[str, ...]

    @property
    def n_frames(self) -> int:
        """Frames of every image; 1 for 3-D images."""
        return frame_count(self.reference)

    @property
    def affine(self) -> np.ndarray:
        """Voxel to world matrix, shape (4, 4) [mm]."""
        return self.reference.header.affine


def load_inputs(request: EvaluateRequest) -> Inputs:
    """Open the files; only headers, sidecars, mask and labels are read.

    Raises:
        InputError: If a file cannot be used, or its grid, frames or unit are not the reference's.
        UsageError: If --background names no label.
    """
    reference, said = _open(request.reference)
    unit, remarks = _unit(said, request.reference), list(reference.header.remarks)
    silent = [] if unit else [Path(request.reference).name]
    opened = []
    for path in (*request.images, *request.std):
        file, fields = _open(path)
        _check_grid(file, reference)
        _check_times(file, fields, reference, said)
        own = _unit(fields, path)
        if own and unit and own != unit:
            raise InputError(
                f"{path.name} is in {own} but the reference {_name(reference)} is in {unit}",
                "expected one unit",
                "convert one of them, or correct Units in its JSON",
            )
        silent += [] if own else [path.name]
        remarks += file.header.remarks
        opened.append(file)
    if silent:
        more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
        remarks.append(f"no Units beside {', '.join(silent[:3])}{more}: units were not compared")
    like = PetImage(
        data=reference.with_frames(None),
        affine=reference.header.affine,
        unit=unit,
        source=Path(request.reference),
    )
    mask = None if request.mask is None else load_mask(request.mask, like)
    labels, regions = None, {}
    if request.regions is not None:
        labels, regions = load_labels(request.regions, like)
    count = len(request.images)
    return Inputs(
        reference=reference,
        images=tuple(opened[:count]),
        names=_row_names(request.images),
        std=tuple(opened[count:]),
        mask=mask,
        labels=labels,
        regions=regions,
        background=_background(request, regions),
        unit=unit,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def frame_count(file: LazyNifti) -> int:
    """Return the frames of an image; 1 for a 3-D one."""
    return file.shape[3] if file.ndim == 4 else 1


def frames_of(file: LazyNifti) -> Iterator[np.ndarray]:
    """Yield the frames of an image, each of shape (X, Y, Z) float32, in one pass of the file."""
    if file.ndim == 3:
        yield file.read()
        return
    for _, frame in file.stream():
        yield frame


def _open(path: Path) -> tuple[LazyNifti, dict[str, Any]]:
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder", "expected a NIfTI file")
    file = open_nifti(path)
    return file, read_sidecar(path)[0]


def _name(file: LazyNifti) -> str:
    return file.header.path.name


def _unit(fields: dict[str, Any], path: Path) -> str:
    """The unit that a sidecar gives, in its canonical spelling where that is known, or ""."""
    said = fields.get("Units")
    text = "" if said is None else str(said).strip()
    if text.lower() in ("", "n/a"):
        return ""
    try:
        return activity_unit(text, Path(path).name)
    except InputError:  # maps of parameters have units of their own
        return text


def _check_grid(file: LazyNifti, reference: LazyNifti) -> None:
    name, other = _name(file), _name(reference)
    if file.shape[:3] != reference.shape[:3]:
        raise InputError(
            f"{name} has shape {file.shape} but the reference {other} has {reference.shape}",
            "expected the grid of the reference",
            "resample one of them",
        )
    if frame_count(file) != frame_count(reference):
        raise InputError(
            f"{name} has {frame_count(file)} frames but the reference {other} has"
            f" {frame_count(reference)}",
            "expected as many",
            "give the same frames of both",
        )
    ends = [(0, n - 1) for n in reference.shape[:3]]
    corners = np.stack(np.meshgrid(*ends, [1]), axis=-1).reshape(-1, 4)
    apart = corners @ (file.header.affine - reference.header.affine).T[:, :3]
    off = float(np.linalg.norm(apart, axis=1).max())
    voxel = float(np.linalg.norm(reference.header.affine[:3, :3], axis=0).min())
    if off > _MISALIGNED * voxel:
        raise InputError(
            f"{name} lies {off:.3g} mm away from the reference {other}",
            "expected its affine",
            "resample one of them",
        )


def _check_times(
    file: LazyNifti, fields: dict[str, Any], reference: LazyNifti, said: dict[str, Any]
) -> None:
    if frame_count(reference) == 1:
        return
    for key in _TIMES:
        a, b = fields.get(key), said.get(key)
        if a is not None and b is not None and a != b:
            raise InputError(
                f"{key} of {_name(file)} is not that of the reference {_name(reference)}",
                "expected the same frames",
                "give the same frames of both, or correct the JSON",
            )


def _row_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """File names, or paths where two files have one name; one line of text each."""
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    if len(set(names)) < len(names):
        raise UsageError("an image is given twice", "expected each once")
    return tuple(" ".join(name.split()) for name in names)


def _background(request: EvaluateRequest, regions: dict[int, str]) -> tuple[int, ...]:
    by_name = {name: label for label, name in regions.items()}
    found = []
    for text in request.background:
        label = by_name.get(text)
        if label is None and text.strip().isdecimal() and int(text) in regions:
            label = int(text)
        if label is None:
            some = ", ".join(f"{k} ({v})" for k, v in list(regions.items())[:5])
            raise UsageError(
                f"--background {text} is no label of {Path(str(request.regions)).name}",
                f"expected a label or its name, such as {some}",
            )
        found.append(label)
    return tuple(dict.fromkeys(found))
