"""Fits of regions with one parameter in common."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Executor
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.posterior import Posterior
from betaplus.core.progress import Progress, Silent
from betaplus.core.tacs import TacTable
from betaplus.kinetics.fit import fit
from betaplus.kinetics.leaning import leaning_remarks
from betaplus.kinetics.method import QUANTILES
from betaplus.kinetics.models import resolve
from betaplus.kinetics.prior import Prior, find_prior
from betaplus.kinetics.shared.check import check_shared, check_table
from betaplus.kinetics.shared.held import Held
from betaplus.kinetics.shared.mixture import LEVELS, mixture
from betaplus.kinetics.shared.profile import profile

__all__ = ["fit_shared"]

_MOST_SAMPLES = 100_000
_AGAINST = -3.0  # log Bayes factor of one value against one per region
_AIC_AGAINST = 4.0


def fit_shared(
    data: TacTable,
    blood: InputFunction | InputCurve,
    *,
    shared: str,
    model: str | None = None,
    method: str | None = None,
    prior: str | Prior = "default",
    samples: int = 0,
    delay: float | str = "fit",
    dispersion: float = 0.0,
    extraction: tuple[float, float] | None = None,
    glucose: float | None = None,
    lumped_constant: float | None = None,
    noise: float | str | np.ndarray = "auto",
    weights: str | np.ndarray = "model",
    seed: int = 0,
    settings: Any = None,
    engine: str | Executor = "threads",
    workers: int | None = None,
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> Posterior:
    """Return the posterior of all regions together, one parameter being the same in all of them.

    Given that parameter the regions are independent. With ``exact`` every region is fitted with
    the parameter held at values along its prior, dense where the posterior is; the evidences
    multiply to the posterior of the parameter, and the rest is a mixture over it. With ``nlls`` it
    is the coupled fit, by profile likelihood.

    Args:
        data: Table of two regions or more.
        blood: Blood samples or a ready input curve, decay-corrected to TimeZero.
        shared: What the regions have in common: k2, k3, k4, VB or delay.
        model: 1TCM, 2TCM3k or 2TCM, the default.
        method: ``exact``, the default, or ``nlls``.
        prior: As for `betaplus.kinetics.fit`, and so are the arguments that follow.
        samples: Draws per region; one draw has the same shared value in every region.
        delay: See there; ``fit`` with ``shared="delay"``.
        dispersion: See there [s].
        extraction: See there.
        glucose: See there [mmol/L].
        lumped_constant: See there.
        noise: See there; not ``estimate`` with ``exact``.
        weights: See there.
        seed: Seed of the run.
        settings: Settings of the method.
        engine: Where values of the parameter are worked on side by side.
        workers: Values at work at a time; the cores available if None.
        max_memory: Bound on the run [bytes].
        progress: What to report to.

    Returns:
        Arrays of shape (N,), as from `betaplus.kinetics.fit`; the shared parameter has the same
        numbers in every region. ``settings["shared"]`` holds its name, mean and SD, and the log
        evidence of all curves (``exact``) or the summed AIC and BIC (``nlls``), for one value
        (``log_evidence``) and for one in each region (``log_evidence_apart``).

    Raises:
        InputError: If the data or the blood cannot be used.
        UsageError: If an option is unknown or contradicts another.
    """
    progress = progress or Silent()
    check_table(shared, data)
    found, method = resolve(model, method, False)
    prior = find_prior(prior)
    check_shared(shared, found, method, prior, delay, noise)
    if not 0 <= samples <= _MOST_SAMPLES:
        raise UsageError(f"{samples} samples", f"expected 0 to {_MOST_SAMPLES}")
    options: dict[str, Any] = {
        "blood": blood,
        "model": found.name,
        "method": method,
        "delay": delay,
        "dispersion": dispersion,
        "extraction": extraction,
        "glucose": glucose,
        "lumped_constant": lumped_constant,
        "noise": noise,
        "weights": weights,
        "seed": seed,
        "settings": settings,
        "max_memory": max_memory,
    }
    apart = fit(data, prior=prior, engine="inline", progress=progress, **options)
    if not isinstance(apart.settings["delay"], str):  # found once, for all
        options["delay"] = apart.settings["delay"]
    held = Held(
        name=shared,
        prior=prior,
        data=data,
        options=options,
        quantiles=LEVELS if method == "exact" else QUANTILES,
        engine=engine,
        workers=workers,
        progress=progress,
    )
    posterior = (mixture if method == "exact" else profile)(held, samples, seed)
    about, remarks = _against(posterior.settings["shared"], apart, shared)
    kept = [text for text in apart.remarks if text in posterior.remarks]
    kept += leaning_remarks(posterior, prior, data.names)
    if shared == "delay":
        delay_record: dict[str, Any] = {"delay": "shared by all regions"}
    else:
        delay_record = {k: v for k, v in apart.settings.items() if k.startswith("delay")}
    return dataclasses.replace(
        posterior,
        settings={
            **posterior.settings,
            **delay_record,
            "prior": prior.name,
            "samples": samples,
            "shared": about,
        },
        remarks=tuple(dict.fromkeys([*kept, *remarks])),
    )


def _against(
    about: dict[str, Any], apart: Posterior, shared: str
) -> tuple[dict[str, Any], list[str]]:
    """Add what the curves say with a value in each region, and remark where they prefer that."""
    if "log_evidence" in about:
        total = float(np.sum(apart.diagnostics["evidence"]))
        about = {**about, "log_evidence_apart": total}
        factor = about["log_evidence"] - total
        if factor < _AGAINST:
            return about, [
                f"the curves speak against one {shared} for all: log Bayes factor {factor:.1f}"
            ]
        return about, []
    total = float(np.sum(apart.diagnostics["aic"]))
    about = {**about, "aic_apart": total, "bic_apart": float(np.sum(apart.diagnostics["bic"]))}
    if about["aic"] - total > _AIC_AGAINST:
        worse = about["aic"] - total
        return about, [f"the curves speak against one {shared} for all: AIC larger by {worse:.1f}"]
    return about, []
