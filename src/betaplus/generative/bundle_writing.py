"""Weight bundles written: weights, configuration, model card, how they were trained."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from betaplus.core.errors import InputError, OutputError
from betaplus.generative.atomic import beside
from betaplus.generative.bundle_config import BundleConfig, Range, check_config, parse_folder

__all__ = ["Metric", "ModelCard", "TrainingRecord", "write_bundle"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure and how it was measured."""

    name: str
    value: str
    measured: str


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a reader must know of weights before using them; Markdown.

    Attributes:
        what: What the network does.
        training_data: What it has seen.
        metrics: What was measured, and how.
        limits: Where it fails or was not tried.
    """

    what: str
    training_data: str
    metrics: Sequence[Metric]
    limits: str


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """How weights were made.

    Attributes:
        command: The command line.
        seed: Of the run.
        code_version: Of betaplus.
        data: Checksum of the data, or where they are from.
        minutes: Of training.
        steps: Likewise.
        metrics: The best validation.
    """

    command: str
    seed: int
    code_version: str
    data: str | dict[str, str]
    minutes: float
    steps: int
    metrics: dict[str, float]


def write_bundle(
    folder: Path,
    *,
    task: str,
    name: str,
    version: int,
    tensors: Mapping[str, Any],
    architecture: dict[str, Any],
    validity: dict[str, Range],
    settings: dict[str, Any],
    card: ModelCard,
    training: TrainingRecord,
    dtype: Literal["float16", "float32"] = "float16",
    keep_float32: Collection[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write a bundle; it appears whole or not at all.

    Args:
        folder: Where bundles are; the bundle is ``<task>-<name>-v<version>`` in it.
        task: ``kinetics``, ...
        name: Of the network.
        version: From 1.
        tensors: Torch tensors or numpy arrays by name: a state dict.
        architecture: What the network is built from, as JSON can hold it.
        validity: [lowest, highest] or a list of names, by quantity.
        settings: What a method needs beside the weights, as JSON can hold it.
        card: The model card.
        training: How they were made.
        dtype: Of floating-point numbers on disk.
        keep_float32: Tensors that stay float32.
        overwrite: Replace an earlier bundle of that name and version.

    Returns:
        The bundle's folder.

    Raises:
        InputError: If a tensor is not finite or too large for float16, or the configuration is not
            as `config.json` has to be.
        OutputError: If the bundle exists already or cannot be written.
        ValueError: If `keep_float32` names no tensor.
    """
    path = folder / f"{task}-{name}-v{version}"
    if parse_folder(path.name) is None:
        raise InputError(
            f"{path.name} does not name a bundle", "expected lower case <task>-<name>-v<N>"
        )
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path} exists already", todo="give --overwrite, or the next version's number"
        )
    unknown = sorted(set(keep_float32) - tensors.keys())
    if unknown:
        raise ValueError(f"no tensor {unknown[0]} to keep in float32")
    from safetensors.numpy import save

    arrays = {
        key: _on_disk(key, value, "float32" if key in keep_float32 else dtype)
        for key, value in tensors.items()
    }
    data = save(arrays)
    config = BundleConfig(
        task=task,
        name=name,
        version=version,
        architecture=architecture,
        validity=validity,
        settings=settings,
        sha256=hashlib.sha256(data).hexdigest(),
    )
    written = json.loads(json.dumps(dataclasses.asdict(config), allow_nan=False))
    check_config(written, path / "config.json")
    with beside(path) as temporary:
        temporary.mkdir()
        (temporary / "model.safetensors").write_bytes(data)
        _write_json(temporary / "config.json", written)
        _write_json(temporary / "training.json", dataclasses.asdict(training))
        text = _card_text(config, card, len(data), sum(a.size for a in arrays.values()))
        (temporary / "README.md").write_text(text, encoding="utf-8")
    return path


def _on_disk(name: str, value: Any, dtype: str) -> np.ndarray:
    if isinstance(value, np.ndarray):
        array = value
    else:
        tensor = value.detach().cpu()
        array = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all():
            raise InputError(f"tensor {name} is not finite", todo="take weights of another step")
        if np.abs(array).max(initial=0.0) > np.finfo(dtype).max:
            raise InputError(
                f"tensor {name} holds {np.abs(array).max():.3g}",
                f"expected at most {np.finfo(dtype).max:.3g} in {dtype}",
                "name it in keep_float32",
            )
        array = array.astype(dtype)
    return np.ascontiguousarray(array).reshape(array.shape)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _card_text(config: BundleConfig, card: ModelCard, size: int, weights: int) -> str:
    ranges = [
        f"| {name} | {' to '.join(f'{x:g}' for x in known)} |"
        if not isinstance(known[0], str)
        else f"| {name} | {', '.join(map(str, known))} |"
        for name, known in config.validity.items()
    ]
    metrics = [f"| {m.name} | {m.value} | {m.measured} |" for m in card.metrics]
    return "\n".join(
        [
            f"# {config.folder}",
            "",
            card.what.strip(),
            "",
            f"{weights:,} weights, {size / 1e6:.1f} MB. How they were trained is in "
            "`training.json`.",
            "",
            "## Training data",
            card.training_data.strip(),
            "",
            "## Validity",
            "Outside these ranges the weights are not to be trusted.",
            "",
            "| quantity | trained on |",
            "|---|---|",
            *ranges,
            "",
            "## Metrics",
            "| figure | value | how it was measured |",
            "|---|---|---|",
            *metrics,
            "",
            "## Limits",
            card.limits.strip(),
            "",
            "## Licence",
            "Apache-2.0",
            "",
        ]
    )
