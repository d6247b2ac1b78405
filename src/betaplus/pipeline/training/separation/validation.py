"""Errors of the images of held-out people, beside those of the estimate from tissues."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.pipeline.training.separation.batches import person_of
from betaplus.pipeline.training.separation.plan import SeparationPlan, split_pair
from betaplus.pipeline.training.separation.studies import study_problem, true_images
from betaplus.separation.features import Features, features
from betaplus.separation.known import known_of
from betaplus.separation.network import SeparationNetwork
from betaplus.separation.tissue_fit import TissueFit
from betaplus.simulation.dual_study import FIRST_TUNING, draw_dual_study, dual_protocol

__all__ = ["DELAYS", "Validation"]

DELAYS = (0.0, 10.0, 20.0, 30.0)
"""Delays that are judged, those of them that the plan has [min]."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Case:
    """A scan: its features, mask, frames of each tracer (2, T), true images (2, X, Y, Z, T)."""

    delay: float
    shown: Features
    mask: Tensor
    seen: Tensor
    x: Tensor


class Validation:
    """Scans of people that are not trained on, at one level of noise.

    Args:
        plan: The training.
        seed: Chooses the scans.
    """

    def __init__(self, plan: SeparationPlan, seed: int = 0) -> None:
        self.pair = split_pair(plan.pairs[0])
        self.cases: list[_Case] = []
        for k in range(plan.held):
            person = person_of(FIRST_TUNING + k, plan)
            for delay in _within(plan.delay):
                protocol = dual_protocol(*self.pair, delay * SECONDS_PER_MINUTE)
                study = draw_dual_study(person, protocol, item=seed, shape=(plan.edge,) * 3)
                problem = study_problem(
                    study,
                    sizes=(plan.first, plan.second),
                    subjects=plan.subjects,
                    seed=seed,
                )
                case = _Case(
                    delay=delay,
                    shown=features(
                        problem, known=known_of(problem, TissueFit(kinetics=plan.kinetics))
                    ),
                    mask=problem.mask,
                    seen=torch.as_tensor(problem.seen),
                    x=true_images(study, problem),
                )
                self.cases.append(case)

    def measure(self, network: SeparationNetwork, bf16: bool) -> dict[str, float]:
        """Return root mean square errors over root mean squares, in the mask and frames seen.

        Returns:
            For each delay and tracer that of the network and of the estimate that it starts from,
            the mean over people; ``score``, the mean logarithm of their ratio.
        """
        device = next(network.parameters()).device
        found: dict[str, list[float]] = {}
        ratios = []
        for case in self.cases:
            shown = case.shown
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                u = network.separate(
                    shown.start[None].to(device),
                    shown.condition[None].to(device),
                    shown.context[None].to(device),
                )
            c = shown.coefficients(u[0].float().cpu())
            ours, theirs = (_errors(case, each) for each in (c, shown.base))
            for name, one, other in zip(self.pair, ours, theirs, strict=True):
                ratios.append(math.log(one / other))
                where = f"{name} at {case.delay:.0f} min"
                found.setdefault(f"NRMSE, {where}", []).append(one)
                found.setdefault(f"NRMSE of tissues, {where}", []).append(other)
        figures = {name: sum(values) / len(values) for name, values in found.items()}
        return {"score": sum(ratios) / len(ratios), **figures}


def _within(delays: tuple[float, ...]) -> list[float]:
    low, high = delays
    return [delay for delay in DELAYS if low <= delay <= high] or [low]


def _errors(case: _Case, c: Tensor) -> list[float]:
    curves = case.shown.estimate.curves(c[:, case.mask].T)
    out = []
    for x, seen, curve in zip(case.x, case.seen, curves, strict=True):
        true = x[case.mask][:, seen]
        error = curve[:, seen] - true
        out.append(math.sqrt(float(error.square().mean() / true.square().mean())))
    return out
