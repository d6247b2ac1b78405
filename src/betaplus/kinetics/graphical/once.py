"""What a graphical method chooses once for all curves."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from betaplus.kinetics.curves import Curves
from betaplus.kinetics.method import Task

__all__ = ["check_t_star", "chosen_once"]

_GRAPHICAL = ("patlak", "logan", "mrtm2", "suvr")

_MOST_CURVES = 1000  # beyond these k2' comes from their mean


def check_t_star(method: str, task: Task) -> None:
    """Refuse a given t* that leaves too few frames, before anything is computed.

    Raises:
        UsageError: If it does.
    """
    if method in _GRAPHICAL and task.t_star is not None:
        from betaplus.kinetics.graphical.t_star import given_start

        given_start(task, 1 if method == "suvr" else 3)


def chosen_once(
    method: str, settings: Any, task: Task, curves: Curves
) -> tuple[Any, Task, dict[str, Any]]:
    """Return settings and task with t* and k2' chosen, and what was chosen, for the record.

    The t* of an image is that of its mean curve; curves of a table have their own. MRTM2 takes one
    k2' for all.
    """
    about: dict[str, Any] = {}
    if method not in _GRAPHICAL:
        return settings, task, about
    if task.t_star is None and (curves.mask is not None or method == "suvr"):
        from betaplus.kinetics.graphical.t_star import choose_t_star

        mean = np.asarray(curves.values, dtype=np.float64).mean(axis=0)
        chosen = choose_t_star(task, settings, mean)
        task = dataclasses.replace(task, t_star=chosen)
        about |= {"t_star": chosen, "t_star_from": "mean curve"}
    if method == "mrtm2" and not settings.k2_ref:
        from betaplus.kinetics.graphical.mrtm2 import choose_k2_ref

        values = np.asarray(curves.values, dtype=np.float64)
        if len(values) > _MOST_CURVES or curves.mask is not None:
            values = values.mean(axis=0, keepdims=True)
        k2_ref = choose_k2_ref(task, settings, values)
        settings = dataclasses.replace(settings, k2_ref=k2_ref)
        about |= {"k2_ref": k2_ref}
    return settings, task, about
