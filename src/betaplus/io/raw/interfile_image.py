"""Images in STIR's Interfile (``.hv`` and ``.v``).

STIR stores (z, y, x) with x fastest, along the axes that `ImageGrid` has: x to the left and y to
the back of a patient head first and supine, z from ring 0 on. Its indices of x and y begin at
-(n // 2), so that voxel n // 2 is on the scanner's axis: for odd n the centre of the image. Its z
begins with 0 at the first ring, half the rings' extent before the centre that `ImageGrid` counts
from. ``first pixel offset`` moves either. Where the scanner is not given, the image is taken to be
centred along z, as one is that STIR made for the scanner's planes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.grid import ImageGrid
from betaplus.core.limits import check_shape
from betaplus.core.scanner import Scanner
from betaplus.io.atomic import atomic_path
from betaplus.io.raw.interfile_data import number_format, read_numbers
from betaplus.io.raw.interfile_header import InterfileHeader

__all__ = ["InterfileImage", "read_interfile_image", "write_interfile_image"]

_AXES = ("x", "y", "z")
_HEAD_FIRST = {"head_in", "unknown", ""}
_SUPINE = {"supine", "unknown", ""}


@dataclass(frozen=True, eq=False, kw_only=True)
class InterfileImage:
    """An image as read; its unit is not in the file.

    Attributes:
        data: Shape (X, Y, Z), float32.
        grid: Where its voxels are.
        fields: The header.
        source: Its file.
        remarks: What was found untidy.
    """

    data: np.ndarray
    grid: ImageGrid
    fields: dict[str, str] = field(default_factory=dict)
    source: Path | None = None
    remarks: tuple[str, ...] = ()

    @property
    def affine(self) -> np.ndarray:
        """Voxel to world, shape (4, 4) [mm], RAS+ for a patient head first and supine."""
        return self.grid.affine


def read_interfile_image(path: str | Path, scanner: Scanner | None = None) -> InterfileImage:
    """Read an image.

    Args:
        path: The header (``.hv``); the file that it names may be compressed (``.v.gz``).
        scanner: Whose first ring z begins at; None takes the image as centred along z.

    Raises:
        InputError: If header and data disagree, it is no static image along x, y and z, or a value
            is NaN or infinite.
    """
    header = InterfileHeader(path)
    if header.required_whole("number of dimensions") != 3:
        raise header.wrong("an image that has not 3 dimensions", "expected x, y, z")
    if header.whole("number of time frames") not in (None, 1):
        raise header.wrong("several time frames", "expected one", "split the file")
    shape, size, offset, remarks = [], [], [], []
    for i, axis in enumerate(_AXES, start=1):
        label = (header.text(f"matrix axis label [{i}]") or axis).lower()
        if label != axis:
            raise header.wrong(f"axis {i} is {label!r}", f"expected {axis!r}")
        n = header.required_whole(f"matrix size [{i}]")
        edge = header.number(f"scaling factor (mm/pixel) [{i}]")
        if n < 1 or edge is None or edge <= 0.0:
            raise header.wrong(f"{n} voxels of {edge} mm along {axis}", "expected numbers above 0")
        shape.append(n)
        size.append(edge)
        offset.append(header.number(f"first pixel offset (mm) [{i}]"))
    x, y, z = shape
    check_shape(shape, header.path.name)
    form = number_format(header)
    stored = read_numbers(header, x * y * z).reshape(z, y, x)
    with np.errstate(over="ignore", invalid="ignore"):
        data = np.ascontiguousarray(stored.transpose(2, 1, 0), dtype=np.float32)
    if form.scale != 1.0:
        data *= np.float32(form.scale)
    bad = data.size - int(np.isfinite(data).sum())
    if bad:
        raise InputError(
            f"{bad} values of {header.path.name} are NaN or infinite", "expected numbers"
        )
    orientation = (header.text("patient orientation") or "").lower()
    rotation = (header.text("patient rotation") or "").lower()
    if orientation not in _HEAD_FIRST or rotation not in _SUPINE:
        remarks.append(
            f"{header.path.name} says {orientation or '?'}, {rotation or '?'}: voxels are along the"
            " scanner's axes, the affine is that of a patient head first and supine"
        )
    return InterfileImage(
        data=data,
        grid=_grid((x, y, z), (size[0], size[1], size[2]), offset, scanner),
        fields=header.fields,
        source=header.path,
        remarks=tuple(remarks),
    )


def write_interfile_image(
    path: str | Path, data: np.ndarray, grid: ImageGrid, scanner: Scanner
) -> None:
    """Write an image as float32, with the offsets that put it where the grid is.

    Args:
        path: The header (``.hv``); numbers go beside it, into ``.v``.
        data: Shape (X, Y, Z).
        grid: Where its voxels are.
        scanner: Whose first ring z begins at.

    Raises:
        UsageError: If the data are not of the grid's shape or the name is another.
        OutputError: If it cannot be written.
    """
    path = Path(path)
    if path.suffix != ".hv":
        raise UsageError(f"{path.name} as a header of an image", "expected a name in .hv")
    if tuple(data.shape) != grid.shape:
        raise UsageError(f"an image of shape {tuple(data.shape)}", f"expected {grid.shape}")
    first = list(grid.first)
    first[2] -= float(scanner.ring_z[0])
    lines: list[tuple[str, object]] = [
        ("!INTERFILE", ""),
        ("!imaging modality", "PT"),
        ("name of data file", path.with_suffix(".v").name),
        ("!version of keys", "STIR6.0"),
        ("!GENERAL DATA", ""),
        ("!GENERAL IMAGE DATA", ""),
        ("!type of data", "PET"),
        ("imagedata byte order", "LITTLEENDIAN"),
        ("!PET STUDY (General)", ""),
        ("patient orientation", "head_in"),
        ("patient rotation", "supine"),
        ("!PET data type", "Image"),
        ("process status", "Reconstructed"),
        ("!number format", "float"),
        ("!number of bytes per pixel", 4),
        ("number of dimensions", 3),
    ]
    for i, axis in enumerate(_AXES, start=1):
        lines += [
            (f"matrix axis label [{i}]", axis),
            (f"!matrix size [{i}]", grid.shape[i - 1]),
            (f"scaling factor (mm/pixel) [{i}]", repr(float(grid.voxel_size[i - 1]))),
            (f"first pixel offset (mm) [{i}]", repr(float(first[i - 1]))),
        ]
    lines.append(("!END OF INTERFILE", ""))
    with atomic_path(path.with_suffix(".v")) as temporary, temporary.open("wb") as file:
        for plane in range(grid.shape[2]):
            values = np.asarray(data[:, :, plane], dtype="<f4").T
            file.write(np.ascontiguousarray(values).tobytes())
    with atomic_path(path) as temporary:
        temporary.write_text(
            "".join(f"{key} := {value}".rstrip() + "\n" for key, value in lines), encoding="ascii"
        )


def _grid(
    shape: tuple[int, int, int],
    size: tuple[float, float, float],
    offset: list[float | None],
    scanner: Scanner | None,
) -> ImageGrid:
    """Return the grid of an image whose first voxel has the given coordinates in STIR."""
    centre = []
    for i in range(3):
        n, edge, first = shape[i], size[i], offset[i]
        middle = 0.5 * (n - 1) * edge
        if i < 2:
            centre.append((-(n // 2) * edge if first is None else first) + middle)
        elif scanner is not None:
            centre.append((first or 0.0) + float(scanner.ring_z[0]) + middle)
        else:
            centre.append(0.0)
    return ImageGrid(shape=shape, voxel_size=size, centre=(centre[0], centre[1], centre[2]))
