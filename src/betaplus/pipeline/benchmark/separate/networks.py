"""The networks that are judged: those given, those that ship, and why others are not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from betaplus.core.errors import UsageError
from betaplus.generative.bundle import load_bundle
from betaplus.separation.bundle import NETWORKS, TrainedSeparation, load_separation

__all__ = ["Networks"]


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Networks by method.

    Attributes:
        found: Method to its network.
        missing: Method to why it has none.
        unconditional: A network of `inn` that knows one protocol only, or None.
    """

    found: Mapping[str, TrainedSeparation] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    unconditional: TrainedSeparation | None = None

    @classmethod
    def load(cls, bundles: Sequence[Path] = (), unconditional: Path | None = None) -> Networks:
        """Read the networks.

        Args:
            bundles: Folders; which method one is of, it says itself.
            unconditional: Folder of the network that knows one protocol only.

        Raises:
            InputError: If a bundle cannot be used.
            UsageError: If one is not there, or two are of one method.
        """
        given: dict[str, Path] = {}
        for path in bundles:
            if not path.is_dir():
                raise UsageError(f"--bundle {path} is not a folder", "expected that of a bundle")
            kind = str(load_bundle(path, "separation").config.architecture.get("network"))
            if kind in given:
                raise UsageError(f"two bundles of {kind}", "expected one for each method")
            given[kind] = path
        found, missing = {}, {}
        for method in NETWORKS:
            try:
                found[method] = load_separation(method, given.get(method))
            except UsageError as error:
                if method in given:
                    raise
                missing[method] = str(error).partition(" in ")[0]
        other = None if unconditional is None else load_separation("inn", unconditional)
        return cls(found=found, missing=missing, unconditional=other)

    def of(self, column: str) -> TrainedSeparation | None:
        """Return the network of a column; None where it is a method without, or it has none."""
        from betaplus.pipeline.benchmark.separate.candidates import UNCONDITIONAL

        return self.unconditional if column == UNCONDITIONAL else self.found.get(column)

    def name(self, column: str) -> str:
        """Return what tells one network from another: part of names of items."""
        trained = self.of(column)
        if trained is None or trained.bundle is None:
            return ""
        return trained.bundle.checksum[:8]

    @property
    def record(self) -> dict[str, str]:
        """Method to the folder of its network or why it has none, as JSON knows it."""
        used = {
            name: "made on the spot" if one.bundle is None else one.bundle.config.folder
            for name, one in self.found.items()
        }
        return used | {name: f"none: {why}" for name, why in self.missing.items()}
