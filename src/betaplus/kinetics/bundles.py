"""Which methods need weights, and which weights they would use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["METHOD_BUNDLES", "bundle_record"]

METHOD_BUNDLES = {
    "consistency": "consistency",
    "flow": "flow",
    "ddpm": "denoiser",
    "score": "denoiser",
    "consistency-published": "published",
}
"""Method to the name of its bundle within the task ``kinetics``."""


def bundle_record(method: str, settings: Any) -> dict[str, Any] | None:
    """Return name, version and checksum of the weights that a method will use, None if it has none.

    Args:
        method: Name of the method.
        settings: Its settings.

    Raises:
        UsageError: If there is no bundle.
        InputError: If its configuration cannot be read.
    """
    if method not in METHOD_BUNDLES:
        return None
    from betaplus.generative.bundle import find_bundle
    from betaplus.generative.bundle_config import read_config

    explicit = Path(settings.bundle) if settings.bundle else None
    config = read_config(find_bundle("kinetics", METHOD_BUNDLES[method], explicit) / "config.json")
    return {"bundle": f"{config.task}-{config.name}-v{config.version}", "sha256": config.sha256}
