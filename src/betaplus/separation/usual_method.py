"""The method of a scan for which none was chosen."""

from __future__ import annotations

from pathlib import Path

from betaplus.core.errors import UsageError
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.generative.bundle import find_bundle
from betaplus.generative.bundle_config import outside, read_config
from betaplus.separation.study_tracers import StudyTracer

__all__ = ["usual_method"]


def usual_method(
    tracers: tuple[StudyTracer, StudyTracer], delay: float, bundle: Path | None = None
) -> tuple[str, str]:
    """Return ``inn`` where its network was made for the pair and the delay, else ``tissues``.

    Args:
        tracers: The pair.
        delay: Second injection after the first [s].
        bundle: A network that was given: that is a choice of ``inn``.

    Returns:
        The method, and why it is not ``inn``: a sentence, or "".

    Raises:
        UsageError: If the folder of bundles that was set is none.
        InputError: If the bundle cannot be read.
    """
    if bundle is not None:
        return "inn", ""
    from betaplus.separation.bundle import DELAY, PAIR

    try:
        config = read_config(find_bundle("separation", "inn", None, "") / "config.json")
    except UsageError as error:
        if not str(error).startswith("no weights"):
            raise
        return "tissues", "method tissues: there are no weights of inn"
    first, second = (one.tracer.name for one in tracers)
    known = {name: config.validity[name] for name in (PAIR, DELAY) if name in config.validity}
    found: dict[str, float | tuple[float, float] | str] = {
        PAIR: f"{first}+{second}",
        DELAY: round(delay / SECONDS_PER_MINUTE, 2),
    }
    said = outside(known, {name: found[name] for name in known})
    if not said:
        return "inn", ""
    return "tissues", f"method tissues, not inn: outside what its network is for: {said[0]}"
