"""An item of training: what the network sees of a scan, the truth, and how errors count."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from betaplus.pipeline.training.separation.plan import SeparationPlan
from betaplus.pipeline.training.separation.studies import true_coefficients
from betaplus.separation.features import Features, features
from betaplus.separation.known import known_of
from betaplus.separation.network_loss import frame_metric, mixture_metric
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.tissue_fit import TissueFit
from betaplus.simulation.dual_study import DualStudy

__all__ = ["error_metric", "item_of"]

_LEAST_FOUND = 0.01  # of what is expected of the linear estimate


def item_of(
    problem: SeparationProblem, study: DualStudy, x: Tensor, plan: SeparationPlan
) -> dict[str, Tensor]:
    """Return an item of training.

    Args:
        problem: A noisy scan.
        study: It is of.
        x: True images [scale].
        plan: Says what has a weight.
    """
    shown = features(problem, known=known_of(problem, TissueFit(kinetics=plan.kinetics)))
    truth = true_coefficients(problem, x)
    item = {
        "linear": shown.start,
        "truth": shown.scaled(truth) * problem.mask,
        "condition": shown.condition.half(),
        "context": shown.context,
        "metric": _scaled(_of_base(error_metric(problem, shown), problem, shown, truth), shown),
        "where": problem.mask[None].float(),
    }
    bases, decay = _bases(problem), torch.as_tensor(problem.decay).float()
    if plan.inverse:
        clean = torch.from_numpy(study.clean / np.float32(problem.scale))
        z = features(dataclasses.replace(problem, mixture=clean), known=shown.known).base
        item["clean"] = shown.scaled(z) * problem.mask
    if plan.mixing:
        weights = torch.as_tensor(problem.weights).float()
        mixing = _expecting_one(mixture_metric(bases, decay, weights), problem, shown)
        item["mixing"] = _scaled(mixing, shown)
    return item


def error_metric(problem: SeparationProblem, shown: Features) -> Tensor:
    """Return the metric of errors, shape (K, K).

    Squared errors of the frames that a tracer has; each tracer counts for a half, over the error
    that is to be expected of its linear estimate, whose loss so is 1.

    Args:
        problem: A scan.
        shown: Its features.
    """
    seen = torch.as_tensor(problem.seen, dtype=torch.float32)
    metric = frame_metric(_bases(problem), (seen[0], seen[1]))
    sizes = shown.estimate.sizes
    whole = torch.zeros_like(metric)
    for part in (slice(0, sizes[0]), slice(sizes[0], sum(sizes))):
        own = torch.zeros_like(metric)
        own[part, part] = metric[part, part]
        whole += 0.5 * _expecting_one(own, problem, shown)
    return whole


def _of_base(metric: Tensor, problem: SeparationProblem, shown: Features, truth: Tensor) -> Tensor:
    """Return the metric by which what the network starts from has a loss of a half a tracer.

    Scans then count alike, those of many counts as those of few. (A start that is much better than
    could be expected of it is no reason to count more.)
    """
    error = (shown.base - truth)[:, problem.mask]
    metric = metric.clone()
    first = shown.estimate.sizes[0]
    for part in (slice(0, first), slice(first, None)):
        own = metric[part, part]
        found = float((error[part] * (own @ error[part])).sum(0).mean())
        metric[part, part] = own * (0.5 / max(_LEAST_FOUND, found))
    return metric


def _scaled(metric: Tensor, shown: Features) -> Tensor:
    """Return the metric of errors in the network's units."""
    spread = shown.spread.flatten()
    return spread[:, None] * metric * spread


def _expecting_one(metric: Tensor, problem: SeparationProblem, shown: Features) -> Tensor:
    noise = float(problem.noise[problem.mask].median())
    covariance = torch.as_tensor(shown.estimate.covariance(noise), dtype=torch.float32)
    return metric / (metric @ covariance).diagonal().sum().clamp_min(1e-8)


def _bases(problem: SeparationProblem) -> tuple[Tensor, Tensor]:
    one, two = (torch.as_tensor(s.basis, dtype=torch.float32) for s in problem.spaces or ())
    return one, two
