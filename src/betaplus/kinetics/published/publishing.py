"""The trained network measured on curves it has not seen, and written as a bundle."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

import betaplus
from betaplus.core.seeds import generator
from betaplus.generative.bundle_writing import Metric, ModelCard, TrainingRecord, write_bundle
from betaplus.kinetics.published.network import LEVELS, PARAMETERS, PASSES, PublishedNetwork, draw
from betaplus.kinetics.published.simulator import HIGH, LOW, SCALE, from_standard, simulate
from betaplus.kinetics.published.training import EMA, SIMULATIONS, load_trained

__all__ = ["held_out", "publish"]

_HELD_OUT_SEED = 1_000_003
_DRAWS = 1000

_WHAT = """
The consistency model of PET-TRACER (Zhao, Gu, Angelis, Reader, Fan, Meikle, arXiv 2509.13614) for
K1, k2, k3, k4 and VB of a two-tissue model, made anew from its description, for comparison:
`method="consistency-published"`. For results use `exact` or `consistency`.
"""
_DATA = f"""
{SIMULATIONS:,} simulated curves, each with an input function of its own: Feng's model, its
parameters log-normal about the population's FDG curve, 1 SUV log-normal about 2 kBq/mL. Uniform
priors, K1 .02-1, k2 .1-2, k3 .02-.5, k4 -.1-.1, VB .03-.2, noise level 3-6; samples at the ends of
35 frames over 50 min; F-18; no delay. No measured data.
"""
_LIMITS = """
Kept as published: starts from N(0, 1) at a level no larger than the spread of the data, which
biases draws towards the prior's mean; takes frame means for samples at frame ends; one fixed scale,
so another dose is outside what it knows; no delay, one blood curve, one schedule, one radionuclide.
The paper has 100,000 iterations; those of these weights are in `training.json`. The spread of input
functions, the scale, batch size and learning rate are not in the paper's description; those used
are in the code.
Nothing tells when a curve is outside the training data but a misfit of the mean parameters' curve.
"""


def held_out(
    network: PublishedNetwork, n: int = 64, seed: int = _HELD_OUT_SEED
) -> dict[str, float]:
    """Return figures on n curves of the simulator that no training sees.

    Args:
        network: The network.
        n: Curves; 1000 draws of each.
        seed: Of the curves, other than the training's.

    Returns:
        By parameter: ``coverage_`` of 90 % intervals, ``correlation_`` of means with the truth, and
        ``error_`` of means (root mean square) and ``sd_`` of draws in units of the prior's SD.
    """
    curves = simulate(n, seed)
    conditions = torch.from_numpy(curves.condition())
    draws = np.empty((n, _DRAWS, len(PARAMETERS)))
    with torch.inference_mode():
        for i in range(n):
            shape = (len(PASSES), _DRAWS, len(PARAMETERS))
            noise = generator(seed, i, draw=52).standard_normal(shape, dtype=np.float32)
            x = draw(network, conditions[i], torch.from_numpy(noise), shared=True)
            draws[i] = from_standard(x.double().numpy())
    low, high = np.quantile(draws, [0.05, 0.95], axis=1)
    mean, spread = draws.mean(1), (HIGH - LOW) / np.sqrt(12.0)
    inside = ((curves.theta >= low) & (curves.theta <= high)).mean(0)
    error = np.sqrt(((mean - curves.theta) ** 2).mean(0)) / spread
    size = draws.std(1).mean(0) / spread
    out = {}
    for j, name in enumerate(PARAMETERS):
        out[f"coverage_{name}"] = float(inside[j])
        out[f"correlation_{name}"] = float(np.corrcoef(mean[:, j], curves.theta[:, j])[0, 1])
        out[f"error_{name}"] = float(error[j])
        out[f"sd_{name}"] = float(size[j])
    return out


def publish(
    out: Path,
    folder: Path,
    command: str,
    *,
    seed: int = 0,
    curves: int = 512,
    overwrite: bool = False,
) -> Path:
    """Write what a training left as a bundle with its figures; return the bundle's folder.

    Args:
        out: Folder of the training.
        folder: Where bundles are.
        command: How it was trained.
        seed: Seed it was trained with.
        curves: How many it is measured on.
        overwrite: Replace an earlier bundle.
    """
    network = load_trained(out)
    last = json.loads((out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    figures = held_out(network, curves)
    return write_bundle(
        folder,
        task="kinetics",
        name="published",
        version=1,
        tensors=network.state_dict(),
        architecture={"network": "1-D U-Net as in arXiv 2509.13614"},
        validity=_validity(),
        settings={"passes": list(PASSES), "levels": list(LEVELS), "ema": EMA, "scale": SCALE},
        card=ModelCard(
            what=_WHAT,
            training_data=_DATA,
            metrics=[_metric(figures, kind, curves) for kind in _KINDS],
            limits=_LIMITS,
        ),
        training=TrainingRecord(
            command=command,
            seed=seed,
            code_version=betaplus.__version__,
            data=f"simulated from seed {seed}",
            minutes=last["minutes"],
            steps=last["step"],
            metrics={"loss": last["loss"], **figures},
        ),
        overwrite=overwrite,
    )


_KINDS = {
    "coverage": "coverage of 90 % intervals",
    "correlation": "correlation of means with the truth",
    "error": "root mean square error of means / SD of the prior",
    "sd": "mean SD of draws / SD of the prior",
}


def _metric(figures: dict[str, float], kind: str, n: int) -> Metric:
    values = [f"{name} {figures[f'{kind}_{name}']:.2f}" for name in PARAMETERS]
    measured = f"{n} held-out curves of its own simulator, {_DRAWS} draws each"
    return Metric(name=_KINDS[kind], value=", ".join(values), measured=measured)


def _validity() -> dict[str, list[float] | list[str]]:
    bounds = {
        name: [float(low), float(high)]
        for name, low, high in zip(PARAMETERS, LOW, HIGH, strict=True)
    }
    blood = simulate(8000, _HELD_OUT_SEED, 1).blood
    late = np.quantile(blood[:, -1], [0.01, 0.99])
    return {
        **bounds,
        "noise level [sqrt(Bq/mL min)]": [3.0, 6.0],
        "input after 50 min [Bq/mL]": [float(f"{value:.3g}") for value in late],
        "delay [s]": [0.0, 0.0],
        "radionuclide": ["F18"],
    }
