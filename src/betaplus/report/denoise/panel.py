"""A frame before and after: slices and projections, differences and SD beside them."""

from __future__ import annotations

from typing import Any

from betaplus.pipeline.denoise.views import KINDS, PLANES, Views
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style

__all__ = ["before_and_after"]

_COLOURS = {"noisy": "gray_r", "denoised": "gray_r", "difference": "RdBu_r", "SD": "viridis"}
_WIDTH = 7.4  # in
_TALLEST = 3.9  # in: of a row
_LEFT, _RIGHT, _TOP, _GAP, _BAR = 0.1, 0.1, 0.3, 0.06, 0.5  # in


def before_and_after(views: Views, unit: str, caption: object = "") -> Picture:
    """Return the pictures of a frame: a column each for noisy, denoised, their difference and SD.

    Args:
        views: Of the frame.
        unit: Of the voxels.
        caption: Line above the figure.
    """
    from matplotlib.figure import Figure
    from matplotlib.patheffects import withStroke

    kinds = [kind for kind in KINDS if ("coronal", kind) in views.images]
    wide = (_WIDTH - _LEFT - _RIGHT - _GAP * (len(kinds) - 1)) / len(kinds)
    across = max(size[0] for size in views.size.values())
    tallest = max(size[1] for size in views.size.values())
    scale = min(wide / across, _TALLEST / tallest)  # in per mm
    talls = [scale * views.size[plane][1] for plane in PLANES]
    height = _TOP + sum(talls) + _GAP * (len(PLANES) - 1) + _BAR
    outline = [withStroke(linewidth=1.6, foreground="white")]
    with style():
        figure = Figure(figsize=(_WIDTH, height))
        for column, kind in enumerate(kinds):
            x = _LEFT + column * (wide + _GAP)
            drawn: Any = None
            y = height - _TOP
            figure.text(
                (x + 0.5 * wide) / _WIDTH, 1 - 0.08 / height, kind, ha="center", va="top",
                fontsize=8.5, weight="bold",
            )  # fmt: skip
            for plane, tall in zip(PLANES, talls, strict=True):
                y -= tall
                image = views.images.get((plane, kind))
                if image is not None:
                    broad = scale * views.size[plane][0]
                    panel = figure.add_axes(
                        ((x + 0.5 * (wide - broad)) / _WIDTH, y / height, broad / _WIDTH,
                         tall / height)
                    )  # fmt: skip
                    low, high = views.ends[kind]
                    drawn = panel.imshow(
                        image.T, origin="lower", cmap=_COLOURS[kind], vmin=low, vmax=high,
                        interpolation="nearest", aspect="auto",
                    )  # fmt: skip
                    panel.set(xticks=[], yticks=[])
                    panel.spines[:].set_color(COLOURS["line"])
                    if column == 0:
                        panel.text(
                            0.03, 0.02, views.place[plane].replace("-", "\u2212"), fontsize=6.5,
                            transform=panel.transAxes, ha="left", va="bottom",
                            path_effects=outline,
                        )  # fmt: skip
                y -= _GAP
            bar_axes = figure.add_axes(
                ((x + 0.1 * wide) / _WIDTH, 0.33 / height, 0.8 * wide / _WIDTH, 0.09 / height)
            )
            extend = "both" if kind == "difference" else "max"
            bar = figure.colorbar(drawn, cax=bar_axes, orientation="horizontal", extend=extend)
            plain_numbers(bar.ax.xaxis)
            bar.ax.locator_params(nbins=3)
            bar.ax.tick_params(labelsize=7)
            bar.set_label(unit, fontsize=7)
            bar.outline.set_visible(False)
        alt = "Slices and projections of the image before and after, and their difference"
        return picture(figure, "png", alt, caption)
