"""Coverage and sparsification of standard deviation images, as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from betaplus.evaluation.images import Sparsification
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style

__all__ = ["uncertainty_panel"]

_HUES = ("blue", "red", "teal", "amber")
_DASHES = (0, (4, 3))


def uncertainty_panel(
    nominal: Sequence[float],
    coverage: Mapping[str, Sequence[float]],
    curves: Mapping[str, Sparsification],
    *,
    caption: object = "",
) -> Picture:
    """Return coverage against nominal probability, and the sparsification error.

    Args:
        nominal: Probabilities of I intervals.
        coverage: Image to share of voxels inside, shape (I,) [%].
        curves: Image to its sparsification.
        caption: Line above the figure.
    """
    from matplotlib.figure import Figure

    width, height, edge = 7.1, 3.1, 2.3
    with style():
        figure = Figure(figsize=(width, height))
        left, rest = (
            figure.add_axes((x / width, 0.45 / height, w / width, edge / height))
            for x, w in ((0.55, edge), (3.5, width - 3.5 - 0.15))
        )
        left.plot((0, 100), (0, 100), color=COLOURS["soft"], lw=0.8, ls=_DASHES)
        rest.axhline(0, color=COLOURS["soft"], lw=0.7, ls=_DASHES)
        for k, (name, shares) in enumerate(coverage.items()):
            colour = COLOURS[_HUES[k % len(_HUES)]]
            left.plot(100 * np.asarray(nominal), shares, "o-", color=colour, ms=3.5, lw=1.2)
            curve = curves[name]
            rest.plot(
                100 * curve.removed, curve.error, color=colour, lw=1.3,
                label=f"{name}, AUSE {curve.ause:.3f}",
            )  # fmt: skip
        left.set(xlim=(0, 100), ylim=(0, 100), xlabel="nominal [%]", ylabel="coverage [%]")
        rest.set(xlim=(0, 100), xlabel="voxels removed [%]", ylabel="sparsification error")
        for axis in (left.xaxis, left.yaxis, rest.xaxis):
            axis.set_ticks((0, 25, 50, 75, 100))
            plain_numbers(axis)
        plain_numbers(rest.yaxis)
        figure.legend(loc="upper right", ncols=min(2, len(coverage)), borderaxespad=0.1)
        return picture(figure, "svg", "Coverage and sparsification error", caption)
