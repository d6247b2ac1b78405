"""The viewer of a separation: the mixture, both tracers, and the curves of small cubes."""

from __future__ import annotations

import numpy as np

from betaplus.core.units import activity_factor
from betaplus.pipeline.separation.result import SeparateRun
from betaplus.report.elements import Html
from betaplus.report.figures import centre
from betaplus.report.separation.slices import late_mean, late_sd
from betaplus.report.viewer import Layer, VoxelCurves, curves_from, slice_viewer

__all__ = ["separation_viewer"]


def separation_viewer(result: SeparateRun) -> Html:
    """Return the viewer, with the measured curve and its two parts where the slices meet."""
    fit = result.fit
    kilo = activity_factor("Bq/mL", "kBq/mL")
    mask, affine = fit.study.problem.mask.numpy(), fit.study.image.affine
    mixture = Layer("mixture, as measured", late_mean(result, None) * kilo, "kBq/mL")
    layers = [Layer(one.label, late_mean(result, i) * kilo, "kBq/mL")
              for i, one in enumerate(fit.study.tracers)]  # fmt: skip
    groups = {"mixture and both": [mixture, *layers]}
    for i, layer in enumerate(layers):
        sd = late_sd(result, i)
        if sd is not None:
            groups[f"{layer.label} and SD"] = [
                layer,
                Layer(f"{layer.label}, SD", sd * kilo, "kBq/mL", "sd"),
            ]
    curves = _curves(result)
    at = centre(mask, affine)
    return slice_viewer(groups, affine, mask=mask, at=at, curves=curves, named=False)


def _curves(result: SeparateRun) -> VoxelCurves:
    study, found = result.fit.study, result.fit.found
    problem, frames = study.problem, study.mixing.frames
    scale = problem.scale
    steps = range(len(frames))
    lines: dict[str, list[np.ndarray | None]] = {}
    lines["measured"] = [problem.mixture[..., t].numpy() * scale for t in steps]
    parts = [
        [found.x[i][..., t].numpy() * (scale * problem.decay[i, t]) for t in steps] for i in (0, 1)
    ]
    lines["sum of both"] = [a + b for a, b in zip(*parts, strict=True)]
    for i, one in enumerate(study.tracers):
        lines[one.label] = [
            part if problem.decay[i, t] > 0 else None for t, part in enumerate(parts[i])
        ]
    mask = problem.mask.numpy()
    return curves_from(lines, mask, study.image.affine, frames, "Bq/mL")
