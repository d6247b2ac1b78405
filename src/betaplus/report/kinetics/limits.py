"""What the reader of a result should know about its limits."""

from __future__ import annotations

from collections.abc import Iterable

from betaplus.report.elements import Html, to_html

__all__ = ["KINETICS_LIMITS", "MAP_LIMITS", "limits"]

KINETICS_LIMITS = (
    (
        "The intervals hold if the model does",
        "They cover noise and what the curve leaves open about the parameters. They do not cover a"
        " model that is wrong: several kinds of tissue in one region, a second blood supply (the"
        " liver has one), spill-over from neighbours, motion. Where the chi-square is large or the"
        " residuals keep one sign over many frames, distrust the parameters, however small their"
        " SD. Once the noise level is estimated from the curve, chi-square alone says little: look"
        " at the residuals.",
    ),
    (
        "Input function",
        "It is taken as known. Errors of calibration between counter and scanner, of the"
        " metabolite correction or of interpolation between samples go into every curve alike and"
        " are in no interval.",
    ),
    (
        "Delay",
        "A delay that was fixed is taken as exact. An error of a few seconds changes VB most, and"
        " K1 to a lesser degree.",
    ),
    (
        "Means of Ki and VT",
        "Both are ratios of rate constants and have long tails. Their mean can lie far from the"
        " bulk of the posterior: quote the median and the interval.",
    ),
    (
        "The prior",
        "Where the data say little the prior speaks: compare the interval of a parameter with the"
        " width of its prior before reading anything into it.",
    ),
)
MAP_LIMITS = (
    (
        "Maps are marginal",
        "Noise is correlated between neighbouring voxels, and each voxel was analysed by itself."
        " The SD of a voxel is sound; the SD of the mean over a region cannot be computed from the"
        " map of SDs. Fit the region's curve instead.",
    ),
    (
        "Partial volume",
        "Voxels hold what the scanner's resolution mixed into them. Nothing was corrected for it.",
    ),
)
"""What is true of maps besides."""


def limits(texts: Iterable[tuple[str, str]]) -> Html:
    """Return limits, each as (heading, text), in columns."""
    parts = "".join(
        f"<div><h3>{to_html(heading)}</h3><p>{to_html(text)}</p></div>" for heading, text in texts
    )
    return Html(f'<div class="limits">{parts}</div>')
