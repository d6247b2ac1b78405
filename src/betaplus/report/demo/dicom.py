"""The demo's pictures of DICOM: one map from two kinds of files, and as it is read back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from betaplus.core.units import PARAMETER_UNITS
from betaplus.pipeline.demo.dicom import FromDicom
from betaplus.report.elements import Html, format_unit, table
from betaplus.report.figures.canvas import Picture, picture, style

__all__ = ["DICOM_NOTE", "dicom_images"]

DICOM_NOTE = (
    "The FDG scan once more, as a scanner would store it: a DICOM series, a file for each slice and"
    " frame, with 16-bit numbers. The patlak verb maps Ki from both kinds of files, and writes what"
    " it found as DICOM beside the NIfTI maps, for viewers to lay over the series. The left of the"
    " picture is the left of the head. Simulation; the patient is nobody."
)

_TITLES = {
    "NIfTI": "Ki from NIfTI",
    "DICOM": "Ki from DICOM",
    "DICOM map": "written as DICOM, read back",
}


def dicom_images(found: FromDicom) -> Iterator[Picture | Html]:
    """Yield a row of maps, and how far they are apart."""
    yield _slices(found)
    rows = [
        ["files of the series", f"{found.files:,}"],
        [
            "largest difference of Ki, DICOM and NIfTI",
            f"{100 * found.difference:.2g} % of the largest",
        ],
    ]
    if found.map_file is None:
        rows.append(["the map as DICOM", "not written: highdicom is not installed"])
    else:
        same = np.array_equal(
            found.Ki["DICOM map"].astype(np.float32), found.Ki["DICOM"].astype(np.float32)
        )
        rows.append(["the map as DICOM, read back", "the same" if same else "not the same"])
    yield table(["what", "found"], rows)


def _slices(found: FromDicom) -> Picture:
    from matplotlib.figure import Figure

    first = next(iter(found.Ki.values()))
    middle, top = first.shape[2] // 2, float(np.quantile(first[first > 0], 0.995))
    with style():
        wide = 3.0 * len(found.Ki) + 0.8
        figure = Figure(
            figsize=(wide, 3.0 * first.shape[1] / first.shape[0] + 0.3), layout="constrained"
        )
        rows = figure.subplots(1, len(found.Ki))
        for axes, (name, volume) in zip(rows, found.Ki.items(), strict=True):
            plane = volume[:, :, middle]
            shown = axes.imshow(plane.T, origin="lower", cmap="inferno", vmin=0.0, vmax=top)
            axes.set_title(_TITLES[name], weight="bold")
            axes.set_axis_off()
        bar = figure.colorbar(shown, ax=rows[-1], shrink=0.7, pad=0.02, extend="max")
        bar.set_label(format_unit(PARAMETER_UNITS["Ki"]))
        return picture(figure, "png", "Ki of one slice from NIfTI, from DICOM, and as DICOM")
