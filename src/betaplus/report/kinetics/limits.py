"""What the reader of a result should know about its limits."""

from __future__ import annotations

from collections.abc import Iterable

from betaplus.core.posterior import Posterior
from betaplus.report.elements import Html, to_html

__all__ = ["limits", "limits_of"]

_EVERYWHERE = (
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
_BLOOD = (
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
)
_REFERENCE = (
    (
        "Reference region",
        "Its curve is taken as known: its noise and its partial volume go into every region alike"
        " and are in no interval. The model holds if the region has no specific binding, exchanges"
        " with plasma like a single compartment and has the non-displaceable volume of the target.",
    ),
)
_GRAPHICAL = (
    (
        "Graphical methods",
        "They hold from t* on, where the plot is straight; t* is a choice. Intervals cover noise"
        " around the line, not the choice of t*. Logan's plot divides by the noisy curve, which"
        " biases VT and DVR downwards as noise grows; Patlak's Ki is too low where k4 is above 0.",
    ),
)
_MAPS = (
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


def limits_of(posterior: Posterior, maps: bool) -> tuple[tuple[str, str], ...]:
    """Return what limits a result, each as (heading, text)."""
    from betaplus.kinetics.models import find_kinetic_model

    model = find_kinetic_model(posterior.model)
    graphical = posterior.method in model.methods and "exact" not in model.methods
    return (
        *(_MAPS if maps else ()),
        *_EVERYWHERE[:1],
        *(_REFERENCE if model.reference else _BLOOD),
        *(_GRAPHICAL if graphical else _EVERYWHERE[2 if model.reference else 1 :]),
    )


def limits(texts: Iterable[tuple[str, str]]) -> Html:
    """Return limits, each as (heading, text), in columns."""
    parts = "".join(
        f"<div><h3>{to_html(heading)}</h3><p>{to_html(text)}</p></div>" for heading, text in texts
    )
    return Html(f'<div class="limits">{parts}</div>')
