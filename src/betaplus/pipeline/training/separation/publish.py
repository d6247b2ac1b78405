"""Bundles of networks of separation: what they hold, and where they may be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import betaplus
from betaplus.generative.bundle_config import Range
from betaplus.pipeline.training.separation.plan import SeparationPlan, split_pair
from betaplus.separation.bundle import DELAY, NOISE, PAIR, VOXEL

__all__ = ["write_inn_bundle", "write_separation_bundle"]

_WHAT = (
    "Turns images of the coefficients of two tracers' curves, as the estimate from tissues has"
    " them, into better ones: an exactly invertible conditional network, for `--method inn`."
)
_DATA = (
    "{people} simulated heads, boxes of {edge} voxels of {voxels} mm, {again};"
    " pairs {pairs}{order}; delays of {delay[0]:g} to {delay[1]:g} min, doses of {dose[0]:g} to"
    " {dose[1]:g} of the usual, noise levels of {level[0]:g} to {level[1]:g} sqrt(Bq/mL min),"
    " frames {schedules}; in {population:.0%} of the scans blood was not known. No real image."
)
_LIMITS = (
    "Simulation throughout: kinetics, blood and noise are those of the simulated tracers. At short"
    " delays much of what is found is what was to be expected, not what was measured; the"
    " separability of the protocol says how much. Lesions unlike those of training are drawn"
    " towards what is common."
)


def write_inn_bundle(
    folder: Path,
    plan: SeparationPlan,
    network: Any,
    *,
    seed: int,
    command: str,
    result: Mapping[str, Any],
    figures: Mapping[str, float],
    noise: tuple[float, float],
) -> Path:
    """Write the bundle of `inn`.

    Args:
        folder: Where bundles are.
        plan: What was trained.
        network: The network with its weights.
        seed: Of the run.
        command: The command line.
        result: Fields of `TrainingResult`.
        figures: Of the validation.
        noise: Range of the noise in training (`betaplus.separation.bundle.NOISE`).
    """
    pairs = list(dict.fromkeys(split_pair(pair) for pair in plan.pairs))
    known = [f"{a}+{b}" for a, b in pairs]
    if plan.either_order:
        known += [f"{b}+{a}" for a, b in pairs]
    shown = {
        **dataclasses.asdict(plan),
        "pairs": ", ".join(f"{a} and {b}" for a, b in pairs),
        "order": " in either order" if plan.either_order else "",
        "voxels": ", ".join(f"{v:g}" for v in sorted(set(plan.voxels))),
        "schedules": ", ".join(dict.fromkeys(plan.schedules)),
        "again": f"{plan.scans} scans in all, mirrored by chance"
        if plan.scans
        else "drawn afresh for every step",
    }
    return write_separation_bundle(
        folder,
        "inn",
        plan.version,
        network,
        validity={
            PAIR: list(dict.fromkeys(known)),
            DELAY: list(plan.delay),
            VOXEL: [min(plan.voxels), max(plan.voxels)],
            NOISE: list(noise),
        },
        settings={"edge": plan.edge, "kinetics": plan.kinetics},
        what=_WHAT,
        training_data=_DATA.format(**shown),
        limits=_LIMITS,
        measured="simulated heads that were not trained on, by which the step was chosen; images in"
        " the head, frames after the injection",
        seed=seed,
        command=command,
        data="simulated",
        result=result,
        figures=figures,
    )


def write_separation_bundle(
    folder: Path,
    method: str,
    version: int,
    network: Any,
    *,
    validity: dict[str, Range],
    settings: dict[str, Any],
    what: str,
    training_data: str,
    limits: str,
    measured: str,
    seed: int,
    command: str,
    data: str | dict[str, str],
    result: Mapping[str, Any],
    figures: Mapping[str, float],
) -> Path:
    """Write the bundle of a learned method; `load_separation` reads it.

    Args:
        folder: Where bundles are.
        method: Whose network it is.
        version: Of the bundle.
        network: With a `size`, a dataclass of numbers and texts.
        validity: Of `BundleConfig`.
        settings: Likewise.
        what: Of `ModelCard`.
        training_data: Likewise.
        limits: Likewise.
        measured: How the figures were.
        seed: Of the run.
        command: The command line.
        data: Of `TrainingRecord`.
        result: Fields of `TrainingResult`.
        figures: Of the validation.
    """
    from betaplus.generative.bundle_writing import (
        Metric,
        ModelCard,
        TrainingRecord,
        write_bundle,
    )

    return write_bundle(
        folder,
        task="separation",
        name=method,
        version=version,
        tensors=network.state_dict(),
        architecture={"network": method, **dataclasses.asdict(network.size)},
        validity=validity,
        settings=settings,
        card=ModelCard(
            what=what,
            training_data=training_data,
            metrics=[
                Metric(name=key, value=f"{value:.3g}", measured=measured)
                for key, value in figures.items()
                if key != "score"
            ],
            limits=limits,
        ),
        training=TrainingRecord(
            command=command,
            seed=seed,
            code_version=betaplus.__version__,
            data=data,
            minutes=result["minutes"],
            steps=result["steps"],
            metrics={key: float(value) for key, value in figures.items()},
        ),
        overwrite=True,
    )
