"""A label image with names as a phantom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError
from betaplus.io.jsons import read_json, sidecar_path
from betaplus.io.labels import label_table
from betaplus.io.nifti import open_nifti
from betaplus.io.tsv import read_table
from betaplus.simulation.anatomy import LABELS
from betaplus.simulation.labelled import freesurfer, totalsegmentator
from betaplus.simulation.labelled.names import AIR, region_of
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.uptake.regions import REGIONS

__all__ = ["read_anatomy", "to_phantom"]

_MOST = 100  # unknown names that an error lists
_CONVENTIONS: Mapping[str, Mapping[int, str]] = {
    "FreeSurfer": freesurfer.INDICES,
    "TotalSegmentator": totalsegmentator.INDICES,
}


def read_anatomy(path: str | Path) -> Phantom:
    """Return the phantom of a label image; its grid is kept.

    Names come from, first found: the BIDS table beside it (``index``, ``name``), a JSON of indices
    and names beside it, a table inside it, or its indices, where only FreeSurfer's or only
    TotalSegmentator's fit. Voxels of label 0 are air.

    Args:
        path: The label image.

    Raises:
        InputError: If it is no label image, a label has no name, or a name is not known.
    """
    path = Path(path)
    file = open_nifti(path)
    if len(file.shape) != 3 and file.shape[3:] != (1,):
        raise InputError(f"{path.name} has shape {file.shape}", "expected one volume of labels")
    values = file.read().reshape(file.shape[:3])
    distinct = np.unique(values)
    if not np.isfinite(distinct).all() or (distinct % 1 != 0).any() or distinct[0] < 0:
        raise InputError(f"{path.name} holds fractions, NaN or values below 0", "expected labels")
    found = [int(v) for v in distinct if v != 0]
    if not found:
        raise InputError(f"{path.name} is 0 everywhere", "expected labels above 0")
    names = _names(path, found)
    return to_phantom(values.astype(np.int32), file.header.affine, names, path.name)


def to_phantom(
    labels: np.ndarray, affine: np.ndarray, names: Mapping[int, str], where: str
) -> Phantom:
    """Return the phantom of labels with names.

    Args:
        labels: Whole numbers, shape (X, Y, Z); 0 is air.
        affine: Voxel to world matrix [mm].
        names: Label to name.
        where: What errors call it.

    Raises:
        InputError: If a label has no name or a name is not known.
    """
    found = [int(v) for v in np.unique(labels) if v != 0]
    nameless = [str(label) for label in found if label not in names]
    if nameless:
        raise InputError(
            f"labels {', '.join(nameless[:_MOST])} of {where} have no name",
            "expected one for each",
            "name them in a table beside it (index, name)",
        )
    regions = {label: region_of(names[label]) for label in found}
    unknown = sorted({names[label] for label, region in regions.items() if region is None})
    if unknown:
        raise InputError(
            f"names in {where} are unknown: {', '.join(unknown[:_MOST])}",
            f"expected FreeSurfer's, TotalSegmentator's or some of {', '.join(REGIONS)}",
            "rename them in a table beside it (index, name)",
        )
    present = [r for r in REGIONS if r in regions.values()]
    ours = {name: label for label, name in LABELS.items()}
    if not set(present) <= set(ours):
        ours = {name: i for i, name in enumerate(present, start=1)}
    table = np.zeros(max(found) + 1, dtype=np.uint8)
    for label, region in regions.items():
        table[label] = 0 if region == AIR else ours[str(region)]
    return Phantom(
        table[labels], np.asarray(affine, dtype=np.float64), {ours[r]: r for r in present}
    )


def _names(path: Path, found: list[int]) -> dict[int, str]:
    table, described = label_table(path), sidecar_path(path)
    if table.exists():
        columns = read_table(table)
        if "index" not in columns or "name" not in columns:
            raise InputError(
                f"no columns index and name in {table.name}", "expected a BIDS label table"
            )
        return _indexed(zip(columns["index"], columns["name"], strict=True), table.name)
    if described.exists():
        fields = read_json(described)
        named = fields.get("labels", fields)
        if isinstance(named, Mapping) and named and all(str(k).isdigit() for k in named):
            return _indexed(((str(k), str(v)) for k, v in named.items()), described.name)
    inside = _inner_table(path)
    if inside:
        return inside
    fitting = [name for name, table in _CONVENTIONS.items() if set(found) <= set(table)]
    if len(fitting) == 1:
        return dict(_CONVENTIONS[fitting[0]])
    if "aseg" in path.name and "FreeSurfer" in fitting:
        return dict(freesurfer.INDICES)
    shown = ", ".join(map(str, found[:20])) + (" ..." if len(found) > 20 else "")
    raise InputError(
        f"labels {shown} of {path.name} have no names",
        "expected those of FreeSurfer or of TotalSegmentator"
        + (", but both fit" if fitting else ""),
        f"give {label_table(path).name} with columns index and name",
    )


def _indexed(pairs: object, where: str) -> dict[int, str]:
    out = {}
    for index, name in pairs:  # type: ignore[attr-defined]
        if not re.fullmatch(r"\s*\d+\s*", str(index)):
            raise InputError(f"index {index!r} in {where} is no whole number")
        if name:
            out[int(index)] = str(name)
    return out


def _inner_table(path: Path) -> dict[int, str]:
    """Names in the file's own extension, as TotalSegmentator and Connectome Workbench write."""
    import nibabel

    image = nibabel.load(path)
    for extension in getattr(image.header, "extensions", []):
        content = extension.get_content()
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
        pattern = r'<Label Key="(\d+)"[^>]*>\s*(?:<!\[CDATA\[)?([^\]<]+)'
        named = {int(k): v.strip() for k, v in re.findall(pattern, text)}
        if named:
            return named
    return {}
