"""Part `recovery` of the benchmark of `denoise` as Markdown: methods at the same noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.evaluation.images.recovery import recovery_at_noise
from betaplus.pipeline.benchmark.wording import dose_name, opening

__all__ = ["Curve", "recovery_curve", "recovery_table"]

_SHARES = (0.5, 0.75, 1.0)  # of the network's correction, at whose noise the others are read


@dataclass(frozen=True, eq=False)
class Curve:
    """A method at a dose.

    Attributes:
        settings: Width, strength or share, shape (P,).
        noise: Mean over people [%], likewise.
        recoveries: Of each lesion, shape (P, L) [%].
    """

    settings: np.ndarray
    noise: np.ndarray
    recoveries: np.ndarray

    @property
    def recovery(self) -> np.ndarray:
        """Mean over lesions, shape (P,) [%]."""
        return self.recoveries.mean(axis=1)

    def at(self, noise: float) -> np.ndarray:
        """Return the recovery of each lesion where the noise is some [%]; NaN beyond the curve."""
        return np.array([recovery_at_noise(noise, self.noise, r) for r in self.recoveries.T])


def recovery_curve(result: Mapping[str, Any], dose: float, method: str) -> Curve:
    """Return a curve of a result of `benchmark_recovery`."""
    own = [p for p in result["points"] if p["dose"] == dose and p["method"] == method]
    settings = sorted({p["setting"] for p in own})
    noise, recoveries = [], []
    for setting in settings:
        here = sorted((p for p in own if p["setting"] == setting), key=lambda p: p["person"])
        noise.append(float(np.mean([p["noise"] for p in here])))
        recoveries.append([r for p in here for r in p["recovery"]])
    return Curve(np.array(settings), np.array(noise), np.array(recoveries))


def recovery_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_recovery` as Markdown."""
    low, high = result["diameters"]
    last = result["first_person"] + result["people"] - 1
    lines = opening("Recovery against noise", result)
    lines += [
        f"Simulation, FDG in a Quadra. {result['bundle']}; {result['lesions']} hot lesions of"
        f" {low:g} to {high:g} mm in {result['people']} bodies that no training saw (seeds"
        f" {result['first_person']} to {last}), voxels of {result['voxel']:g} mm. Noise:"
        " coefficient of variation in the liver, which without noise has"
        f" {result['limit_noise']:.1f} %. Contrast recovery relative to the true activity, means"
        f" over lesions; without noise it is {result['limit']:.1f} %. Rows: the network with a"
        " share of its correction, and what filters recover where they leave the same noise;"
        " differences are over lesions, with their standard error.",
        "",
        "| dose | share of *mmse* | noise [%] | *mmse* [%] | gaussian [%] | nlm [%] |"
        " over gaussian | over nlm |",
        "|---" * 8 + "|",
    ]
    for dose in result["doses"]:
        curves = {m: recovery_curve(result, dose, m) for m in ("gaussian", "nlm", "mmse")}
        mmse = curves["mmse"]
        noisy = f"{mmse.noise[0]:.1f} | {mmse.recovery[0]:.1f}"
        lines.append(f"| {dose_name(dose)} | 0 (noisy) | {noisy} | | | | |")
        for share in _SHARES:
            at = int(np.flatnonzero(mmse.settings == share)[0])
            own, noise = mmse.recoveries[at], float(mmse.noise[at])
            others = {m: curves[m].at(noise) for m in ("gaussian", "nlm")}
            cells = [_or_none(found.mean()) for found in others.values()]
            cells += [_difference(own - found) for found in others.values()]
            lines.append(
                f"| {dose_name(dose)} | {share:g} | {noise:.1f} | {own.mean():.1f} | "
                + " | ".join(cells)
                + " |"
            )
    return "\n".join(lines)


def _or_none(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "not reached"


def _difference(values: np.ndarray) -> str:
    if not np.isfinite(values).all():
        return ""
    error = values.std(ddof=1) / np.sqrt(values.size) if values.size > 1 else np.nan
    return f"{values.mean():+.1f} ({error:.1f})"
