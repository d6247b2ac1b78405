"""The demo's pictures of `separate`: two tracers of one scan."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.pipeline.demo.separate import FromDual
from betaplus.report.elements import Html, table
from betaplus.report.figures.canvas import Picture, picture, style

__all__ = ["separate_images", "separate_note"]

_KILO = 1e3


def separate_note(found: FromDual) -> str:
    """Return what the section shows."""
    first, second = found.tracers
    return (
        f"One scan of a head with {first}, and {second} {found.delay / SECONDS_PER_MINUTE:.0f}"
        f" minutes later: the mean over the frames that hold both, and each tracer by method"
        f" {found.method} beside the truth; the left of the picture is the left of the head. The"
        " tracers differ in their half-lives, their blood and how tissue takes them up; how well"
        " that tells them apart in a protocol, the verb's own report says. Simulation."
    )


def separate_images(found: FromDual) -> Iterator[Picture | Html]:
    """Yield a row of images, and the errors."""
    yield _slices(found)
    rows = [[name, f"{error:.1f}"] for name, error in found.nrmse.items()]
    yield table(
        ["tracer", "error [%]"],
        rows,
        caption=(
            "Root mean square errors in the head, of the root mean square of the truth, all frames."
            f" Chi-square of the mixture {found.chi2:.2f}; {found.seconds:.0f} s."
        ),
    )


def _slices(found: FromDual) -> Picture:
    from matplotlib.figure import Figure

    shapes = next(iter(found.slices.values())).shape
    with style():
        figure = Figure(figsize=(12.5, 2.1 * shapes[1] / shapes[0] + 0.3), layout="constrained")
        rows = figure.subplots(1, len(found.slices))
        for axes, (name, plane) in zip(rows, found.slices.items(), strict=True):
            truth = found.slices.get(f"{name.removesuffix(', truth')}, truth", plane)
            top = float(np.quantile(truth[truth > 0], 0.99)) / _KILO
            shown = axes.imshow(plane.T / _KILO, origin="lower", cmap="inferno", vmin=0.0, vmax=top)
            if name == "mixture" or name.endswith(", truth"):
                bar = figure.colorbar(shown, ax=axes, shrink=0.7, pad=0.02, extend="max")
                bar.set_label("kBq/mL")
            axes.set_title(name, weight="bold")
            axes.set_axis_off()
        return picture(figure, "png", "A mixture of two tracers, both as found and as they are")
