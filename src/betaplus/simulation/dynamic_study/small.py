"""Many small studies, cheaply: boxes at random places of people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.core.seeds import generator
from betaplus.simulation.dynamic_study.person import Person
from betaplus.simulation.dynamic_study.protocol import Protocol, find_protocol
from betaplus.simulation.dynamic_study.study import PatlakStudy, study_of

__all__ = ["draw_small_study"]

_DRAW = 73
_SHIFT = 0.25  # of the box, about a voxel that is not air


def draw_small_study(
    person: Person,
    item: int,
    *,
    shape: Sequence[int] = (40, 40, 40),
    protocol: str | Protocol = "dynamic",
) -> PatlakStudy:
    """Draw a box at a random place of a person, with variation and lesions of its own.

    What the counts tell of the person is measured once, of regions that are alike all over and
    without lesions: only the box itself has those.

    Args:
        person: Who is scanned; its first box takes longest.
        item: Number of the box.
        shape: Of the box; it lies in the person's phantom where it fits.
        protocol: Name in `PROTOCOLS`, or a protocol whose frames are all made.
    """
    chosen = find_protocol(protocol).late() if isinstance(protocol, str) else protocol
    rng = generator(person.seed, item=item, draw=_DRAW)
    inside = np.flatnonzero(person.phantom.labels)
    size = np.array(person.phantom.labels.shape)
    box = np.array(tuple(shape))
    middle = np.array(np.unravel_index(rng.choice(inside), person.phantom.labels.shape))
    low = np.rint(middle + rng.uniform(-_SHIFT, _SHIFT, 3) * box - box / 2).astype(int)
    low = np.clip(low, np.minimum(size - box, 0) // 2, np.maximum(size - box, 0))
    whole = person.information(chosen)
    return study_of(person, chosen, low, box, item=item + 1, whole=whole)
