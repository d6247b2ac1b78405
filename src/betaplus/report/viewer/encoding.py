"""Arrays and settings as text that a page can hold."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np

from betaplus.report.elements import Html

__all__ = ["packed", "rounded", "widget"]

_DIGITS = 5


def packed(values: np.ndarray) -> str:
    """Return bytes, compressed, as text; the first axis runs fastest.

    Args:
        values: Of any shape, uint8 or little-endian float32.
    """
    return base64.b64encode(gzip.compress(values.tobytes(order="F"), 6, mtime=0)).decode()


def rounded(values: Any) -> Any:
    """Return numbers as nested lists with five digits; those that are no numbers are null."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        number = float(array)
        return float(f"{number:.{_DIGITS}g}") if np.isfinite(number) else None
    return [rounded(one) for one in array]


def widget(kind: str, data: Any, otherwise: str) -> Html:
    """Return a part of a page that a script brings to life.

    Args:
        kind: ``slices`` or ``curves``.
        data: What the script needs; JSON.
        otherwise: What is said where scripts do not run.
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return Html(
        f'<div class="widget" data-widget="{kind}"><noscript><p class="note">{otherwise}</p>'
        f'</noscript><script type="application/json">{text}</script></div>'
    )
