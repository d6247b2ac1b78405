"""Bundles of priors: what they hold, and where they may be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import betaplus
from betaplus.pipeline.training.prior.plan import PriorPlan

__all__ = ["write_prior_bundle"]

_WHAT = {
    2: "Estimates clean slices (sagittal, coronal, axial) of static PET from noisy ones, at any"
    " level of white noise: a prior for reconstruction, Patlak maps and denoising.",
    3: "Estimates clean patches of static PET from noisy ones, at any level of white noise: a prior"
    " for reconstruction, Patlak maps and denoising.",
}
_SIMULATED = (
    "{people} simulated {anatomy} anatomies, {paints} scans of each: {tracers}; resolution"
    " {sharpest:g} to {bluntest:g} mm; voxels of {voxel:g} mm; unit: {unit}. No real image."
)
_LIMITS = (
    "Noise in training is white. What is rare in the training data (unusual lesions, implants,"
    " other tracers) is drawn towards what is common: the more so, the more noise. Brightness was"
    " varied by 0.5 to 1.5. Drawn from noise alone, images do not yet look like people: use it with"
    " data. Figures are simulation unless they say otherwise."
)


def write_prior_bundle(
    folder: Path,
    plan: PriorPlan,
    network: Any,
    *,
    data: str | None,
    checksum: str,
    seed: int,
    command: str,
    result: Mapping[str, Any],
    figures: Mapping[str, float],
) -> Path:
    """Write the bundle of a prior.

    Args:
        folder: Where bundles are.
        plan: What was trained.
        network: The denoiser with its weights.
        data: What of the user's was learned from; None for simulation.
        checksum: Of the volumes.
        seed: Of the run.
        command: The command line.
        result: Fields of `TrainingResult`.
        figures: Of the validation.
    """
    from betaplus.generative.bundle_writing import (
        Metric,
        ModelCard,
        TrainingRecord,
        write_bundle,
    )
    from betaplus.pipeline.training.prior.batches import ORIENTATIONS

    tracers = ", ".join(dict.fromkeys(plan.tracers))
    simulated = _SIMULATED.format(**{**dataclasses.asdict(plan), "tracers": tracers})
    if plan.pool > 1:
        simulated += f" Images are means over blocks of {plan.pool} voxels an edge."
    card = ModelCard(
        what=_WHAT[plan.dimensions],
        training_data=simulated if data is None else f"{data}, in voxels of {plan.voxel:g} mm.",
        metrics=[
            Metric(
                name=name,
                value=f"{value:.4g}",
                measured="people that were not trained on; unit: " + plan.unit,
            )
            for name, value in figures.items()
            if name != "score"
        ],
        limits=_LIMITS,
    )
    return write_bundle(
        folder,
        task="prior",
        name=plan.name,
        version=plan.version,
        tensors=network.state_dict(),
        architecture={
            **dataclasses.asdict(network.size),
            "sd": network.sd,
            "reach": network.reach,
        },
        validity={
            "voxel size [mm]": [f * plan.pool * plan.voxel for f in (0.75, 1.35)],
            "anatomy": [plan.anatomy],
            "tracer": list(dict.fromkeys(plan.tracers)) if data is None else ["own"],
            "resolution [mm]": [plan.sharpest, plan.bluntest],
        },
        settings={
            "voxel": plan.pool * plan.voxel,
            "edge": plan.edge // plan.pool,
            "unit": plan.unit,
            "orientations": list(ORIENTATIONS) if plan.dimensions == 2 else [],
        },
        card=card,
        training=TrainingRecord(
            command=command,
            seed=seed,
            code_version=betaplus.__version__,
            data={"volumes": checksum},
            minutes=result["minutes"],
            steps=result["steps"],
            metrics={name: float(value) for name, value in figures.items()},
        ),
        overwrite=True,
    )
