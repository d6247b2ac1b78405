"""Options of denoising and what of them goes together."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.core.settings import make_settings
from betaplus.denoising.method import LEARNED, SAMPLED
from betaplus.engine import Choice, check_engine

__all__ = ["check_options", "method_settings"]


def method_settings(kind: Any, method: str, values: dict[str, Any], samples: int | None) -> Any:
    """Return the settings of a method.

    Args:
        kind: Its class.
        method: Its name.
        values: What was typed, by name.
        samples: From ``--samples``, or None.

    Raises:
        UsageError: If a field is unknown, a value is of the wrong type, or there are no draws.
    """
    if samples is not None:
        if method not in SAMPLED:
            raise UsageError(
                f"--samples with --method {method}, which draws none",
                f"expected one of {', '.join(SAMPLED)}",
            )
        if "samples" in values:
            raise UsageError("--samples and a setting samples", "expected one of the two")
        values["samples"] = samples
    # `make_settings` reads the type of a field from its default, which None has not.
    free = {
        name: _number(name, values.pop(name))
        for name, default in asdict(kind.Settings()).items()
        if default is None and values.get(name) is not None
    }
    return replace(make_settings(kind.Settings, values), **free)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"setting {name}={value!r}", "expected a number") from error


def check_options(
    method: str,
    dose_fraction: float | None,
    bundle: Path | None,
    engine: str,
    workers: int | None,
    device: str = "cpu",
) -> Choice:
    """Check the options against the method, and return where its pieces are computed.

    Args:
        method: Its name.
        dose_fraction: From ``--dose-fraction``.
        bundle: From ``--bundle``.
        engine: From ``--engine``.
        workers: From ``--workers``.
        device: What a network computes on.

    Raises:
        UsageError: If one is out of range, or of no use to the method.
        InputError: If the file of an engine cannot be read.
    """
    if dose_fraction is not None and not 0.0 < dose_fraction <= 1.0:
        raise UsageError(f"--dose-fraction {dose_fraction:g}", "expected above 0 and at most 1")
    if method not in LEARNED:
        for name, given in (("--dose-fraction", dose_fraction), ("--bundle", bundle)):
            if given is not None:
                raise UsageError(
                    f"{name} with --method {method}, which has no network",
                    f"expected one of {', '.join(LEARNED)}",
                )
    choice = check_engine(engine, workers)
    if choice.apart and device != "cpu":
        raise UsageError(
            f"--engine {engine} with --device {device}",
            "a GPU serves threads of one process",
            "give --engine threads, or --device cpu",
        )
    return choice
