"""Ki or VT of regions from the curves of one tracer, by least squares, and the bound on its SD.

The fit is the classical one of a single tracer (`betaplus.kinetics.nlls`) with its own blood in its
own time, whatever made the curves: separated images, a scan with that tracer alone, or frames
without noise. Frames weigh as the noise of the mixture says. The bound is that of Cramer and Rao
(`betaplus.physics.dual.separability`) for unbiased estimates from the region's mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.core.errors import BetaplusError
from betaplus.kinetics.method import Task
from betaplus.kinetics.nlls import Nlls
from betaplus.kinetics.prior import find_prior
from betaplus.physics.dual import TracerKinetics, separability
from betaplus.pipeline.benchmark.separate.scores import Targets
from betaplus.simulation.dual_study import DualStudy
from betaplus.simulation.dual_study.study import macro_of
from betaplus.simulation.tracer_profile import TracerProfile

__all__ = ["bounds", "fit_curves", "fitted_model", "mean_share", "true_macros"]

_END_MARGIN = 1.0  # s
_ONE_TISSUE = 1e-4  # 1/min: median k3 of grey matter
_PER_FWHM = 1.0 / math.sqrt(8.0 * math.log(2.0))
_RATES = {
    "1TCM": ("K1", "k2", "VB"),
    "2TCM3k": ("K1", "k2", "k3", "VB"),
    "2TCM": ("K1", "k2", "k3", "k4", "VB"),
}


def fitted_model(profile: TracerProfile) -> str:
    """Return the compartment model that a tracer's curves are fitted with."""
    if macro_of(profile) == "Ki":
        return "2TCM3k"
    return "1TCM" if profile.tissues["grey matter"]["k3"][1] < _ONE_TISSUE else "2TCM"


def fit_curves(simulated: DualStudy, index: int, curves: np.ndarray) -> np.ndarray:
    """Return Ki [mL/cm3/min] or VT [mL/cm3] of curves of a tracer, shape (N,).

    Args:
        simulated: The scan: its frames, blood, arrival, noise.
        index: Which tracer.
        curves: Decay-corrected to its injection, all frames of the scan, shape (N, T) [Bq/mL].
    """
    profile = simulated.protocol.tracers[index]
    mixing = simulated.protocol.mixing
    frames, seen = mixing.own_frames(index), mixing.seen[index]
    _, weights = simulated.separable_noise()
    end = float(frames.end[-1]) + _END_MARGIN
    precision = weights[seen] * simulated.decay[index, seen] ** 2
    task = Task(
        curve=simulated.blood[index].curve(end),
        frames=frames,
        half_life=profile.tracer.half_life,
        model=fitted_model(profile),
        prior=find_prior("default"),
        delay=simulated.arrivals[index],
        weights=precision / precision.mean(),
    )
    fitter = Nlls().prepare(task)
    found = fitter.fit(curves[:, seen], np.arange(len(curves)))
    column = fitter.parameters.index(macro_of(profile))
    return np.asarray(found["mean"][:, column], dtype=np.float64)


def true_macros(targets: Targets, index: int) -> np.ndarray:
    """Return the mean of the true map over each region, shape (R,)."""
    simulated = targets.simulated
    image = simulated.maps[index][simulated.macro[index]]
    return targets.curves(image[..., None])[:, 0]


def mean_share(simulated: DualStudy, mask: np.ndarray) -> float:
    r"""Return the variance of the noise of a mean over that of a voxel.

    With w the weights of the mean and noise white noise through a Gaussian of SD s, it is
    :math:`w^T R w` with :math:`R = \exp(-r^2 / 4 s^2)`, the autocorrelation.

    Args:
        simulated: The scan.
        mask: Voxels of the mean, shape (X, Y, Z) bool.
    """
    from scipy.ndimage import gaussian_filter

    sigma = math.sqrt(2.0) * simulated.protocol.noise_fwhm * _PER_FWHM
    widths = [sigma / edge for edge in simulated.voxel]
    delta = np.zeros([2 * math.ceil(4.0 * w) + 1 for w in widths])
    middle = tuple(n // 2 for n in delta.shape)
    delta[middle] = 1.0
    peak = gaussian_filter(delta, widths, mode="constant")[middle]
    weights = mask / mask.sum()
    alike = gaussian_filter(weights, widths, mode="constant") / peak
    return float((weights * alike).sum())


def bounds(targets: Targets) -> list[dict[str, Any]]:
    """Return for each tracer the bounds on the SD of its macro-parameter over its value.

    ``dual``: both tracers in the scan; ``alone``: that tracer with its own noise alone. By region;
    None where the frames leave it open.
    """
    simulated = targets.simulated
    sums = simulated.variance / np.float32(simulated.protocol.counts)
    found: list[dict[str, Any]] = [
        {"macro": name, "dual": [], "alone": []} for name in simulated.macro
    ]
    for name, mask in targets.regions.items():
        variance = sums[mask].mean(0, dtype=np.float64) * mean_share(simulated, mask)
        parts = [_part(simulated, i, simulated.tissue.regions[i][name]) for i in (0, 1)]
        ratio = {"dual": [None, None], "alone": [None, None]}
        try:
            known = separability(simulated.frames, parts, precision=1.0 / variance)
            for i, macro in enumerate(simulated.macro):
                for kind, sds in (("dual", known.dual), ("alone", known.alone)):
                    ratio[kind][i] = _finite(sds[i][macro] / known.values[i][macro])
        except BetaplusError:
            pass  # the frames leave a parameter open: there is no bound to show
        for i, one in enumerate(found):
            for kind, values in ratio.items():
                one[kind].append(values[i])
    return found


def _part(simulated: DualStudy, i: int, kinetics: Mapping[str, float]) -> TracerKinetics:
    profile = simulated.protocol.tracers[i]
    model = fitted_model(profile)
    end = float(simulated.protocol.mixing.own_frames(i).end[-1]) + _END_MARGIN
    return TracerKinetics(
        tracer=profile.tracer,
        injection=simulated.protocol.injections[i],
        curve=simulated.blood[i].curve(end),
        model=model,
        values={name: float(kinetics[name]) for name in _RATES[model]},
        arrival=simulated.arrivals[i],
    )


def _finite(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None
