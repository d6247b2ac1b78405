"""Uncertainty of the input function carried into the parameters, by fitting draws of it.

The posterior given the blood is a mixture: over the input functions that the samples leave
possible, of the posterior with each of them. Here those are draws of the parent fraction, the part
of an arterial input that is known worst.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.input_function import InputFunction
from betaplus.core.posterior import Marginal, Posterior
from betaplus.core.tacs import TacTable
from betaplus.kinetics.blood.parent_fraction import fit_parent_fraction, with_parent_model
from betaplus.kinetics.fit import fit

__all__ = ["draw_inputs", "fit_over_inputs"]

_POOLED = 4000  # draws that quantiles rest on, at least
_MOST = 200


def draw_inputs(blood: InputFunction, model: str, n: int, seed: int = 0) -> list[InputFunction]:
    """Return n input functions whose parent fractions are draws of a fitted model's.

    Args:
        blood: Blood samples with a parent fraction.
        model: ``hill``, ``exponential`` or ``power``.
        n: Number of draws, 2 to 200.
        seed: Seed.

    Raises:
        InputError: If the model cannot be fitted.
        UsageError: If there are too few or too many draws, or no model is asked for.
    """
    if not 2 <= n <= _MOST:
        raise UsageError(f"{n} draws of the input", f"expected 2 to {_MOST}")
    if model == "samples":
        raise UsageError(
            "draws of the input without a model of the parent fraction",
            "expected hill, exponential or power",
        )
    modelled = with_parent_model(blood, model)
    assert modelled.parent_fraction is not None
    known = np.isfinite(modelled.parent_fraction)
    drawn = fit_parent_fraction(blood, model).draws(modelled.time[known], n, seed)
    out = []
    for values in drawn:
        fraction = np.full(modelled.time.size, np.nan)
        fraction[known] = values
        out.append(dataclasses.replace(modelled, parent_fraction=fraction))
    return out


def fit_over_inputs(
    data: TacTable,
    inputs: Sequence[InputFunction],
    *,
    samples: int = 0,
    seed: int = 0,
    **options: Any,
) -> Posterior:
    """Return the posterior of curves, averaged over input functions of equal probability.

    Mean and SD follow from the moments with each input; quantiles and draws from pooled draws.
    Status is the worst met; predictions are those of the first input.

    Args:
        data: Table of curves.
        inputs: Input functions, for example of `draw_inputs`.
        samples: Draws per curve; 0 for moments and quantiles only.
        seed: Seed.
        options: Everything else that `betaplus.kinetics.fit` takes.

    Raises:
        InputError: As `betaplus.kinetics.fit`.
        UsageError: As `betaplus.kinetics.fit`, or if the data are an image.
    """
    if not isinstance(data, TacTable):
        raise UsageError("draws of the input with an image", "expected a table of curves")
    each = -(-max(samples, _POOLED) // len(inputs))
    fits = [
        fit(data, blood, samples=each, seed=seed + i, **options) for i, blood in enumerate(inputs)
    ]
    first = fits[0]
    parameters = {name: _pooled([f[name] for f in fits], samples) for name in first.parameters}
    diagnostics = {
        name: (np.max if name == "status" else np.mean)(
            [np.asarray(f.diagnostics[name]) for f in fits], axis=0
        )
        for name in first.diagnostics
    }
    settings = {**first.settings, "samples": samples, "seed": seed, "input_draws": len(inputs)}
    remark = f"averaged over {len(inputs)} draws of the input function"
    return dataclasses.replace(
        first,
        parameters=parameters,
        diagnostics=diagnostics,
        settings=settings,
        remarks=(*first.remarks, remark),
    )


def _pooled(marginals: Sequence[Marginal], samples: int) -> Marginal:
    means = np.array([m.mean for m in marginals], dtype=np.float64)
    variances = np.array([np.asarray(m.std, dtype=np.float64) ** 2 for m in marginals])
    draws = np.stack([np.asarray(m.samples) for m in marginals], axis=-1)
    draws = draws.reshape(*draws.shape[:-2], -1)  # a draw of each input in turn
    levels = list(marginals[0].quantiles)
    quantiles = np.quantile(draws, levels, axis=-1)
    return Marginal(
        mean=means.mean(axis=0),
        std=np.sqrt(variances.mean(axis=0) + means.var(axis=0)),
        quantiles=dict(zip(levels, quantiles, strict=True)),
        samples=draws[..., :samples] if samples else None,
    )
