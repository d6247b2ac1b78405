r"""Classifier two-sample test: can a classifier tell two samples apart?

Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017 (arXiv 1610.06545): the
accuracy on draws that were not trained on is 1/2 for equal distributions, and 1/2 + half their
total variation distance for the best of classifiers, so that any classifier gives a lower bound.
Accuracies are those of each sample averaged, so unequal sizes do not matter.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import expit

from betaplus.core.errors import InputError, UsageError
from betaplus.core.seeds import generator

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TwoSample", "c2st"]

_WIDTH = 64
_BATCH = 256
_RATE = 3e-3
_DECAY = 1e-3
_EPOCHS, _PATIENCE = 100, 10
_HELD_BACK = 6  # one in so many draws of the training part says when to stop
_NEWTON = 50
_RIDGE = 1e-3


@dataclass(frozen=True)
class TwoSample:
    """Result of a classifier two-sample test.

    Attributes:
        accuracy: Balanced accuracy on draws that were not trained on; 1/2 for equal samples.
        standard_error: Its binomial standard error.
    """

    accuracy: float
    standard_error: float


def c2st(
    a: np.ndarray,
    b: np.ndarray,
    *,
    seed: int = 0,
    folds: int = 5,
    classifier: Literal["network", "quadratic"] = "network",
) -> TwoSample:
    """Return how well a classifier tells two samples apart, by cross-validation.

    Features are standardised by the two samples together, which are given the same weight. The
    network has two hidden layers of 64 and stops early; it runs on the CPU, and the same seed gives
    the same result. The quadratic classifier is logistic regression on all first and second powers:
    it sees means, SDs and correlations, in a fraction of the time.

    Args:
        a: Shape (n, P).
        b: Shape (m, P).
        seed: Seed of folds, weights and batches.
        folds: Number of parts; each is predicted by what was trained on the others.
        classifier: ``network`` or ``quadratic``.

    Raises:
        InputError: If shapes disagree, a value is not finite, or a sample is too small to divide.
        UsageError: If there are fewer than 2 folds or the classifier is unknown.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or not a.shape[1]:
        raise InputError(f"samples of shape {a.shape} and {b.shape}", "expected (n, P) and (m, P)")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("a sample holds NaN or infinity", "expected numbers")
    if folds < 2:
        raise UsageError(f"{folds} folds", "expected at least 2")
    if min(len(a), len(b)) < _HELD_BACK * folds:
        raise InputError(
            f"samples of {len(a)} and {len(b)} draws", f"expected at least {_HELD_BACK * folds}"
        )
    if classifier not in ("network", "quadratic"):
        raise UsageError(f"classifier {classifier!r}", "expected network or quadratic")
    predict = _network if classifier == "network" else _quadratic
    rng = generator(seed)
    label = np.repeat([0.0, 1.0], [len(a), len(b)])
    weight = 0.5 / np.where(label, len(b), len(a))
    x = np.concatenate([a, b])
    x = x - weight @ x
    size = np.sqrt(weight @ x**2)
    x = x / np.where(size > 0, size, 1.0)
    fold = np.concatenate([rng.permutation(len(part)) % folds for part in (a, b)])
    logit = predict(x, label, weight * len(x), fold, rng)
    right = np.where(logit == 0, 0.5, (logit > 0) == label)
    share = np.array([right[label == side].mean() for side in (0, 1)])
    error = 0.5 * np.sqrt((share * (1 - share) / [len(a), len(b)]).sum())
    return TwoSample(float(share.mean()), float(error))


def _quadratic(
    x: np.ndarray, label: np.ndarray, weight: np.ndarray, fold: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Logits of penalised logistic regression, by Newton's method."""
    i, j = np.triu_indices(x.shape[1])
    design = np.concatenate([np.ones((len(x), 1)), x, x[:, i] * x[:, j]], axis=1)
    design[:, 1:] /= np.sqrt((design[:, 1:] ** 2).mean(axis=0)) + 1e-12
    logit = np.empty(len(x))
    for part in range(fold.max() + 1):
        train = fold != part
        d, y, w = design[train], label[train], weight[train]
        penalty = _RIDGE * w.sum() * np.eye(d.shape[1])
        beta = np.zeros(d.shape[1])
        for _ in range(_NEWTON):
            p = expit(d @ beta)
            slope = d.T @ (w * (y - p)) - penalty @ beta
            step = np.linalg.solve((d.T * (w * p * (1 - p))) @ d + penalty, slope)
            beta += step / max(1.0, np.abs(step).max())
            if np.abs(step).max() < 1e-8:
                break
        logit[~train] = design[~train] @ beta
    return logit


def _network(
    x: np.ndarray, label: np.ndarray, weight: np.ndarray, fold: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Logits of small networks, one a fold, all trained together on one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        every = _train(x, label, weight, fold, rng)
    finally:
        torch.set_num_threads(threads)
    return every[fold, np.arange(len(x))]


def _train(
    x: np.ndarray, label: np.ndarray, weight: np.ndarray, fold: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Logits of all draws by the network that was not trained on fold k, shape (folds, N)."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

    parts = int(fold.max()) + 1
    held_back = np.zeros(len(x), dtype=bool)
    held_back[rng.permutation(len(x))[::_HELD_BACK]] = True
    used = [np.flatnonzero((fold != k) & ~held_back) for k in range(parts)]
    length = min(map(len, used))
    stop = torch.from_numpy(np.stack([(fold != k) & held_back for k in range(parts)])).float()
    features = torch.from_numpy(x).float()
    target, importance = torch.from_numpy(label).float(), torch.from_numpy(weight).float()
    state = _start((x.shape[1], _WIDTH, _WIDTH, 1), parts, rng)
    adam = torch.optim.AdamW(state, lr=_RATE, weight_decay=_DECAY)
    best, waited = torch.full((parts,), torch.inf), torch.zeros(parts)
    kept = torch.zeros(parts, len(x))
    for _ in range(_EPOCHS):
        shuffled = np.stack([rng.permutation(index)[:length] for index in used])
        for start in range(0, length, _BATCH):
            batch = torch.from_numpy(shuffled[:, start : start + _BATCH])
            loss = cross_entropy(_logits(state, features[batch]), target[batch], importance[batch])
            adam.zero_grad()
            (parts * loss).backward()
            adam.step()
        with torch.no_grad():
            every = _logits(state, features[None])
            each = cross_entropy(every, target.expand_as(every), reduction="none") * importance
            score = (each * stop).sum(1) / stop.sum(1)
            better = score < best - 1e-5
            best = torch.where(better, score, best)
            waited = torch.where(better, 0.0, waited + 1.0)
            kept = torch.where(better[:, None], every, kept)
        if bool((waited >= _PATIENCE).all()):
            break
    return kept.double().numpy()


def _start(sizes: tuple[int, ...], parts: int, rng: np.random.Generator) -> list[Tensor]:
    """Weights and biases of every layer, uniform, with a leading axis of networks."""
    import torch

    state = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        bound = fan_in**-0.5
        for shape in ((parts, fan_in, fan_out), (parts, 1, fan_out)):
            state.append(torch.from_numpy(rng.uniform(-bound, bound, shape)).float())
    return [value.requires_grad_() for value in state]


def _logits(state: list[Tensor], z: Tensor) -> Tensor:
    """Of features (parts or 1, B, P), shape (parts, B)."""
    from torch.nn.functional import silu

    for k in range(0, len(state), 2):
        z = z @ state[k] + state[k + 1]
        z = silu(z) if k + 2 < len(state) else z
    return z[..., 0]
