"""From quantiles over people to a subject's regions, and from regions to voxels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from betaplus.core.seeds import generator
from betaplus.simulation.fields import gaussian_field, sigma_of_fwhm
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.tracers import Quantiles, TracerProfile

__all__ = ["PARAMETERS", "draw_region_kinetics", "from_scores", "voxel_kinetics"]

PARAMETERS = ("K1", "k2", "k3", "k4", "VB")

_Z95 = 1.6448536269514722
_VB_MOST = 0.98
_SHARED = 0.8  # part of the variance over people that all regions of a subject have in common
_CORRELATION = np.array(
    [
        [1.0, 0.5, 0.2, 0.1, 0.0],
        [0.5, 1.0, 0.6, 0.3, 0.0],
        [0.2, 0.6, 1.0, 0.5, 0.0],
        [0.1, 0.3, 0.5, 1.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0],
    ]
)
"""Correlation of the scores of K1, k2, k3, k4, VB: without it Ki = K1 k3 / (k2 + k3) would spread
about 1.6 times as widely as it does in the population that the table describes."""
_WITHIN = {"K1": 0.08, "k2": 0.08, "k3": 0.08, "k4": 0.05, "VB": 0.10}
"""Standard deviations of the logarithms inside a region."""
_WITHIN_FWHM = 14.0  # mm


def from_scores(quantiles: Quantiles, score: np.ndarray | float) -> np.ndarray:
    """Return the log-normal value at a standard normal score, any shape.

    Two halves of log-normals that meet at the median, so that the 5, 50 and 95 % quantiles are
    exactly those given.
    """
    low, middle, high = quantiles
    z = np.asarray(score, dtype=np.float64) / _Z95
    below, above = np.log(middle / low), np.log(high / middle)
    return np.asarray(middle * np.exp(below * np.minimum(z, 0.0) + above * np.maximum(z, 0.0)))


def draw_region_kinetics(profile: TracerProfile, seed: int) -> dict[str, dict[str, float]]:
    """Draw a subject: region name to K1, k2, k3, k4, VB.

    Regions of a subject differ less than subjects do; over subjects every region has the
    quantiles of its tissue times the region's factors.
    """
    root = np.linalg.cholesky(_CORRELATION)
    subject = generator(seed, item=0, draw=3).standard_normal(len(PARAMETERS))
    out = {}
    for i, (name, region) in enumerate(sorted(profile.regions.items()), start=1):
        own = generator(seed, item=i, draw=3).standard_normal(len(PARAMETERS))
        score = root @ (np.sqrt(_SHARED) * subject + np.sqrt(1 - _SHARED) * own)
        quantiles = profile.tissues[region.tissue]
        out[name] = {
            p: min(
                float(from_scores(quantiles[p], z)) * region.factors.get(p, 1.0),
                _VB_MOST if p == "VB" else np.inf,
            )
            for p, z in zip(PARAMETERS, score, strict=True)
        }
    return out


def voxel_kinetics(
    phantom: Phantom, regions: Mapping[str, Mapping[str, float]], seed: int
) -> dict[str, np.ndarray]:
    """Return K1, k2, k3, k4, VB maps, each shape (X, Y, Z) float64, 0 in air.

    A voxel has its region's value times exp(w f - w^2 / 2) with f a smooth field of variance 1, so
    that the mean over a large region is the region's value.
    """
    sigma = [sigma_of_fwhm(_WITHIN_FWHM) / phantom.voxel] * 3
    maps = {}
    for i, parameter in enumerate(PARAMETERS):
        value = np.zeros(max(phantom.names) + 1)
        for label, name in phantom.names.items():
            value[label] = regions[name][parameter]
        field = gaussian_field(phantom.labels.shape, sigma, generator(seed, item=i, draw=4))
        width = _WITHIN[parameter]
        varied = value[phantom.labels] * np.exp(width * field - 0.5 * width**2)
        maps[parameter] = np.minimum(varied, _VB_MOST) if parameter == "VB" else varied
    return maps
