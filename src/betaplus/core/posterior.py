"""What every kinetic method returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from betaplus.core.views import view_of

__all__ = ["STATUS", "Marginal", "Posterior"]

STATUS = {0: "outside", 1: "ok", 2: "re-weighted", 3: "refined", 4: "misfit"}
"""Meaning of the status codes of maps and tables."""


@dataclass(frozen=True, eq=False)
class Marginal:
    """The posterior of one parameter; every array has the posterior's shape.

    Attributes:
        mean: Posterior mean.
        std: Posterior standard deviation.
        quantiles: Level to value, for example ``{0.05: ..., 0.5: ..., 0.95: ...}``.
        samples: Draws, shape (..., S), or None.
        name: Of the parameter, where it comes from a `Posterior`.
        regions: Names of the curves, likewise.
        affine: Voxel to world matrix of maps, shape (4, 4) [mm], likewise.
    """

    mean: np.ndarray
    std: np.ndarray
    quantiles: Mapping[float, np.ndarray]
    samples: np.ndarray | None = None
    name: str = ""
    regions: tuple[str, ...] | None = None
    affine: np.ndarray | None = None

    @property
    def median(self) -> np.ndarray:
        """Posterior median."""
        return self.quantiles[0.5]

    def _repr_html_(self) -> str:
        return str(view_of("facts")(self))

    def plot(self) -> Any:
        """Return a picture: slices of mean, median and SD, or the interval of each curve.

        Notebooks show it, and it has ``save``.
        """
        return view_of("plot_marginal")(self)

    def to_xarray(self) -> Any:
        """Return an ``xarray.DataArray`` whose last dimension is the statistic.

        Raises:
            UsageError: If xarray is not installed.
        """
        return view_of("xarray")(self)


@dataclass(frozen=True, eq=False, kw_only=True)
class Posterior:
    """Posterior of kinetic parameters for N curves or a volume.

    Attributes:
        model: Name of the compartment model.
        method: Name of the method that made it.
        parameters: Name to `Marginal`: the model's rate constants, VB, macro-parameters, and delay
            and noise where they were inferred. Units in `betaplus.core.units.PARAMETER_UNITS`.
        diagnostics: Name to array: ``ess``, ``chi2``, ``status``, method specific others.
        prediction: Posterior predictive of each curve, name to array of shape (..., T): ``mean``
            and ``std`` of the noise-free curve, ``sigma`` of the noise [input unit]; may be empty.
        settings: What was run: method settings, prior, seed, delay.
        remarks: What was found untidy in the input and what was done about it.
        regions: Names of the curves, or None for voxels.
        affine: Voxel to world matrix of maps, shape (4, 4) [mm], or None for curves.
    """

    model: str
    method: str
    parameters: Mapping[str, Marginal]
    diagnostics: Mapping[str, np.ndarray]
    prediction: Mapping[str, np.ndarray] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    regions: tuple[str, ...] | None = None
    affine: np.ndarray | None = None

    def __getitem__(self, name: str) -> Marginal:
        marginal = self.parameters[name]
        return replace(marginal, name=name, regions=self.regions, affine=self.affine)

    def _repr_html_(self) -> str:
        return str(view_of("facts")(self))

    def to_xarray(self) -> Any:
        """Return an ``xarray.Dataset`` with a variable a parameter, and the diagnostics.

        Raises:
            UsageError: If xarray is not installed.
        """
        return view_of("xarray")(self)

    @property
    def samples(self) -> dict[str, np.ndarray]:
        """Draws by parameter; empty if none were asked for."""
        return {k: m.samples for k, m in self.parameters.items() if m.samples is not None}
