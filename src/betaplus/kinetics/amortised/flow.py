"""Posterior draws of a normalizing flow: they have a density, so weights can make them exact."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from betaplus.generative.bundle import find_bundle, load_bundle, load_into
from betaplus.generative.flow import ConditionalFlow, FlowSize
from betaplus.kinetics.amortised.condition import FEATURES, TOKEN, Condition, make_probes
from betaplus.kinetics.amortised.fitter import AmortisedFitter, Draws, Trust
from betaplus.kinetics.amortised.networks import (
    architecture,
    condition_tensors,
    noise,
    outside_training,
)
from betaplus.kinetics.amortised.settings import check_draws, check_share
from betaplus.kinetics.exact.density import PLACES
from betaplus.kinetics.method import Task

__all__ = ["FLOW_SIZE", "Flow", "flow_draws", "load_flow"]

FLOW_SIZE = FlowSize(dimension=len(PLACES), token=TOKEN, features=FEATURES)
"""Widths of the flow that is shipped."""


class Flow:
    """Draws from a conditional neural spline flow, weighed by the exact posterior."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How many draws, and what is done about those that are off.

        Attributes:
            draws: Draws per curve; more where more samples are asked for.
            reweight: Give draws importance weights of the exact posterior.
            refine: Do curves again by `exact` where that fails.
            least_share: Effective share of the draws below which it has failed.
            bundle: Folder of a weight bundle; the shipped one if empty.
        """

        draws: int = 500
        reweight: bool = True
        refine: bool = True
        least_share: float = 0.05
        bundle: str = ""

        def __post_init__(self) -> None:
            check_draws("draws", self.draws)
            check_share("least_share", self.least_share)

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> AmortisedFitter:
        """Load the flow and tabulate the responses of a task."""
        s = self.settings
        flow, validity = load_flow(s.bundle)
        count = max(s.draws, task.samples)

        def draw(condition: Condition, places: np.ndarray, items: np.ndarray) -> Draws:
            normal = noise(task.seed, items, 32, (count, len(PLACES)))
            x, log_q = flow_draws(flow, condition, normal)
            absent = np.setdiff1d(np.arange(len(PLACES)), places)
            # what is not free counts as a standard normal that the posterior leaves as it is
            rest = 0.5 * (x[..., absent] ** 2 + np.log(2.0 * np.pi)).sum(-1)
            return Draws(x[..., places], log_q + rest)

        trust = Trust(reweight=s.reweight, refine=s.refine, least_share=s.least_share)
        return AmortisedFitter(task, draw, make_probes(), trust, outside_training(task, validity))


@functools.lru_cache(maxsize=2)
def load_flow(explicit: str) -> tuple[ConditionalFlow, dict[str, Any]]:
    """Return the flow of a bundle, and the ranges it holds for.

    Args:
        explicit: Folder of a bundle, or empty.

    Raises:
        InputError: If the bundle is not what it should be.
    """
    path = find_bundle("kinetics", "flow", Path(explicit) if explicit else None)
    bundle = load_bundle(path, "kinetics")
    flow = ConditionalFlow(FlowSize(**architecture(bundle, "flow", FlowSize)))
    load_into(flow, bundle)
    return flow.eval(), bundle.config.validity


@torch.no_grad()
def flow_draws(
    flow: ConditionalFlow, condition: Condition, normal: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return whitened draws (n, S, 6) and their log density (n, S), from normal (n, S, 6)."""
    context = flow.condition(*condition_tensors(condition, "cpu"))
    x, log_q = flow.draw(torch.from_numpy(normal), context)
    return x.numpy(), log_q.numpy()
