"""What the counts of a scan are made of, besides the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.raw import RawScan

__all__ = ["Model", "model_of"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """What the counts of a scan are made of, besides the image.

    Attributes:
        multiplicative: Attenuation times efficiency, shape (view, radial, plane).
        additive: Frame to the mean of randoms and scatter, shape of a frame's prompts.
        remarks: What is left out or taken for granted.
    """

    multiplicative: np.ndarray
    additive: Callable[[int], np.ndarray]
    remarks: tuple[str, ...]


def model_of(
    scan: RawScan,
    *,
    efficiency: np.ndarray | None = None,
    attenuation: np.ndarray | None = None,
) -> Model:
    """Return the model of a scan's counts from what came with it and what is given besides.

    Args:
        scan: The scan.
        efficiency: Shape (view, radial, plane), in place of the scan's.
        attenuation: Likewise.

    Raises:
        InputError: If factors are negative or not numbers.
    """
    scanner, remarks = scan.scanner, []
    efficiency = scan.efficiency if efficiency is None else efficiency
    if efficiency is None:
        remarks.append("no normalisation: all crystals count as equal, gaps as 0")
        pairs = scanner.michelogram.multiplicity.astype(np.float32)
        factors = scanner.live[..., None] * pairs
    else:
        factors = np.array(efficiency[...], dtype=np.float32)
    attenuation = scan.attenuation if attenuation is None else attenuation
    if attenuation is None:
        remarks.append("no attenuation correction: no mu map was given")
    else:
        factors *= np.asarray(attenuation[...], dtype=np.float32)
    low = float(factors.min(initial=0.0))
    if not low >= 0.0 or not np.isfinite(factors.max(initial=0.0)):
        raise InputError(
            "normalisation or attenuation factors that are negative or no numbers",
            "expected numbers from 0",
        )
    if scan.scatter is None:
        remarks.append("no scatter correction: the data hold no estimate")
    if scan.randoms is None and scan.delayeds is None:
        remarks.append("no randoms correction: the data hold neither an estimate nor delayeds")
    elif scan.randoms is None:
        remarks.append("randoms estimated from the delayed coincidences")

    def additive(frame: int) -> np.ndarray:
        out = np.zeros(scanner.shape, dtype=np.float32)
        if scan.randoms is not None:
            out += np.asarray(scan.randoms[frame], dtype=np.float32)
        elif scan.delayeds is not None:
            from betaplus.physics.randoms import randoms_from_delayeds

            found = randoms_from_delayeds(np.asarray(scan.delayeds[frame]), scanner)
            out += found[..., None] / scanner.tof_bins if scanner.tof else found
        if scan.scatter is not None:
            out += np.asarray(scan.scatter[frame], dtype=np.float32)
        return out

    return Model(multiplicative=factors, additive=additive, remarks=tuple(remarks))
