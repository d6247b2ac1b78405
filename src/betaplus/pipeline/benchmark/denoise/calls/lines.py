"""The methods that are compared by what a draw costs, and their networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.denoising.bundle import GIVES, TrainedDenoiser, load_denoiser
from betaplus.denoising.consistency import Consistency, ConsistencySettings
from betaplus.denoising.method import Method
from betaplus.denoising.mmse import Mmse, MmseSettings
from betaplus.denoising.sampled import Ddim, DdimSettings, Ddpm, DdpmSettings
from betaplus.denoising.volume import Volume
from betaplus.generative.bundle_config import parse_folder, read_config

__all__ = ["Line", "find_networks", "lines_of", "method_of", "one_draw", "watched"]

_MAKE: dict[str, Callable[[int, TrainedDenoiser], Method]] = {
    "mmse": lambda _, network: Mmse(MmseSettings(), network),
    "consistency": lambda n, network: Consistency(ConsistencySettings(calls=n), network),
    "ddim, order 1": lambda n, network: Ddim(DdimSettings(steps=n, order=1), network),
    "ddim": lambda n, network: Ddim(DdimSettings(steps=n), network),
    "ddpm": lambda n, network: Ddpm(DdpmSettings(steps=n), network),
}
_BUNDLES = {"mmse": "body", "consistency": "fast"}  # the others have "draws"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the table.

    Attributes:
        method: A method, or ``ddim, order 1``.
        steps: Of the sampler, as its settings say.
        draws: How many are made of each crop.
    """

    method: str
    steps: int
    draws: int

    @property
    def name(self) -> str:
        """Of method and steps."""
        kind, comma, order = self.method.partition(",")
        return kind if kind == "mmse" else f"{kind} {self.steps}{comma}{order}"

    @property
    def slug(self) -> str:
        """Its name in names of files."""
        return self.name.replace(",", "").replace(" ", "-")

    @property
    def bundle(self) -> str:
        """Name of the bundle that it takes."""
        return _BUNDLES.get(self.method, "draws")

    @property
    def expected(self) -> int:
        """Calls of the network that a draw of one tile should take."""
        return self.steps

    @property
    def slow(self) -> bool:
        """Whether it is the one that the others are held against."""
        return self.method == "ddpm"


def lines_of(draws: int, steps: int, few: tuple[int, ...] = (10, 20, 50)) -> list[Line]:
    """Return the lines, those of few calls first.

    Args:
        draws: Of a crop.
        steps: Of ``ddpm``.
        few: Steps of ``ddim``.
    """
    lines = [Line(method="mmse", steps=1, draws=1)]
    lines += [Line(method="consistency", steps=n, draws=draws) for n in (1, 2, 4)]
    for ddim in ("ddim, order 1", "ddim"):
        lines += [Line(method=ddim, steps=n, draws=draws) for n in few]
    return [*lines, Line(method="ddpm", steps=steps, draws=draws)]


def method_of(line: Line, networks: dict[str, TrainedDenoiser]) -> Method:
    """Return what draws; networks are by the names of their bundles."""
    return _MAKE[line.method](line.steps, networks[line.bundle])


def one_draw(method: Method, volume: Volume, draw: int) -> np.ndarray:
    """Return the volume as a draw has it, or as the mean, shape (X, Y, Z) [SUV]."""
    if isinstance(method, Mmse):
        pieces = [method.compute(volume, index) for index in range(method.pieces(volume))]
    else:
        pieces = [method.compute(volume, draw)]
    return method.combine(volume, pieces).mean


@contextmanager
def watched(network: Any, call: Callable[[], None]) -> Iterator[None]:
    """Have a function called before every call of a network, whoever makes it."""
    hook = network.register_forward_pre_hook(lambda *_: call())
    try:
        yield
    finally:
        hook.remove()


def find_networks(
    bundle: Path | None, *, device: str = "cpu", bf16: bool = False
) -> dict[str, TrainedDenoiser]:
    """Return the three networks by the names of their bundles.

    Args:
        bundle: A folder of bundles that holds all three, or one bundle, which takes the place of
            what it is trained for; those that are shipped if None.
        device: Where to put them.
        bf16: Whether to compute in bfloat16.

    Raises:
        UsageError: If one is missing; it says what trains it.
        InputError: If one is damaged.
    """
    return {
        name: load_denoiser(name, _explicit(name, bundle), device=device, bf16=bf16)
        for name in GIVES
    }


def _explicit(name: str, bundle: Path | None) -> Path | None:
    if bundle is None or not bundle.is_dir():
        return bundle
    if (bundle / "config.json").is_file():
        gives = read_config(bundle / "config.json").settings.get("gives", [GIVES["body"]])
        return bundle if GIVES[name] in gives else None
    versions = {
        key[2]: path
        for path in bundle.iterdir()
        if (key := parse_folder(path.name)) is not None and key[:2] == ("denoiser", name)
    }
    if not versions:
        raise UsageError(
            f"no bundle denoiser-{name}-v<N> in {bundle}",
            "expected a bundle, or a folder with bundles of " + ", ".join(GIVES),
            f"train one with betaplus train denoiser --kind {GIVES[name]}",
        )
    return versions[max(versions)]
