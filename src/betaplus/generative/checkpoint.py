"""A training run on disk: tensors in safetensors, the rest in JSON.

`state.json` names the file of tensors that belongs to it and takes its place in one step, so that
whatever cuts a run short leaves a whole checkpoint. No state of random generators is kept: every
draw of a run follows from its seed and the step.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from betaplus.core.errors import InputError
from betaplus.generative.atomic import beside
from betaplus.generative.ema import Ema
from betaplus.generative.training_settings import TrainingSettings

__all__ = ["Counts", "Run", "has_checkpoint", "load_checkpoint", "save_checkpoint", "save_weights"]

_SCHEMA = 1
_MAY_DIFFER = {"steps", "max_minutes", "checkpoint_every", "device"}
_OVERWRITE = "give --overwrite to start again, or another output folder"


@dataclass
class Counts:
    """Where a run is.

    Attributes:
        step: Steps done.
        minutes: Minutes used.
        logged: Step of the last line of metrics.
        loss_sum: Sum of the losses since.
        loss_count: Their number.
        learning_rate: Of the last step.
        skipped: Steps left out because the loss or its gradient was not finite.
        skipped_running: How many of them the last steps were.
        best_score: Least score of validation.
        best_step: When it was reached.
        averaged: Updates of the average of the weights.
    """

    step: int = 0
    minutes: float = 0.0
    logged: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    learning_rate: float = 0.0
    skipped: int = 0
    skipped_running: int = 0
    best_score: float | None = None
    best_step: int | None = None
    averaged: int = 0


@dataclass
class Run:
    """What a run carries from step to step."""

    network: nn.Module
    optimizer: torch.optim.AdamW
    ema: Ema
    counts: Counts
    best: dict[str, Tensor] | None = None


def has_checkpoint(folder: Path) -> bool:
    """Return whether there is a checkpoint in the folder."""
    return (folder / "state.json").exists()


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write a state dict, floating-point numbers as float32."""
    with beside(path) as temporary:
        save_file({name: _on_disk(tensor) for name, tensor in weights.items()}, temporary)


def save_checkpoint(folder: Path, run: Run, settings: TrainingSettings) -> None:
    """Write the run to the folder; the checkpoint before it is dropped when this one is whole."""
    run.counts.averaged = run.ema.updates
    tensors = {f"weights/{k}": v for k, v in run.network.state_dict().items()}
    tensors |= {f"average/{k}": v for k, v in run.ema.averaged().items()}
    tensors |= {f"best/{k}": v for k, v in (run.best or {}).items()}
    for name, parameter in _optimized(run):
        moments = run.optimizer.state.get(parameter, {})
        tensors |= {f"optimizer/{kind}/{name}": value for kind, value in moments.items()}
    name = f"tensors-{run.counts.step}-{secrets.token_hex(4)}.safetensors"
    with beside(folder / name) as temporary:
        save_file({k: _kept(v) for k, v in tensors.items()}, temporary)
    state = {
        "schema_version": _SCHEMA,
        "tensors": name,
        "counts": dataclasses.asdict(run.counts),
        "settings": dataclasses.asdict(settings),
    }
    with beside(folder / "state.json") as temporary:
        temporary.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
    for path in folder.iterdir():
        if path.name not in (name, "state.json"):
            path.unlink(missing_ok=True)


def load_checkpoint(folder: Path, run: Run, settings: TrainingSettings) -> None:
    """Take the run from the folder into `run`.

    Raises:
        InputError: If the checkpoint is damaged, or of another network or other settings.
    """
    state = _read_state(folder / "state.json")
    _check_settings(folder, state["settings"], dataclasses.asdict(settings))
    try:
        tensors = load_file(folder / state["tensors"])
    except (OSError, SafetensorError) as error:
        raise _damaged(folder, f"{state['tensors']} cannot be read") from error
    parts: dict[str, dict[str, Tensor]] = {k: {} for k in ("weights", "average", "best")}
    moments: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        part, _, name = key.partition("/")
        if part == "optimizer":
            kind, _, name = name.partition("/")
            moments.setdefault(name, {})[kind] = tensor
        else:
            parts.setdefault(part, {})[name] = tensor
    for part in ("weights", "average"):
        _check_shapes(folder, parts[part], run.network.state_dict())
    run.network.load_state_dict(parts["weights"])
    run.counts = Counts(**state["counts"])
    run.ema.restore(parts["average"], run.counts.averaged)
    run.best = parts["best"] or None
    numbered = enumerate(name for name, _ in _optimized(run))
    run.optimizer.load_state_dict(
        {
            "state": {i: moments[name] for i, name in numbered if name in moments},
            "param_groups": run.optimizer.state_dict()["param_groups"],
        }
    )


def _on_disk(tensor: Tensor) -> Tensor:
    return _kept(tensor.float() if tensor.is_floating_point() else tensor)


def _kept(tensor: Tensor) -> Tensor:
    """Return a copy as files hold tensors: contiguous, whatever layout the network prefers."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _optimized(run: Run) -> list[tuple[str, nn.Parameter]]:
    """Return the optimizer's parameters in its order, with their names in the network."""
    names = {parameter: name for name, parameter in run.network.named_parameters()}
    return [(names[p], p) for group in run.optimizer.param_groups for p in group["params"]]


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path.parent, "state.json cannot be read") from error
    version = state.get("schema_version") if isinstance(state, dict) else None
    if version != _SCHEMA:
        raise InputError(
            f"checkpoint {path.parent} has schema version {version}",
            f"expected {_SCHEMA}, which this version of betaplus writes",
            _OVERWRITE,
        )
    fields = {field.name for field in dataclasses.fields(Counts)}
    parts = [state.get(name) for name in ("tensors", "counts", "settings")]
    if [type(part) for part in parts] != [str, dict, dict] or set(state["counts"]) != fields:
        raise _damaged(path.parent, "state.json is not as it was written")
    return state


def _check_settings(folder: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name in sorted(expected.keys() | found.keys()):
        if name not in _MAY_DIFFER and found.get(name) != expected.get(name):
            raise InputError(
                f"checkpoint {folder} was made with {name} {found.get(name)}",
                f"expected {expected.get(name)} as asked for now",
                f"resume with the settings it was made with, or {_OVERWRITE}",
            )


def _check_shapes(folder: Path, found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name in sorted(expected.keys() | found.keys()):
        here, wanted = _describe(found.get(name)), _describe(expected.get(name))
        if here != wanted:
            raise InputError(
                f"checkpoint {folder} is of another network: its {name} is {here}",
                f"expected {wanted}",
                _OVERWRITE,
            )


def _describe(tensor: Tensor | None) -> str:
    if tensor is None:
        return "absent"
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _damaged(folder: Path, why: str) -> InputError:
    return InputError(f"checkpoint {folder} is damaged: {why}", todo=_OVERWRITE)
