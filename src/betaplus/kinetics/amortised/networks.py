"""Networks of the amortised methods, from their bundles."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from betaplus.core.errors import InputError
from betaplus.core.seeds import generator
from betaplus.generative.bundle import Bundle, find_bundle, load_bundle, load_into
from betaplus.generative.bundle_config import outside
from betaplus.generative.conditional import ConditionalField, FieldSize
from betaplus.kinetics.amortised.condition import FEATURES, TOKEN, Condition
from betaplus.kinetics.exact.density import PLACES
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS

__all__ = [
    "SIZE",
    "architecture",
    "condition_tensors",
    "load_field",
    "noise",
    "outside_training",
]

SIZE = FieldSize(
    dimension=len(PLACES), token=TOKEN, features=FEATURES, width=128, blocks=4, condition=256
)
"""Widths of the networks that are shipped."""


@functools.lru_cache(maxsize=4)
def load_field(name: str, explicit: str, device: str) -> tuple[ConditionalField, dict[str, Any]]:
    """Return the network of a bundle, ready to be used, and the bundle's configuration.

    Args:
        name: Name within the task ``kinetics``.
        explicit: Folder of a bundle, or empty.
        device: Where to put it.

    Raises:
        InputError: If the bundle is not what it should be.
    """
    path = find_bundle("kinetics", name, Path(explicit) if explicit else None)
    bundle = load_bundle(path, "kinetics")
    field = ConditionalField(FieldSize(**architecture(bundle, name, FieldSize)))
    load_into(field, bundle)
    return field.eval().to(device), bundle.config.validity


def architecture(bundle: Bundle, name: str, size: type[Any]) -> dict[str, int]:
    """Return the widths of a bundle's network.

    Args:
        bundle: The bundle.
        name: Of the network that is wanted.
        size: The widths' class.

    Raises:
        InputError: If it is another network, or made for another condition.
    """
    config = bundle.config
    if config.name != name:
        raise InputError(
            f"bundle {bundle.path} is of network {config.name!r}",
            f"expected {name!r}",
            "give another bundle",
        )
    found, again = config.architecture, "get the bundle again, or train one"
    for field in dataclasses.fields(size):
        value = found.get(field.name)
        if type(value) is not int or value < 1:
            raise InputError(
                f"bundle {bundle.path}: architecture has {field.name} {value!r}",
                "expected a whole number of 1 or more",
                again,
            )
    if len(found) > len(dataclasses.fields(size)):
        known = {field.name for field in dataclasses.fields(size)}
        unknown = ", ".join(sorted(found.keys() - known))
        raise InputError(f"bundle {bundle.path}: architecture has unknown {unknown}", todo=again)
    told = {"dimension": len(PLACES), "token": TOKEN, "features": FEATURES}
    for part, value in told.items():
        if found[part] != value:
            raise InputError(
                f"bundle {bundle.path}: architecture has {part} {found[part]}",
                f"expected {value}, as this version describes curves",
                again,
            )
    return found


def condition_tensors(condition: Condition, device: str) -> tuple[torch.Tensor, ...]:
    """Return tokens, their number, features and free places as `ConditionalField.condition` wants.

    All curves of a task have the same frames.
    """
    tokens, features, free = (torch.from_numpy(part).to(device) for part in condition)
    count = torch.full((len(tokens),), tokens.shape[1], device=device)
    return tokens, count, features, free


def noise(seed: int, items: np.ndarray, draw: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return standard normal numbers of each item, shape (n, *shape) float32."""
    return np.stack(
        [
            generator(seed, int(item), draw).standard_normal(shape, dtype=np.float32)
            for item in items
        ]
    )


def outside_training(task: Task, validity: Mapping[str, Any]) -> list[str]:
    """Return what of a task lies outside the ranges of a bundle, in words."""
    known = PRIORS.get(task.prior.name)
    same = known is not None and dict(known) == dict(task.prior)
    values: dict[str, float | tuple[float, float] | str] = {
        "model": task.model,
        "prior": task.prior.name if same else f"{task.prior.name}, changed",
        "frames": float(len(task.frames)),
        "scan minutes": float(task.frames.end[-1]) / 60.0,
        "half-life [s]": task.half_life,
    }
    if task.delay is not None:
        values["known delay [s]"] = task.delay
    return outside(validity, values)
