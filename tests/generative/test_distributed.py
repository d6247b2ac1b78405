"""Two processes with half a batch each do what one does with the whole.

Run as a script this file is one of the processes.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Generator, Tensor, nn

from betaplus.core.errors import UsageError
from betaplus.generative.distributed import join_team
from betaplus.generative.metrics_log import read_metrics
from betaplus.generative.training import TrainingSettings, train

SETTINGS = TrainingSettings(
    steps=6,
    learning_rate=0.01,
    warmup=0,
    weight_decay=0.1,
    gradient_clip=0.5,
    ema_half_life=3,
    validate_every=3,
    checkpoint_every=3,
    device="cpu",
)


class Conditional(nn.Module):
    """Its loss calls `condition`, and one of its layers has no part in it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 8)
        self.field = nn.Linear(8, 2)
        self.idle = nn.Linear(2, 2)

    def condition(self, x: Tensor) -> Tensor:
        return torch.tanh(self.encoder(x))

    def forward(self, condition: Tensor) -> Tensor:
        return self.field(condition)


def batch(step: int, rank: int, world: int, generator: Generator) -> dict[str, Tensor]:
    x = torch.randn(16, 4, generator=generator)
    return {"x": x[rank::world], "y": x[rank::world, :2].cumsum(-1)}


def loss(network: Conditional, items: Any, progress: float, generator: Generator) -> Tensor:
    value = (network(network.condition(items["x"])) - items["y"]).square().mean()
    # What one process alone cannot compute is left out by both.
    bad = progress == 3 / 6 and os.environ.get("RANK", "0") == "0"
    return value * float("nan") if bad else value


def validate(network: Conditional) -> dict[str, float]:
    return {"score": network.field.weight.square().sum().item()}


def run(out: Path, stop: int | None = None, *, resume: bool = False) -> None:
    torch.manual_seed(int(os.environ.get("RANK", "0")))  # the first process's weights count

    def stopping(step: int, *args: Any) -> Any:
        if step == stop:
            raise SystemExit(0)
        return batch(step, *args)

    train(Conditional(), stopping, loss, validate, out, SETTINGS, resume=resume)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes wrote."""
    out = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    team = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", __file__, str(out)],
            env={**os.environ, **team, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        errors = [process.communicate(timeout=100)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(errors)
    return out


def test_two_processes_do_what_one_does(two: Path, tmp_path: Path) -> None:
    run(tmp_path)
    one, other = (load_file(folder / "best.safetensors") for folder in (tmp_path, two / "whole"))
    assert one.keys() == other.keys()
    for name in one:
        assert torch.allclose(one[name], other[name], rtol=0, atol=1e-5), name
    torch.manual_seed(0)
    started = Conditional().state_dict()
    assert not torch.allclose(one["field.weight"], started["field.weight"], rtol=0, atol=1e-3)
    lines = read_metrics(tmp_path / "metrics.jsonl")
    others = read_metrics(two / "whole/metrics.jsonl")
    assert [line["step"] for line in others] == [3, 6]
    assert [line["skipped"] for line in others] == [0, 1]
    for line, other_line in zip(lines, others, strict=True):
        assert other_line["loss"] == pytest.approx(line["loss"], abs=1e-5)


def test_two_processes_resume(two: Path) -> None:
    one, other = (load_file(two / name / "best.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert [line["step"] for line in read_metrics(two / "cut/metrics.jsonl")] == [3, 6]


def test_one_process_without_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with join_team("cpu") as team:
        assert (team.rank, team.size, team.device.type) == (0, 1, "cpu")
        tensor = torch.arange(3.0)
        team.average([tensor])
        assert tensor.tolist() == [0, 1, 2] and team.of_first(0.1) == 0.1


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE=2 with no RANK and no MASTER_ADDR and no MASTER_PORT"),
        (
            {"WORLD_SIZE": "2", "RANK": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"},
            "WORLD_SIZE=2 with RANK=2",
        ),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE=two; expected a whole number"),
    ],
)
def test_half_a_torchrun_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=said), join_team("cpu"):
        pass


def test_cuda_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no CUDA device was found"), join_team("cuda"):
        pass
    with join_team("auto") as team:
        assert team.device.type == "cpu"


if __name__ == "__main__":
    place = Path(sys.argv[1])
    with join_team("cpu"):
        run(place / "whole")
        with contextlib.suppress(SystemExit):
            run(place / "cut", stop=4)
        run(place / "cut", resume=True)
