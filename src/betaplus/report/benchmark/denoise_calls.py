"""PSNR of draws and of their mean against calls of the network, in the report of the benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.report.figures.canvas import Picture, picture, style

__all__ = ["calls_figure"]

_COLOURS = {
    "consistency": "#b2402f", "ddim, order 1": "#56B4E9", "ddim": "#1b7f5c", "ddpm": "#1d2327",
}  # fmt: skip
_BAND = 0.1  # dB: what four calls of `consistency` may be below `ddpm`


def calls_figure(result: Mapping[str, Any], images: Mapping[str, np.ndarray]) -> Picture:
    """Return PSNR of the mean of the draws, and of one, against the calls of a draw."""
    from matplotlib.figure import Figure

    found, kinds = result["methods"], result["lines"]
    with style():
        figure = Figure(figsize=(6.4, 3.0), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, key, title in zip(
            panels, ("psnr_mean", "psnr"), (f"mean of {result['draws']} draws", "a draw"),
            strict=True,
        ):  # fmt: skip
            for method, colour in _COLOURS.items():
                lines = [found[name] for name, line in kinds.items() if line["method"] == method]
                axes.semilogx(
                    [line["calls"] for line in lines], [line[key] for line in lines], "o-",
                    color=colour, markersize=3, label=method,
                )  # fmt: skip
            axes.axhline(found["mmse"][key], color="#5b666d", linestyle="--", label="mmse")
            axes.set_title(title)
            axes.set_xlabel("calls of the network a draw")
            ticks = (1, 4, 10, 50, 1000)
            axes.set_xticks(ticks, [str(tick) for tick in ticks])
            axes.minorticks_off()
        slow = found[f"ddpm {result['steps']}"]["psnr_mean"]
        panels[0].axhspan(slow - _BAND, slow, color="#1d2327", alpha=0.15, linewidth=0)
        panels[0].set_ylabel("PSNR [dB]")
        panels[1].legend()
        caption = "PSNR in the body against calls; the band is 0.1 dB below the mean by ddpm"
        return picture(figure, "png", caption, caption)
