"""The viewer of the reports in a notebook: a page of its own inside a frame, without a network."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np

from betaplus.core.image import PetImage
from betaplus.report.notebook.plots import mean_of
from betaplus.report.page import Page
from betaplus.report.viewer import Layer, curves_of, slice_viewer

__all__ = ["Slices", "slices_of"]

_HEIGHT = 900  # px


@dataclass(frozen=True, eq=False)
class Slices:
    """A page with a viewer.

    Attributes:
        page: It; ``page.write(path)`` keeps it as a file that needs nothing else.
    """

    page: Page

    def _repr_html_(self) -> str:
        document = html.escape(self.page.html(), quote=True)
        return (
            f'<iframe srcdoc="{document}" style="width:100%;height:{_HEIGHT}px;border:0"'
            ' sandbox="allow-scripts"></iframe>'
        )


def slices_of(image: PetImage, frame: int | None = None) -> Slices:
    """Return the viewer of an image, as `betaplus.core.image.PetImage.view`.

    Raises:
        UsageError: If there is no such frame.
    """
    volume, title = mean_of(image, frame)
    name = image.source.name if image.source is not None else "PetImage"
    page = Page(name, title)
    layer = Layer(title, volume, image.unit, "uptake")
    viewer = slice_viewer({title: [layer]}, np.asarray(image.affine), curves=curves_of(image))
    page.add_section("Slices", viewer, "Click into a slice or move a slider: all slices follow.")
    return Slices(page)
