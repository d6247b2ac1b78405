"""The demo's pictures of `patlak`: Ki of a body with few counts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from betaplus.core.units import PARAMETER_UNITS
from betaplus.pipeline.demo.patlak import DOSE, FromDynamic
from betaplus.report.elements import Html, format_unit, table
from betaplus.report.figures.canvas import Picture, picture, style

__all__ = ["PATLAK_NOTE", "patlak_images"]

PATLAK_NOTE = (
    f"Ki of a dynamic FDG scan with 1/{1 / DOSE:.0f} of the counts: least squares voxel by voxel,"
    " the same through the Gaussian filter that is best for this very map, joint total variation,"
    " and a diffusion prior of static images (HQS). Seen from the front: the left of the patient is"
    " on the right. Simulation of a person never trained on."
)


def patlak_images(found: FromDynamic) -> Iterator[Picture | Html]:
    """Yield a row of maps, and the errors."""
    yield _maps(found)
    rows = [[name, f"{error:.1f}"] for name, error in found.nrmse.items()]
    yield table(
        ["map", "error [%]"],
        rows,
        caption=(
            "Root mean square errors of Ki in the body, of the root mean square of Ki without"
            f" noise. hqs took {found.seconds:.0f} s."
        ),
    )


def _maps(found: FromDynamic) -> Picture:
    """The coronal slice with the most Ki of each map."""
    from matplotlib.figure import Figure

    clean = found.Ki["no noise"]
    y = int(np.argmax(np.minimum(clean, 0.02).sum((0, 2))))
    top = float(np.quantile(clean[:, y][clean[:, y] > 1e-4], 0.98))
    width, height = clean.shape[0], clean.shape[2]
    unit = format_unit(PARAMETER_UNITS["Ki"])
    with style():
        figure = Figure(figsize=(11.5, 2.3 * height / width + 0.5), layout="constrained")
        rows = figure.subplots(1, len(found.Ki))
        for axes, (name, volume) in zip(rows, found.Ki.items(), strict=True):
            # Turned, so that the patient's left is on the right.
            shown = axes.imshow(volume[::-1, y].T, origin="lower", cmap="magma", vmin=0.0, vmax=top)
            axes.set_title(name, weight="bold")
            axes.set_axis_off()
        figure.colorbar(shown, ax=rows, label=f"Ki [{unit}]", shrink=0.9, extend="max")
        return picture(figure, "png", "Ki by least squares, filtered, by total variation, by hqs")
