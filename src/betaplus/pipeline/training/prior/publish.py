"""Bundles of priors: what they hold, and where they may be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import betaplus
from betaplus.pipeline.training.prior.pair_corpus import FINER
from betaplus.pipeline.training.prior.plan import PriorPlan
from betaplus.pipeline.training.prior.seen_heads import FRACTIONS, SUBSETS
from betaplus.pipeline.training.prior.validation import SIGMAS
from betaplus.simulation.raw.plan import COUNTS_PER_VOXEL, SIZES

__all__ = ["write_prior_bundle"]

_NEAR = 0.3  # mm: that the resolution of another scanner may differ
_SEEN = (
    "Estimates clean axial slices of static PET of a head from noisy ones, at any level of white"
    " noise, and from OSEM of few or many counts: a denoiser that knows what was measured, for"
    " reconstruction with dds, lisch and conditional."
)
_SIMULATED_SEEN = (
    "{people} simulated heads in a scanner ({scanner}), {paints} scans of each, two of an"
    " activity ({tracers}; the first FDG): half with about 1 %, half with .07 to 130 % of the"
    " counts of a full scan; two of three heads in its middle, the others anywhere along its axis;"
    " up to {lesions} hot or cold balls in each, of 2 to 3.5 and 7 to 14 mm radius. It is shown"
    " OSEM of {subsets} subsets: one pass smoothed by 5 mm, one pass and two, {around}"
    " slices of each. Truths are means over 2 voxels along each edge of the simulation's, of"
    " {voxel:g} mm; unit: {unit}. No real image."
)
_SEEN_LIMITS = (
    "It answers for scans like those that it was shown: that scanner, or one that it was tried"
    " with (see validity), without time of flight, its resolution in the model of the counts, the"
    " simulation's scatter and randoms."
    " What is rare in the training data (lesions, implants, other tracers) is drawn towards what is"
    " common: the more so, the fewer counts. It has seen the counts: methods that weigh a prior"
    " against them, such as gibbs, would count them twice. Figures are simulation."
)
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
_PAIRS = (
    "Estimates a clean pair of Patlak maps, u_1 = Ki a_L / c and u_2 = V0 b_L / c (parts of the"
    " last frame [SUV]), from a noisy pair, patch by patch, at any level of white noise that is the"
    " same in both: a prior for the methods hqs, red-diff and gibbs of betaplus patlak."
)
_SIMULATED_PAIRS = (
    "{people} simulated people, {who}; {paints} draw of kinetics each; {tracers}; voxels of"
    " {voxel:g} mm{heads}. Frames of 5 min from 20 to 60 min without noise, fitted; blurred by"
    " {sharpest:g} to {bluntest:g} mm, {softened:.0%} of patches up to {softest:g} mm. No real"
    " image."
)
_PAIR_LIMITS = (
    "Noise in training is white, alike in both maps and independent between them. Kinetics of"
    " organs vary as in people and by 15 % more a rate constant, both maps by a common 0.6 to 1.6,"
    " each by 0.7 to 1.4 beside that; 10 to 15 lesions of 6 to 40 mm in a body. What is rarer than"
    " that is drawn towards what is common: the more so, the more noise. Other tracers than FDG,"
    " other times than 20 to 60 min by much, and implants were not seen. Figures are simulation"
    " unless they say otherwise."
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
    if plan.images:
        simulated = _simulated_pairs(plan)
    if plan.sees:
        simulated = _SIMULATED_SEEN.format(
            **{
                **dataclasses.asdict(plan),
                "tracers": tracers,
                "scanner": SIZES[plan.scanner],
                "subsets": SUBSETS[plan.scanner],
            }
        )
    if plan.start:
        simulated += f" Training went on from the weights of {plan.start}."
    if plan.averaged > 1:
        simulated += f" Voxels are means over {plan.averaged} along each edge of the simulation's."
    if plan.counted:
        simulated += (
            f" {plan.counted:.0%} of the people are heads as `betaplus simulate raw` counts them."
        )
    if plan.slab > 1:
        simulated += f" {plan.slab} slices side by side are cleaned together."
    if plan.pool > 1:
        simulated += f" Images are means over blocks of {plan.pool} voxels an edge."
    card = ModelCard(
        what=_SEEN if plan.sees else _PAIRS if plan.images else _WHAT[plan.dimensions],
        training_data=simulated if data is None else f"{data}, in voxels of {plan.voxel:g} mm.",
        metrics=[
            Metric(
                name=name,
                value=f"{value:.4g}",
                measured="people that were not trained on; unit: " + _unit(plan, name),
            )
            for name, value in figures.items()
            if name != "score"
        ],
        limits=_SEEN_LIMITS if plan.sees else _PAIR_LIMITS if plan.images else _LIMITS,
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
            "anatomy": _anatomies(plan),
            "tracer": list(dict.fromkeys(plan.tracers)) if data is None else ["own"],
            **(_shown_validity(plan) if plan.sees else _resolution(plan)),
        },
        settings={
            "voxel": plan.pool * plan.voxel,
            "edge": plan.edge // plan.pool,
            "unit": plan.unit,
            "orientations": list(ORIENTATIONS) if plan.dimensions == 2 and not plan.sees else [],
            **({"images": list(plan.images)} if plan.images else {}),
            **({"slab": plan.slab} if plan.slab > 1 else {}),
            **(_shown(plan, figures) if plan.sees else {}),
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


def _resolution(plan: PriorPlan) -> dict[str, Any]:
    return {"resolution [mm]": [plan.sharpest, plan.bluntest]}


def _shown_validity(plan: PriorPlan) -> dict[str, Any]:
    """Return which scans a prior was shown."""
    from betaplus.core.scanners import find_scanner

    fewest, most = FRACTIONS[1]
    scanner = find_scanner(SIZES[plan.scanner])
    psf = scanner.resolution
    return {
        "scanner": list(plan.holds or (scanner.name,)),
        "resolution of the model [mm]": [psf - _NEAR, psf + _NEAR],
        "prompts per voxel": [fewest * COUNTS_PER_VOXEL, most * COUNTS_PER_VOXEL],
    }


def _shown(plan: PriorPlan, figures: Mapping[str, float]) -> dict[str, Any]:
    """Return what a prior is shown, and the error that it leaves where the noisy image is noise."""
    return {"sees": plan.sees, "around": plan.around, "spread": figures[f"rmse at {SIGMAS[-1]:g}"]}


def _anatomies(plan: PriorPlan) -> list[str]:
    return ["body", "brain"] if plan.anatomy == "both" else [plan.anatomy]


def _unit(plan: PriorPlan, name: str) -> str:
    return "dB over the best Gaussian filter" if name.startswith("gain") else plan.unit


def _simulated_pairs(plan: PriorPlan) -> str:
    both = plan.anatomy == "both"
    return _SIMULATED_PAIRS.format(
        **{
            **dataclasses.asdict(plan),
            "who": "every fourth a head, the others bodies"
            if both
            else f"all of them {plan.anatomy}",
            "tracers": ", ".join(dict.fromkeys(plan.tracers)),
            "heads": f", of heads {FINER * plan.voxel:g} mm" if both else "",
        }
    )
