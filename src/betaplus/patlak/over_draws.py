"""`betaplus.patlak.fit_draws`: draws of a dynamic image to draws of Ki and V0.

Draws from the posterior of all frames hold what the counts and a prior say together. Mapped one by
one by least squares, which adds neither noise nor a prior, they are draws from the posterior of Ki
and V0. The spread of the maps is then the uncertainty; what lines leave of a draw's frames is not
noise of a measurement, and is not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.patlak.fitting import MAPS, fit

__all__ = ["NOISE_FREE", "DrawnMaps", "fit_draws"]

NOISE_FREE = ("ls", "wls")
"""Methods that add no prior: linear in the frames."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DrawnMaps:
    """Maps of draws.

    Attributes:
        draws: ``Ki`` [mL/cm3/min] and ``V0`` [mL/cm3] of each draw, shape (K, X, Y, Z) float32.
        t_star: Start of the first frame used [s], the same for all draws.
    """

    draws: Mapping[str, np.ndarray]
    t_star: float

    @property
    def mean(self) -> dict[str, np.ndarray]:
        """Mean over draws, shape (X, Y, Z)."""
        return {name: x.mean(0, dtype=np.float64) for name, x in self.draws.items()}

    @property
    def std(self) -> dict[str, np.ndarray]:
        """Standard deviation over draws, with K - 1, likewise."""
        return {name: x.std(0, dtype=np.float64, ddof=1) for name, x in self.draws.items()}

    def region(self, mask: np.ndarray, name: str = "Ki") -> np.ndarray:
        """Return the mean over a region of every draw, shape (K,): their SD is that of the mean.

        Args:
            mask: Shape (X, Y, Z) bool.
            name: ``Ki`` or ``V0``.
        """
        return self.draws[name][:, mask].mean(1, dtype=np.float64)


def fit_draws(
    images: Iterable[PetImage],
    blood: InputFunction | InputCurve,
    *,
    method: str = "ls",
    t_star: float | str = "auto",
    mask: np.ndarray | None = None,
    **options: Any,
) -> DrawnMaps:
    """Return maps of Ki and V0 of every draw.

    Args:
        images: Draws of one dynamic image, at least two; read one after the other.
        blood: As for `fit`.
        method: One of `NOISE_FREE`.
        t_star: As for `fit`; ``auto`` chooses it by the first draw, for all.
        mask: Voxels wanted, shape (X, Y, Z); by default those of the first draw.
        options: More of `fit`, such as `delay`.

    Raises:
        InputError: If there is one draw or none, or they are not of one grid and the same frames.
        UsageError: If the method has a prior, or an option is wrong.
    """
    if method not in NOISE_FREE:
        raise UsageError(
            f"method {method!r} for draws, which hold a prior already",
            f"expected {' or '.join(NOISE_FREE)}: a prior is used once",
        )
    found: dict[str, list[np.ndarray]] = {name: [] for name in MAPS}
    start: float | str = t_star
    first: PetImage | None = None
    for image in images:
        if first is None:
            first = image
        _check_alike(first, image)
        maps = fit(image, blood, method=method, t_star=start, mask=mask, **options)
        start, mask = maps.study.t_star, maps.study.problem.mask.numpy()
        for name in MAPS:
            found[name].append(maps.maps[name])
    count = len(found[MAPS[0]])
    if count < 2:
        raise InputError(f"{count} draws of an image", "expected two or more")
    return DrawnMaps(draws={k: np.stack(v) for k, v in found.items()}, t_star=float(start))


def _check_alike(first: PetImage, image: PetImage) -> None:
    if first.shape != image.shape or not np.allclose(first.affine, image.affine):
        raise InputError(
            f"a draw of shape {image.shape} beside one of {first.shape}, or elsewhere in space",
            "expected draws of one image",
        )
    if first.frames != image.frames:
        raise InputError("draws with other frame times", "expected draws of one image")
