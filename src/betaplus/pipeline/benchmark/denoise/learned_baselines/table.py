"""Part `baselines` as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.denoise.gates import lesions_between, organ_biases
from betaplus.pipeline.benchmark.rows import Row, select
from betaplus.pipeline.benchmark.wording import dose_name, opening

__all__ = ["baselines_table"]

_LARGE = (15.0, 200.0)  # mm, diameters of lesions
_SMALL = (8.0, 12.0)


def baselines_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_baselines` as Markdown."""
    lines = [*opening("Learned baselines", result), _said(result), ""]
    lines += [*_networks(result), ""]
    for group in result["groups"]:
        rows = select(result["rows"], group=group)
        if rows:
            lines += [f"## {group}", "", *_scores(rows, result["doses"]), ""]
    return "\n".join(lines)


def _said(result: Mapping[str, Any]) -> str:
    """Return what the figures are of."""
    own, plan, corpus = result["mmse"], result["plan"], result["corpus"]
    last = result["first_person"] + max(result["people"], 1) - 1
    trained = ""
    if own["minutes"] is not None:
        trained = (
            f" Ours, *mmse* ({result['bundle']}), had a training of its own, of"
            f" {own['minutes']:.0f} minutes and {own['steps']} steps,"
            f" {own['minutes'] / result['minutes']:.1f} times as long; earlier ones that it went on"
            " from are not counted."
        )
    return (
        "Simulation. The learned methods that Yu et al. (EJNMMI 2025) compare with, built small"
        " and trained here: *unet3d*, a residual 3-D U-Net; *gan3d*, the same against a"
        " discriminator of patches, whose weights are counted; *ddpm2d*, a conditional diffusion"
        " model of axial slices,"
        " preconditioned as EDM (a change of variables of DDPM), drawn from by DPM-Solver++ in"
        f" {plan['calls']} calls; noise is drawn for each voxel, so that neighbouring slices are"
        " independent draws. All see the noisy image, asinh of the SUV, nothing clipped, and are"
        " told the dose; no map of noise, no filtered image. They are not the published networks,"
        f" which are far larger. Each had {result['minutes']:g} minutes on the simulated bodies"
        f" that our denoiser learns from ({corpus['people']}, of them {corpus['held_out_people']}"
        f" for validation, which chose loss, learning rate and weights), seed {result['seed']}."
        f"{trained} Judged: {result['length']:g} mm around the liver, with the counts of the whole"
        f" body, of bodies that no training saw: {result['people']} (seeds"
        f" {result['first_person']} to {last}), voxels of {result['voxel']:g} mm; reference: the"
        " same reconstruction without noise. *best gaussian*: with the width that is best for the"
        " very image, which no user could know; *nlm*: tuned on another body (seed"
        f" {result['tuned_on']}) of the same scanner, tracer and dose. No training saw a dose near"
        " 1/50. PSNR, SSIM and NRMSE in the body, peak: the largest value of the reference; means"
        " over people."
    )


def _networks(result: Mapping[str, Any]) -> list[str]:
    lines = [
        "| network | parameters | minutes | steps (best at) | loss | learning rate (tried) |"
        " held-out gain over noisy [dB] | seed |",
        "|---" * 8 + "|",
    ]
    for one in result["networks"]:
        tried = ", ".join(f"{trial['loss']} {trial['rate']:g}" for trial in one["tried"])
        lines.append(
            f"| {one['name']} | {one['parameters']:,} | {one['minutes']:.1f} |"
            f" {one['steps']} ({one['best_step']}) | {one['loss']} |"
            f" {one['rate']:g} ({tried or 'none'}) | {one['held_out']['gain']:+.2f} |"
            f" {one['seed']} |"
        )
    own = result["mmse"]
    if own["minutes"] is not None:
        lines.append(
            f"| mmse (ours) | {own['parameters']:,} | {own['minutes']:.1f} | {own['steps']} | | |"
            " | |"
        )
    return lines


def _scores(rows: Sequence[Row], doses: Sequence[float]) -> list[str]:
    lines = [
        "Bias of organs' SUVmean [%]: median of the absolute bias over organs and people, and the"
        " organ with the largest median over people. Bias of SUVpeak of hot lesions [%]: mean over"
        " lesions (their number). Seconds: of denoising alone, with what ran beside it.",
        "",
        "| dose | method | PSNR [dB] | SSIM | NRMSE [%] | organs | worst organ | lesions 8-12 mm |"
        " from 15 mm | liver COV [%] (reference) | s |",
        "|---" * 11 + "|",
    ]
    for dose in doses:
        at = [row for row in rows if row["dose"] == dose]
        for method in dict.fromkeys(row["method"] for row in at):
            found = [row for row in at if row["method"] == method]
            psnr, ssim, error, seconds = (
                _mean(found, name) for name in ("psnr", "ssim", "nrmse", "seconds")
            )
            cov, reference = _mean(found, "liver_cov"), _mean(found, "reference_cov")
            lines.append(
                f"| {dose_name(dose)} | {method} | {psnr:.2f} | {ssim:.4f} | {error:.2f} |"
                f" {_organs(found)} | {_peak(found, _SMALL)} | {_peak(found, _LARGE)} |"
                f" {cov:.1f} ({reference:.1f}) | {seconds:.0f} |"
            )
    return lines


def _organs(rows: Sequence[Row]) -> str:
    """Return two cells: the usual bias, and the worst organ."""
    found = organ_biases(rows)
    if not found:
        return "|"
    usual = float(np.median(np.abs(np.concatenate(list(found.values())))))
    medians = {organ: float(np.median(values)) for organ, values in found.items()}
    worst = max(medians, key=lambda organ: abs(medians[organ]))
    return f"{usual:.2f} | {medians[worst]:+.1f} {worst}"


def _peak(rows: Sequence[Row], size: tuple[float, float]) -> str:
    peaks = [lesion["peak"] for lesion in lesions_between(rows, *size)]
    return f"{np.mean(peaks):+.1f} ({len(peaks)})" if peaks else ""


def _mean(rows: Sequence[Row], name: str) -> float:
    known = [row[name] for row in rows if row[name] is not None]
    return float(np.mean(known)) if known else float("nan")
