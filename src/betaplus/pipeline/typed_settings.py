"""Settings of a method as they are typed: a TOML file, and NAME=VALUE on the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError, UsageError
from betaplus.core.limits import read_toml

__all__ = ["typed_settings"]


def typed_settings(config: Path | None, assignments: Sequence[str]) -> dict[str, Any]:
    """Return the settings of a file, overruled by those of the command line.

    Args:
        config: TOML file, or None.
        assignments: Texts NAME=VALUE.

    Raises:
        InputError: If the file cannot be read.
        UsageError: If a text is no assignment.
    """
    values: dict[str, Any] = {}
    if config is not None:
        path = Path(config)
        try:
            values = read_toml(path)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path.name} is not valid TOML: {error}") from error
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {text!r}", "expected NAME=VALUE")
        values[name.strip()] = value.strip()
    return values
