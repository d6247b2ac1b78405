"""The same scan with a lesion that one tracer sees, and without it."""

from __future__ import annotations

from collections.abc import Sequence

from betaplus.core.errors import UsageError
from betaplus.simulation.dual_study.lesions import KINDS
from betaplus.simulation.dual_study.person import DualPerson
from betaplus.simulation.dual_study.protocol import DualProtocol
from betaplus.simulation.dual_study.study import DualStudy, draw_dual_study, without_lesions

__all__ = ["lesion_pair"]


def lesion_pair(
    person: DualPerson,
    protocol: str | DualProtocol = "standard",
    kind: str = "first",
    *,
    item: int = 0,
    shape: Sequence[int] = (48, 48, 48),
    hot: tuple[float, float] = (2.0, 4.0),
    diameter: tuple[float, float] = (12.0, 24.0),
) -> tuple[DualStudy, DualStudy]:
    """Return a scan with one hot lesion, and the same without it; noise of a draw is the same.

    Args:
        person: Who is scanned.
        protocol: Name in `PROTOCOLS`, or a protocol.
        kind: Which tracer sees it: ``first``, ``second`` or ``both``.
        item: Number of the scan, which also chooses where box and lesion are.
        shape: Of the images.
        hot: Range of the contrast.
        diameter: Range of the lesion's [mm].

    Raises:
        UsageError: If a name is unknown, or no lesion fits into the brain in view.
    """
    if kind not in KINDS:
        raise UsageError(f"lesion of kind {kind!r}", f"expected one of {', '.join(KINDS)}")
    ill = draw_dual_study(
        person,
        protocol,
        item=item,
        shape=shape,
        lesions=1,
        kinds=(kind,),
        hot=hot,
        cold=0.0,
        diameter=diameter,
    )
    if not ill.lesions:
        raise UsageError(
            f"no place for a lesion of {diameter[0]:g} mm in item {item} of person {person.seed}",
            "expected more of the brain in view",
            "take another item, or a larger box",
        )
    return ill, without_lesions(ill)
