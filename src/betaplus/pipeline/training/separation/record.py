"""What a run was begun with, so that it is not gone on with as something else."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from betaplus.core.errors import InputError, UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["keep_plan"]

_FREE = ("steps", "minutes", "version")  # may change; `generative.training` looks at the steps


def keep_plan(folder: Path, plan: DataclassInstance, *, resume: bool, **more: str) -> None:
    """Write the plan of a run beside it, or check that it is the one that it was begun with.

    Args:
        folder: Of the run.
        plan: Its settings.
        resume: Whether the run is gone on with.
        **more: What else has to be the same.

    Raises:
        UsageError: If a setting differs.
        InputError: If the earlier plan cannot be read.
    """
    path = folder / "plan.json"
    asked = json.loads(json.dumps({**dataclasses.asdict(plan), **more}))
    if resume and path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path} cannot be read: {error}", todo="give --overwrite to start again"
            ) from error
        for name, value in asked.items():
            if name not in _FREE and before.get(name) != value:
                raise UsageError(
                    f"{name} {_shown(value)} with --resume",
                    f"expected {_shown(before.get(name))} as in the earlier run",
                    "give --overwrite to start again",
                )
        return
    if os.environ.get("RANK", "0") == "0":
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asked, indent=1) + "\n", encoding="utf-8")


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
