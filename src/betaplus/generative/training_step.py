"""One step of training: a batch, its loss, gradients averaged over processes, an update."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from betaplus.core.errors import InputError
from betaplus.generative.checkpoint import Run
from betaplus.generative.distributed import Team
from betaplus.generative.training_settings import TrainingSettings, learning_rate

__all__ = ["make_optimizer", "stream_key", "take_step"]

_MOST_SKIPPED = 10
_STREAMS = ("batch", "loss", "network", "validation")


def stream_key(seed: int, stream: str, *of: int) -> int:
    """Return the seed of one stream of random numbers: of a step, of a process."""
    entropy = (seed, _STREAMS.index(stream), *of)
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def make_optimizer(
    network: nn.Module, settings: TrainingSettings, device: torch.device
) -> torch.optim.AdamW:
    """Return AdamW for what the network lets train; biases and scales do not decay."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=device.type == "cuda")


def take_step(
    run: Run,
    team: Team,
    settings: TrainingSettings,
    batch: Callable[[int, int, int, Generator], Any],
    loss: Callable[[Any, Any, float, Generator], Tensor],
    progress: float,
) -> None:
    """Do the next step of a run; one whose loss or gradient is not finite changes no weight.

    Args:
        run: Changed in place.
        team: The processes.
        settings: Of the run.
        batch: As for `train`.
        loss: Likewise.
        progress: Share of the run that is done.

    Raises:
        InputError: If it was not finite at 11 steps running.
    """
    step = run.counts.step
    parameters = [p for group in run.optimizer.param_groups for p in group["params"]]
    run.network.train()
    items = batch(step, team.rank, team.size, _generator(settings.seed, "batch", step))
    # What draws without being given a generator: dropout.
    torch.manual_seed(stream_key(settings.seed, "network", step, team.rank))
    with torch.autocast(team.device.type, torch.bfloat16, enabled=settings.bf16):
        noise = _generator(settings.seed, "loss", step, team.rank)
        value = loss(run.network, _moved(items, team.device), progress, noise)
    run.optimizer.zero_grad()
    value.backward()
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = [parameter.grad for parameter in parameters]
    # DistributedDataParallel averages only what goes through the forward that it wraps; a loss
    # calls other methods of the network too, so the gradients are averaged here.
    mean = value.detach().float().reshape(1)
    team.average([*gradients, mean])
    norm = nn.utils.get_total_norm(gradients)
    # Mean and norm are the same in all processes, and so is what follows from them.
    finite = math.isfinite((mean + norm).item())
    if finite and settings.gradient_clip is not None:
        nn.utils.clip_grads_with_norm_(parameters, settings.gradient_clip, norm)
    rate = learning_rate(settings, step, progress)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    with _uninterrupted():
        _update(run, mean.item(), rate, finite)
    if run.counts.skipped_running > _MOST_SKIPPED:
        raise InputError(
            f"the loss or its gradient was not finite at {_MOST_SKIPPED + 1} steps running, "
            f"the last of them step {step}",
            todo="lower the learning rate, or look at the data of these steps",
        )


def _update(run: Run, loss: float, rate: float, finite: bool) -> None:
    counts = run.counts
    if finite:
        run.optimizer.step()
        run.ema.update(run.network)
        counts.loss_sum += loss
        counts.loss_count += 1
        counts.skipped_running = 0
    else:
        counts.skipped += 1
        counts.skipped_running += 1
    counts.learning_rate = rate
    counts.step += 1


def _generator(seed: int, stream: str, *of: int) -> Generator:
    return Generator().manual_seed(stream_key(seed, stream, *of))


def _moved(items: Any, device: torch.device) -> Any:
    if isinstance(items, Tensor):
        return items.to(device, non_blocking=True)
    if isinstance(items, dict):
        return {name: _moved(item, device) for name, item in items.items()}
    if isinstance(items, list):
        return [_moved(item, device) for item in items]
    if isinstance(items, tuple):
        moved = [_moved(item, device) for item in items]
        return tuple(moved) if type(items) is tuple else type(items)(*moved)
    return items


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off a Ctrl-C, which would leave weights and their moments half updated."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, Any]] = []
    earlier = signal.signal(signal.SIGINT, lambda *args: came.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)
    if came and callable(earlier):
        earlier(*came[0])
    elif came and earlier != signal.SIG_IGN:
        raise KeyboardInterrupt
