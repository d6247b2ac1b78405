"""Options that name a file of each scan: ``masks/sub-{sub}_ses-{ses}_mask.nii.gz``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError
from betaplus.pipeline.bids.names import SCAN_ENTITIES

__all__ = ["filled"]

_NAMES = re.compile(r"\{(" + "|".join((*SCAN_ENTITIES, "src")) + r")\}")


def filled(value: Any, entities: Mapping[str, str], stem: str) -> Any:
    """Return an option with ``{sub}``, ``{ses}`` ... and ``{src}`` replaced, in lists too.

    Args:
        value: Text, a path, a list of these, or anything else, which is left as it is.
        entities: Of the scan.
        stem: Its name up to its suffix: ``{src}``.

    Raises:
        InputError: If the scan has no such entity.
    """
    if isinstance(value, list | tuple):
        return [filled(item, entities, stem) for item in value]
    if isinstance(value, Path):
        return Path(filled(str(value), entities, stem))
    if not isinstance(value, str):
        return value

    def label(match: re.Match[str]) -> str:
        name = match[1]
        if name == "src":
            return stem
        if name not in entities:
            raise InputError(f"{value} asks for {{{name}}}", f"{stem} has no {name}-")
        return entities[name]

    return _NAMES.sub(label, value)
