"""Bundles of denoisers: what they hold, and where they may be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import betaplus
from betaplus.denoising.validity import NOISE
from betaplus.pipeline.training.denoiser.kinds import KINDS, Kind
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.pipeline.training.denoiser.styles import HELD_DOSES, HELD_TOF, MAX_FILTER

if TYPE_CHECKING:
    from betaplus.generative.bundle import Bundle

__all__ = ["write_denoiser_bundle"]

_DATA = (
    "{people} simulated bodies, {paints} scans of each, {boxes} boxes of each scan, every box seen"
    " by a scanner and reconstruction of its own; tracers {tracers}; voxels of {voxel:g} mm, a"
    " quarter of them up to {coarsest:.3g} mm. Noise"
    " of the surrogate of projector and OSEM. No real image. Left out: times of flight of"
    " {tof[0]:g} to {tof[1]:g} mm, doses of 1/{high:.0f} to 1/{low:.0f}, all other tracers."
)
_LIMITS = (
    "Noise was simulated. What is rare in training (implants, unusual anatomy) is drawn towards"
    " what is common, the more so the more noise. Figures are simulation unless they say otherwise."
)


def write_denoiser_bundle(
    folder: Path,
    name: str,
    plan: DenoiserPlan,
    network: Any,
    *,
    checksum: str,
    seed: int,
    command: str,
    result: Mapping[str, Any],
    figures: Mapping[str, float],
    noise: tuple[float, float],
    kind: Kind = KINDS["mean"],
    start: Bundle | None = None,
) -> Path:
    """Write the bundle of a denoiser.

    Args:
        folder: Where bundles are.
        name: Of the bundle.
        plan: What was trained.
        network: The network with its weights.
        checksum: Of the boxes.
        seed: Of the run.
        command: The command line.
        result: Fields of `TrainingResult`.
        figures: Of the validation.
        noise: Range of the levels of noise (`betaplus.denoising.level`) [SUV at 1 SUV].
        kind: What was trained.
        start: What it started from.
    """
    from betaplus.generative.bundle_writing import (
        Metric,
        ModelCard,
        TrainingRecord,
        write_bundle,
    )

    tracers = list(dict.fromkeys(plan.tracers))
    data = _DATA.format(
        **{**dataclasses.asdict(plan), "tracers": ", ".join(tracers)}, coarsest=plan.coarsest,
        tof=HELD_TOF, high=1 / HELD_DOSES[0], low=1 / HELD_DOSES[1],
    )  # fmt: skip
    measured = "boxes of bodies that were not trained on; over the noisy image"
    return write_bundle(
        folder,
        task="denoiser",
        name=name,
        version=plan.version,
        tensors=network.state_dict(),
        architecture={
            "network": kind.network,
            "widths": list(plan.widths),
            "blocks": plan.blocks,
        },
        validity={
            "anatomy": ["body"],
            "tracer": tracers,
            "post-filter [mm]": [0.0, MAX_FILTER],
            NOISE: list(noise),
        },
        settings={
            "voxel": plan.voxel,
            "coarsest": plan.coarsest,
            "edge": plan.edge,
            "gives": list(kind.gives),
        },
        card=ModelCard(
            what=kind.what,
            training_data=data,
            metrics=[
                Metric(name=key, value=f"{value:.3g}", measured=measured)
                for key, value in figures.items()
                if key != "score"
            ],
            limits=_LIMITS,
        ),
        training=TrainingRecord(
            command=command,
            seed=seed,
            code_version=betaplus.__version__,
            data={"boxes": checksum} | ({} if start is None else {"start": start.checksum}),
            minutes=result["minutes"],
            steps=result["steps"],
            metrics={key: float(value) for key, value in figures.items()},
        ),
        overwrite=True,
    )
