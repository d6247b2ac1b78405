"""Consistency training as published: T = 1, 15 levels, squared loss, averaged target network.

The paper has 400,000 simulations and 100,000 iterations. What its description leaves open is chosen
here: batches of 256, Adam at 0.001 that falls to 0 over the last three tenths of the run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor, nn

from betaplus.core.progress import Progress
from betaplus.generative.training import TrainingResult, train
from betaplus.generative.training_settings import TrainingSettings
from betaplus.kinetics.published.network import LEVELS, PublishedNetwork
from betaplus.kinetics.published.simulator import simulate, to_standard

__all__ = ["EMA", "SIMULATIONS", "load_trained", "simulations", "train_published"]

SIMULATIONS = 400_000
EMA = 0.99
"""Share of the target network that stays at each step."""

_BLOCK = 8000  # simulations drawn at once


class _Pair(nn.Module):
    """The network in training and the average of it that targets come from."""

    def __init__(self) -> None:
        super().__init__()
        self.online = PublishedNetwork()
        self.target = PublishedNetwork().requires_grad_(False)
        self.target.load_state_dict(self.online.state_dict())

    @torch.no_grad()
    def follow(self) -> None:
        """Move the target network towards the one in training."""
        torch._foreach_lerp_(
            list(self.target.parameters()), list(self.online.parameters()), 1.0 - EMA
        )


def simulations(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return standardised parameters (n, 5) and conditions (n, 70) of n simulated curves."""
    x, conditions = [], []
    for block, start in enumerate(range(0, n, _BLOCK)):
        some = simulate(min(_BLOCK, n - start), seed, block)
        x.append(to_standard(some.theta).astype(np.float32))
        conditions.append(some.condition())
    return torch.from_numpy(np.concatenate(x)), torch.from_numpy(np.concatenate(conditions))


def train_published(
    out: Path,
    *,
    steps: int = 100_000,
    max_minutes: float | None = None,
    batch: int = 256,
    n_simulations: int = SIMULATIONS,
    seed: int = 0,
    device: str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train the published network; `load_trained` reads what it leaves in `out`.

    Args:
        out: Folder.
        steps: Iterations at most.
        max_minutes: Minutes at most.
        batch: Simulations per iteration.
        n_simulations: Simulations in all.
        seed: Of the simulations and of the training.
        device: ``auto``, ``cpu`` or ``cuda``.
        resume: Go on from the checkpoint in `out`.
        overwrite: Drop an earlier run in `out`.
        progress: What to report to.
    """
    settings = TrainingSettings(
        steps=steps,
        max_minutes=max_minutes,
        ema_half_life=float(np.log(0.5) / np.log(EMA)),
        validate_every=250,
        seed=seed,
        device=device,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pair = _Pair()
    x, conditions = simulations(n_simulations, seed)

    def next_batch(step: int, rank: int, world: int, generator: Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(x), (batch,), generator=generator)[rank::world]
        return x[chosen], conditions[chosen]

    return train(
        pair,
        next_batch,
        _loss,
        None,
        out,
        settings,
        resume=resume,
        overwrite=overwrite,
        progress=progress,
    )


def load_trained(out: Path) -> PublishedNetwork:
    """Return the network of the weights that a training left: their average, as for targets."""
    from safetensors.torch import load_file

    prefix = "online."
    tensors = load_file(out / "best.safetensors")
    network = PublishedNetwork()
    network.load_state_dict(
        {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
    )
    return network.eval()


def _loss(
    pair: _Pair, batch: tuple[Tensor, Tensor], progress: float, generator: Generator
) -> Tensor:
    pair.follow()
    clean, conditions = batch
    device = clean.device
    levels = torch.tensor(LEVELS, device=device)
    noise = torch.randn(clean.shape, generator=generator).to(device)
    at = torch.randint(len(LEVELS) - 1, (len(clean),), generator=generator).to(device)
    with torch.no_grad():
        target = _apply(pair.target, clean, noise, levels, at, conditions)
    found = _apply(pair.online, clean, noise, levels, at + 1, conditions)
    return (found - target).square().sum(-1).mean()


def _apply(
    network: PublishedNetwork,
    clean: Tensor,
    noise: Tensor,
    levels: Tensor,
    at: Tensor,
    conditions: Tensor,
) -> Tensor:
    embedding = network.embed_noise(levels)[at] + network.embed_curves(conditions)
    t = levels[at]
    return network(clean + t[:, None] * noise, t, embedding)
