"""Training: the optimum it finds, what it writes, how it stops and goes on."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Generator, Tensor, nn

from betaplus.core.errors import InputError, UsageError
from betaplus.generative.metrics_log import cut_metrics, read_metrics
from betaplus.generative.training import TrainingResult, TrainingSettings, train
from betaplus.generative.training_settings import learning_rate

TRUTH = torch.tensor([[1.0, -2.0, 0.5]])
QUICK = TrainingSettings(
    steps=20,
    learning_rate=0.01,
    warmup=3,
    ema_half_life=4,
    validate_every=4,
    checkpoint_every=5,
    seed=3,
    device="cpu",
)


class Small(nn.Module):
    """With dropout and statistics of batches, so that a resumed run can go wrong in all ways."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first = nn.Linear(3, width)
        self.norm = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(0.2)
        self.last = nn.Linear(width, 1)

    def encode(self, x: Tensor) -> Tensor:
        return self.norm(self.first(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.dropout(torch.tanh(self.encode(x))))


def small(width: int = 8) -> Small:
    torch.manual_seed(0)
    return Small(width)


def linear_batch(step: int, rank: int, world: int, generator: Generator) -> tuple[Tensor, Tensor]:
    x = torch.randn(32, 3, generator=generator)[rank::world]
    return x, x @ TRUTH.T


def squared(network: nn.Module, batch: Any, progress: float, generator: Generator) -> Tensor:
    x, y = batch
    noisy = x + 0.01 * torch.randn(x.shape, generator=generator)
    return (network(noisy) - y).square().mean()


def held_out(network: nn.Module) -> dict[str, float]:
    assert not network.training
    x = torch.randn(256, 3)
    return {"score": (network(x) - x @ TRUTH.T).square().mean().item(), "size": 256}


def with_(**changed: Any) -> TrainingSettings:
    return TrainingSettings(**{**vars(QUICK), **changed})


def go(out: Path, settings: TrainingSettings = QUICK, **more: Any) -> TrainingResult:
    options = {"batch": linear_batch, "loss": squared, "validate": held_out, **more}
    network = options.pop("network", None) or small()
    return train(network, out=out, settings=settings, **options)


def raising(error: type[BaseException], at: int) -> Callable[..., Any]:
    def batch(step: int, *args: Any) -> Any:
        if step == at:
            raise error("cut short")
        return linear_batch(step, *args)

    return batch


def without_minutes(out: Path) -> list[dict[str, float]]:
    lines = read_metrics(out / "metrics.jsonl")
    return [{k: v for k, v in line.items() if k != "minutes"} for line in lines]


def assert_same(one: Path, other: Path) -> None:
    assert without_minutes(one) == without_minutes(other)
    a, b = load_file(one / "best.safetensors"), load_file(other / "best.safetensors")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_linear_network_finds_the_truth(tmp_path: Path) -> None:
    network = nn.Linear(3, 1)
    settings = with_(steps=200, learning_rate=0.1, ema_half_life=10, validate_every=100)
    result = go(tmp_path, settings, network=network)
    best = load_file(result.best)
    assert torch.allclose(best["weight"], TRUTH, atol=5e-3)
    assert result.best_score is not None and result.best_score < 1e-4
    assert (result.steps, result.skipped) == (200, 0)
    assert torch.allclose(network.weight, TRUTH, atol=1e-2)


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    import fcntl

    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another run is training"):
            go(tmp_path)
    go(tmp_path)


def test_what_is_written(tmp_path: Path) -> None:
    result = go(tmp_path)
    names = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    (tensors,) = (n for n in names if n.startswith("tensors-20-"))
    assert names == ["best.safetensors", "metrics.jsonl", "state.json", tensors]
    lines = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 12, 16, 20]
    assert set(lines[0]) == {
        "step", "minutes", "loss", "learning_rate", "skipped", "score", "size",
    }  # fmt: skip
    assert result.best_score == min(line["score"] for line in lines)
    (best,) = (line for line in lines if line["step"] == result.best_step)
    assert best["score"] == result.best_score


def test_the_best_weights_are_kept_not_the_last(tmp_path: Path) -> None:
    scores = iter([3.0, 1.0, 2.0, math.nan, 5.0])
    seen: list[dict[str, Tensor]] = []

    def validate(network: nn.Module) -> dict[str, float]:
        seen.append({k: v.clone() for k, v in network.state_dict().items()})
        return {"score": next(scores)}

    result = go(tmp_path, validate=validate)
    assert (result.best_step, result.best_score) == (8, 1.0)
    best = load_file(result.best)
    assert all(torch.equal(best[name], seen[1][name]) for name in best)
    assert read_metrics(tmp_path / "metrics.jsonl")[3]["score"] is None


def test_without_validation_the_last_average_is_the_best(tmp_path: Path) -> None:
    result = go(tmp_path, validate=None)
    assert (result.best_step, result.best_score) == (20, None)
    state = json.loads((tmp_path / "checkpoint/state.json").read_text())
    kept = load_file(tmp_path / "checkpoint" / state["tensors"])
    best = load_file(result.best)
    assert all(torch.equal(best[name], kept[f"average/{name}"]) for name in best)
    weights = kept["weights/first.weight"]
    assert not torch.equal(best["first.weight"], weights)


@pytest.mark.parametrize("cut", [1, 4, 5, 11, 19])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_resumed_run_ends_with_the_same_bits(
    tmp_path: Path, cut: int, error: type[BaseException]
) -> None:
    whole = small()
    go(tmp_path / "whole", network=whole)
    with pytest.raises(error, match="cut short"):
        go(tmp_path / "cut", batch=raising(error, cut))
    torch.manual_seed(99)  # another process's weights and random numbers, if there is a checkpoint
    resumed = Small() if error is KeyboardInterrupt or cut >= 5 else small()
    result = go(tmp_path / "cut", network=resumed, resume=True)
    assert result.steps == 20
    assert_same(tmp_path / "whole", tmp_path / "cut")
    pairs = zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_resuming_starts_at_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, batch=raising(KeyboardInterrupt, 11))
    asked = []

    def batch(step: int, *args: Any) -> Any:
        asked.append(step)
        return linear_batch(step, *args)

    go(tmp_path, batch=batch, resume=True)
    assert asked == list(range(11, 20))
    go(tmp_path, batch=batch, resume=True)
    assert asked == list(range(11, 20))
    longer = go(tmp_path, with_(steps=25), batch=batch, resume=True)
    assert asked == list(range(11, 25)) and longer.steps == 25
    steps = [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl")]
    assert steps == [4, 8, 12, 16, 20, 24, 25]


def test_an_interrupted_validation_is_done_again(tmp_path: Path) -> None:
    go(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "cut", validate=interrupt_at(3))
    go(tmp_path / "cut", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_best_weights_of_steps_that_are_done_again_are_taken_back(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        go(tmp_path / "early", batch=raising(RuntimeError, 6))
    early = load_file(tmp_path / "early/best.safetensors")
    with pytest.raises(RuntimeError):
        go(tmp_path, batch=raising(RuntimeError, 9))
    late = load_file(tmp_path / "best.safetensors")
    assert not torch.equal(late["first.weight"], early["first.weight"])
    # The checkpoint is of step 5, the weights of step 8 are lost with it.
    with pytest.raises(RuntimeError):
        go(tmp_path, batch=raising(RuntimeError, 5), resume=True)
    kept = load_file(tmp_path / "best.safetensors")
    assert torch.equal(kept["first.weight"], early["first.weight"])


def interrupt_at(call: int) -> Callable[[nn.Module], dict[str, float]]:
    calls = []

    def validate(network: nn.Module) -> dict[str, float]:
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return held_out(network)

    return validate


def test_ctrl_c_in_an_update_waits_for_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(tmp_path / "whole")
    update = torch.optim.AdamW.step
    calls = []
    # A shell starts what runs in the background with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupted(self: torch.optim.AdamW) -> None:
        calls.append(1)
        if len(calls) == 7:
            os.kill(os.getpid(), signal.SIGINT)
        update(self)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(torch.optim.AdamW, "step", interrupted)
            with pytest.raises(KeyboardInterrupt):
                go(tmp_path / "cut")
    finally:
        signal.signal(signal.SIGINT, before)
    state = json.loads((tmp_path / "cut/checkpoint/state.json").read_text())
    assert state["counts"]["step"] == state["counts"]["averaged"] == 7
    go(tmp_path / "cut", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_a_kill_while_a_checkpoint_is_written_leaves_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import betaplus.generative.checkpoint as checkpoint

    go(tmp_path / "whole")
    save, writes = checkpoint.save_file, []

    def killed(tensors: Any, path: Path) -> None:
        save(tensors, path)
        if "tensors-" in path.name:
            writes.append(path)
            if len(writes) == 2:
                path.write_bytes(path.read_bytes()[:100])
                raise MemoryError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", killed)
        with pytest.raises(MemoryError):
            go(tmp_path / "cut")
    # A kill leaves what an error cleans away.
    (tmp_path / "cut/checkpoint/.tmp-0-tensors-10-0.safetensors").write_bytes(b"half")
    (tmp_path / "cut/.tmp-0-best.safetensors").write_bytes(b"half")
    go(tmp_path / "cut", network=Small(), resume=True)
    assert_same(tmp_path / "whole", tmp_path / "cut")
    assert len(list((tmp_path / "cut").iterdir())) == 3
    assert len(list((tmp_path / "cut/checkpoint").iterdir())) == 2


def test_minutes_end_a_run_and_are_counted_over_resumed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import betaplus.generative.training as training

    now = [0.0]
    monkeypatch.setattr(training.time, "monotonic", lambda: now[0])
    shares = []

    def loss(network: nn.Module, batch: Any, progress: float, generator: Generator) -> Tensor:
        now[0] += 60.0
        shares.append(progress)
        return squared(network, batch, progress, generator)

    bounded = with_(steps=1000, max_minutes=8.0)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, bounded, loss=loss, batch=raising(KeyboardInterrupt, 6))
    now[0] += 1e6
    result = go(tmp_path, bounded, loss=loss, resume=True)
    assert (result.steps, result.minutes) == (8, 8.0)
    assert shares == [i / 8 for i in range(8)]
    now[0] += 1e6
    longer = go(tmp_path, with_(steps=1000, max_minutes=10.0), loss=loss, resume=True)
    assert (longer.steps, longer.minutes) == (10, 10.0)


def test_steps_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    def loss(network: nn.Module, batch: Any, progress: float, generator: Generator) -> Tensor:
        value = squared(network, batch, progress, generator)
        return value * (math.nan if 2 <= progress * 20 < 11.5 else 1.0)

    network = small()
    result = go(tmp_path, network=network, loss=loss)
    assert result.skipped == 10
    assert [line["skipped"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [
        2, 6, 10, 10, 10,
    ]  # fmt: skip
    assert read_metrics(tmp_path / "metrics.jsonl")[1]["loss"] is None
    assert all(p.isfinite().all() for p in network.parameters())


def test_eleven_steps_running_that_are_not_finite_end_the_run(tmp_path: Path) -> None:
    def loss(network: nn.Module, batch: Any, progress: float, generator: Generator) -> Tensor:
        value = squared(network, batch, progress, generator)
        # The loss is finite here, its gradient is not.
        return value + (network.last.bias * 0).sqrt().sum() if progress * 20 > 4.5 else value

    with pytest.raises(
        InputError, match="not finite at 11 steps running, the last of them step 15"
    ):
        go(tmp_path, loss=loss)


def test_a_score_that_is_never_finite_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not finite at any validation"):
        go(tmp_path, validate=lambda network: {"score": math.nan})
    with pytest.raises(ValueError, match=r"\['mse'\], expected `score`"):
        go(tmp_path, validate=lambda network: {"mse": 1.0}, overwrite=True)


def test_an_earlier_run_is_not_overwritten_unasked(tmp_path: Path) -> None:
    go(tmp_path)
    with pytest.raises(UsageError, match=r"--resume .* --overwrite"):
        go(tmp_path)
    with pytest.raises(UsageError, match="exclude each other"):
        go(tmp_path, resume=True, overwrite=True)
    go(tmp_path, with_(steps=8, seed=4), overwrite=True)
    assert [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [4, 8]


def test_another_network_or_other_settings_are_refused(tmp_path: Path) -> None:
    go(tmp_path)
    wide = r"first.bias is \(8,\) float32; expected \(9,\) float32; give --overwrite"
    with pytest.raises(InputError, match=wide):
        go(tmp_path, network=small(9), resume=True)
    with pytest.raises(InputError, match=r"its bias is absent; expected \(1,\) float32"):
        go(tmp_path, network=nn.Linear(3, 1), resume=True)
    with pytest.raises(
        InputError, match=r"made with learning_rate 0.01; expected 0.02 as asked"
    ) as caught:
        go(tmp_path, with_(learning_rate=0.02), resume=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "state.json").write_text("{"), "state.json cannot be read"),
        (
            lambda folder: (folder / "state.json").write_text("[]"),
            "schema version None; expected 1",
        ),
        (
            lambda folder: (folder / "state.json").write_text('{"schema_version": 1}'),
            "state.json is not as it was written",
        ),
        (
            lambda folder: next(folder.glob("tensors*")).write_bytes(b"cos\nsystem\n"),
            r"tensors-20-\w+.safetensors cannot be read",
        ),
    ],
)
def test_a_damaged_checkpoint_is_refused(
    tmp_path: Path, harm: Callable[[Path], Any], said: str
) -> None:
    go(tmp_path)
    harm(tmp_path / "checkpoint")
    with pytest.raises(InputError, match=said) as caught:
        go(tmp_path, resume=True)
    assert "\n" not in str(caught.value)


def test_metrics_are_cut_after_a_step(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    cut_metrics(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_learning_rate() -> None:
    plain = with_(learning_rate=2.0, warmup=4, decay="linear", decay_share=0.5)
    assert [learning_rate(plain, step, 0.0) for step in range(5)] == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert [learning_rate(plain, 9, at) for at in (0.5, 0.75, 1.0)] == [2.0, 1.0, 0.0]
    cosine = with_(learning_rate=2.0, warmup=0, decay="cosine", decay_share=0.5)
    assert [learning_rate(cosine, 0, at) for at in (0.25, 0.5, 0.75)] == pytest.approx([2, 2, 1])
    assert learning_rate(cosine, 9, 5 / 6) == pytest.approx(2 * math.cos(math.pi / 3) ** 2)
    assert learning_rate(with_(warmup=0, decay_share=0.0), 0, 1.0) == 0.01


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"learning_rate": math.nan},
        {"max_minutes": -1.0},
        {"gradient_clip": 0.0},
        {"decay": "step"},
        {"decay_share": 1.5},
        {"device": "tpu"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(UsageError, match=f"training setting {name} is"):
        TrainingSettings(**wrong)


def test_bf16_and_frozen_parameters(tmp_path: Path) -> None:
    network = small()
    network.first.requires_grad_(False)
    before = network.first.weight.clone()
    kinds = []

    def loss(network: nn.Module, batch: Any, progress: float, generator: Generator) -> Tensor:
        kinds.append(network.encode(batch[0]).dtype)
        return squared(network, batch, progress, generator)

    result = go(tmp_path, with_(bf16=True), network=network, loss=loss)
    assert set(kinds) == {torch.bfloat16}
    assert torch.equal(network.first.weight, before)
    best = load_file(result.best)
    assert {t.dtype for t in best.values()} == {torch.float32, torch.int64}
    assert torch.equal(best["first.weight"], before)


def test_the_callers_random_numbers_are_left_alone(tmp_path: Path) -> None:
    network = small()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    go(tmp_path, network=network)
    assert torch.equal(torch.rand(3), expected)
