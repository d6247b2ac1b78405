"""One process, or several that torchrun started: who is who, and what they tell each other.

torchrun sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT; without them there is one
process. Processes speak through gloo on the CPU and nccl on CUDA.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from betaplus.core.errors import UsageError

__all__ = ["Team", "join_team"]

_PATIENCE = timedelta(hours=1)
"""How long a process waits for the first one to validate."""


@dataclass(frozen=True, kw_only=True)
class Team:
    """The processes of a training run, seen from one of them.

    Attributes:
        rank: Which one this is; the first, 0, writes and validates.
        size: How many there are.
        device: Where this one computes.
    """

    rank: int
    size: int
    device: torch.device

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace the tensors by their means over the processes, the same bits in all of them."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def of_first(self, value: float) -> float:
        """Return the first process's value in all of them."""
        if self.size == 1:
            return value
        carried = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(carried, 0)
        return float(carried)

    def share(self, module: nn.Module) -> None:
        """Give every process the first one's parameters and buffers."""
        if self.size > 1:
            for tensor in module.state_dict().values():
                carried = tensor.contiguous()
                dist.broadcast(carried, 0)
                tensor.copy_(carried)


@contextlib.contextmanager
def join_team(device: str) -> Iterator[Team]:
    """Yield the team that this process belongs to, and leave it at the end.

    Args:
        device: ``auto`` (CUDA where there is some, else the CPU), ``cpu`` or ``cuda``.

    Raises:
        UsageError: If there is no such device, or torchrun's variables are not as it sets them.
    """
    size, rank, local = _number("WORLD_SIZE", 1), _number("RANK", 0), _number("LOCAL_RANK", 0)
    if size > 1:
        missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if not _given(name)]
        if missing or rank >= size:
            found = f"WORLD_SIZE={size} with " + (
                f"no {' and no '.join(missing)}" if missing else f"RANK={rank}"
            )
            raise UsageError(
                found, "expected the variables that torchrun sets", "start it by torchrun"
            )
    place = _find_device(device, local)
    if size == 1:
        yield Team(rank=0, size=1, device=place)
        return
    found_group = dist.is_initialized()
    if not found_group:
        on_cuda = place.type == "cuda"
        dist.init_process_group(
            "nccl" if on_cuda else "gloo",
            rank=rank,
            world_size=size,
            timeout=_PATIENCE,
            device_id=place if on_cuda else None,
        )
    try:
        yield Team(rank=rank, size=size, device=place)
        if not found_group:
            dist.barrier()
    finally:
        if not found_group:
            dist.destroy_process_group()
            # A thread of gloo that outlives the interpreter aborts the process.
            gc.collect()


def _given(name: str) -> bool:
    return bool(os.environ.get(name))


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal():
        raise UsageError(
            f"{name}={text}", "expected a whole number", "unset it, or start by torchrun"
        )
    return int(text)


def _find_device(device: str, local: int) -> torch.device:
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device {device}", "expected auto, cpu or cuda")
    there = torch.cuda.is_available()
    if device == "cpu" or (device == "auto" and not there):
        return torch.device("cpu")
    if not there:
        raise UsageError("--device cuda, but no CUDA device was found", todo="use auto or cpu")
    if local >= torch.cuda.device_count():
        raise UsageError(
            f"process {local + 1} of this machine, which has {torch.cuda.device_count()} CUDA "
            "devices",
            "expected a device for each process",
            "start fewer by torchrun --nproc-per-node",
        )
    place = torch.device("cuda", local)
    torch.cuda.set_device(place)
    return place
