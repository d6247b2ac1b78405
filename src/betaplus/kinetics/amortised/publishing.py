"""Bundles of the kinetics networks: what they hold, and where they may be used."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import betaplus
from betaplus.core.errors import UsageError

__all__ = ["VALIDITY", "write_kinetics_bundle"]

VALIDITY: dict[str, list[float] | list[str]] = {
    "model": ["1TCM", "2TCM3k", "2TCM"],
    "prior": ["default", "published", "published-signed"],
    "frames": [18.0, 72.0],
    "scan minutes": [30.0, 115.0],
    "half-life [s]": [1221.0, 6585.0],
    "known delay [s]": [-15.0, 30.0],
}
"""Ranges of the simulated studies."""

_WHAT = {
    "denoiser": "Estimates posterior draws of kinetic parameters from noisy ones; the methods"
    " `ddpm` and `score` draw with it.",
    "consistency": "Draws from the posterior of kinetic parameters in one to a few passes; the"
    " method `consistency`.",
    "flow": "A density of the posterior of kinetic parameters; the method `flow`.",
}
_DATA = (
    "Simulated studies: Feng's input functions with widely spread parameters, or measured ones"
    " varied; 18 to 72 frames over 30 to 115 minutes; F-18, C-11, Ga-68; 1TCM, 2TCM3k and 2TCM;"
    " priors default, published and published-signed; delay known or fitted; noise from region"
    " to voxel. For each curve the parameters it was made from and draws of the exact method."
)
_LIMITS = (
    "A lean exact pass comes first: where that misses the posterior the network has little to go"
    " by, which shows in the Pareto k of the weights. Priors from a file were not in the training;"
    " such fits are refined by `exact`. Figures are simulation."
)


def write_kinetics_bundle(
    folder: Path,
    name: str,
    version: int,
    network: Any,
    data: dict[str, str],
    seed: int,
    command: str,
    minutes: float,
    steps: int,
    metrics: dict[str, float],
) -> Path:
    """Write the bundle of one network.

    Args:
        folder: Where bundles are.
        name: ``denoiser``, ``consistency`` or ``flow``.
        version: Of the bundle.
        network: With its weights and its size as ``size``.
        data: Checksum of the data, and where they are from.
        seed: Of the run.
        command: The command line.
        minutes: Of training.
        steps: Likewise.
        metrics: The best validation.

    Raises:
        UsageError: If there is no network of that name.
    """
    from betaplus.generative.bundle_writing import (
        Metric,
        ModelCard,
        TrainingRecord,
        write_bundle,
    )

    if name not in _WHAT:
        raise UsageError(f"network {name!r}", f"expected one of {', '.join(_WHAT)}")
    card = ModelCard(
        what=_WHAT[name],
        training_data=_DATA,
        metrics=[
            Metric(
                name=f"validation {key}",
                value=f"{value:.4g}",
                measured="one study in 25, not trained on",
            )
            for key, value in metrics.items()
        ],
        limits=_LIMITS,
    )
    return write_bundle(
        folder,
        task="kinetics",
        name=name,
        version=version,
        tensors=network.state_dict(),
        architecture=dataclasses.asdict(network.size),
        validity=VALIDITY,
        settings={},
        card=card,
        training=TrainingRecord(
            command=command,
            seed=seed,
            code_version=betaplus.__version__,
            data=data,
            minutes=minutes,
            steps=steps,
            metrics=metrics,
        ),
        overwrite=True,
    )
