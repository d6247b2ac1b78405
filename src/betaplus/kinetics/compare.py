r"""Which model a curve supports: probabilities from the evidence of each.

The evidence p(y | M) averages the likelihood over the prior, and so charges a model for parameters
that the data do not need; with equal prior odds the probability of M is its share of the evidences
(Kass and Raftery, J Am Stat Assoc 1995). It depends on the width of the prior: a parameter that
the data determine well costs log(factor) where its prior is wider by that factor. Probabilities
under wider priors stand beside the others for that reason, and so do AIC and BIC of least squares.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.posterior import Posterior
from betaplus.core.progress import Progress
from betaplus.core.tacs import TacTable
from betaplus.engine import Journal
from betaplus.kinetics.fit import fit
from betaplus.kinetics.models import find_kinetic_model
from betaplus.kinetics.prior import Prior, find_prior
from betaplus.kinetics.wider import wider_prior

__all__ = ["COMPARED", "Comparison", "check_models", "compare"]

COMPARED = ("1TCM", "2TCM3k", "2TCM")
"""Models that are compared unless others are named."""

_RECORDED = ("prior", "noise", "weights", "dispersion", "seed", "method_settings")
_MISFIT = 4
_FEW = 100.0  # effective points that an evidence should rest on
_NAMED = 6


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """How well each of M models describes N curves, or the voxels of a volume.

    Arrays have the shape (N, M), for an image (X, Y, Z, M) with 0 outside the mask.

    Attributes:
        names: Names of the curves, or None.
        models: The models.
        log_evidence: Log density of the data [log of (Bq/mL)^-T].
        probability: Probabilities of the models, equal before the data.
        sensitivity: The same with wider priors of the parameters that not all models have.
        ess: Effective sample size that each evidence rests on, the smaller of the two.
        status: How each fit went, `betaplus.core.posterior.STATUS`.
        aic: Akaike's criterion of the least-squares fits, or None.
        bic: The Bayesian criterion, likewise.
        akaike: Akaike weights, likewise.
        settings: What was run; ``wider`` holds the factor and the wider ranges.
        remarks: What was found untidy, and where the result is doubtful.
    """

    names: tuple[str, ...] | None
    models: tuple[str, ...]
    log_evidence: np.ndarray
    probability: np.ndarray
    sensitivity: np.ndarray
    ess: np.ndarray
    status: np.ndarray
    aic: np.ndarray | None = None
    bic: np.ndarray | None = None
    akaike: np.ndarray | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def inside(self) -> np.ndarray:
        """Whether a curve was analysed, shape (N,)."""
        return self.status.any(axis=-1)

    @property
    def chosen(self) -> np.ndarray:
        """Name of the most probable model of each curve, shape (N,); empty outside the mask."""
        best = np.array(self.models)[np.argmax(self.probability, axis=-1)]
        return np.where(self.inside, best, "")


def compare(
    data: PetImage | TacTable,
    blood: InputFunction | InputCurve,
    *,
    models: Sequence[str] = COMPARED,
    prior: str | Prior = "default",
    delay: float | str = "fit",
    dispersion: float = 0.0,
    noise: float | str | np.ndarray = "auto",
    weights: str | np.ndarray = "model",
    mask: np.ndarray | None = None,
    seed: int = 0,
    settings: Any = None,
    wider: float = 1.5,
    criteria: bool | None = None,
    engine: str | Executor = "threads",
    workers: int | None = None,
    max_memory: int | None = None,
    journal: Journal | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare models by their evidence, and by AIC and BIC.

    Args:
        data: Dynamic image (X, Y, Z, T) or table of curves.
        blood: Blood samples or a ready input curve, decay-corrected to TimeZero.
        models: Two models or more with blood as their input.
        prior: As for `betaplus.kinetics.fit`, and so are the arguments that follow.
        delay: See there. A delay fitted per curve is part of each model's evidence; one found
            once is found under the model with most parameters, and taken for all.
        dispersion: See there [s].
        noise: See there; not ``estimate``, which has no evidence.
        weights: See there.
        mask: See there.
        seed: Seed of the run.
        settings: Settings of the method ``exact``.
        wider: By how much the priors are wider for `Comparison.sensitivity`; see
            `betaplus.kinetics.wider.widened`.
        criteria: Whether to fit by least squares too; by default for tables only.
        engine: See there.
        workers: See there.
        max_memory: See there.
        journal: See there.
        progress: What to report to.

    Raises:
        InputError: If the data or the blood cannot be used.
        UsageError: If an option is unknown or contradicts another.
    """
    models = tuple(models)
    check_models(models, noise, wider)
    prior = find_prior(prior)
    wide, ranges = wider_prior(prior, models, wider)
    options: dict[str, Any] = {
        "blood": blood,
        "delay": delay,
        "dispersion": dispersion,
        "noise": noise,
        "weights": weights,
        "mask": mask,
        "seed": seed,
        "predict": False,
        "engine": engine,
        "workers": workers,
        "max_memory": max_memory,
        "progress": progress,
    }

    def fitted(model: str, prior: Prior, stage: str, method: str = "exact") -> Posterior:
        options["journal"] = None if journal is None else _Part(journal, f"{model}-{stage}")
        options["settings"] = settings if method == "exact" else None
        return fit(data, model=model, method=method, prior=prior, **options)

    evidence, wide_evidence, ess, status = {}, {}, {}, {}
    record: dict[str, Any] = {}
    remarks: list[str] = []
    for model in sorted(models, key=lambda name: -len(find_kinetic_model(name).parameters)):
        found = fitted(model, prior, "evidence")
        if not record:
            record, remarks = dict(found.settings), list(found.remarks)
            if not isinstance(record["delay"], str):  # found once, for all
                options["delay"] = record["delay"]
        remarks = [text for text in remarks if text in found.remarks]
        status[model], ess[model] = found.diagnostics["status"], found.diagnostics["ess"]
        evidence[model] = wide_evidence[model] = found.diagnostics["evidence"]
        if any(name in ranges for name in find_kinetic_model(model).parameters):
            again = fitted(model, wide, "wider").diagnostics
            wide_evidence[model], ess[model] = (
                again["evidence"],
                np.minimum(ess[model], again["ess"]),
            )

    def stacked(values: dict[str, np.ndarray]) -> np.ndarray:
        return np.stack([values[model] for model in models], axis=-1)

    codes, log_evidence = stacked(status), stacked(evidence)
    inside = codes.any(axis=-1, keepdims=True)
    table = isinstance(data, TacTable)
    by_squares: dict[str, np.ndarray] = {}
    if table if criteria is None else criteria:
        fits = {model: fitted(model, prior, "squares", "nlls") for model in models}
        for name in ("aic", "bic"):
            by_squares[name] = stacked({m: f.diagnostics[name] for m, f in fits.items()})
        by_squares["akaike"] = _shares(-0.5 * by_squares["aic"].astype(np.float64), inside)
    kept = {k: v for k, v in record.items() if k.startswith("delay") or k in _RECORDED}
    comparison = Comparison(
        names=data.names if table else None,
        models=models,
        log_evidence=log_evidence,
        probability=_shares(log_evidence, inside),
        sensitivity=_shares(stacked(wide_evidence), inside),
        ess=stacked(ess),
        status=codes,
        settings={"models": list(models), **kept, "wider": {"factor": wider, **ranges}},
        **by_squares,
    )
    return dataclasses.replace(comparison, remarks=(*remarks, *_doubts(comparison)))


def check_models(models: Sequence[str], noise: Any = "auto", wider: float = 1.5) -> None:
    """Refuse what cannot be compared, before any data are read.

    Raises:
        UsageError: If it is such.
    """
    found = [find_kinetic_model(name) for name in models]
    if len(set(models)) < max(2, len(models)):
        raise UsageError(
            f"a comparison of {', '.join(models) or 'no models'}", "expected two models or more"
        )
    for model in found:
        if model.reference or not {"exact", "nlls"} <= set(model.methods):
            raise UsageError(
                f"a comparison with model {model.name}", f"expected {', '.join(COMPARED)}"
            )
    if isinstance(noise, str) and noise == "estimate":
        raise UsageError(
            "a comparison of models with noise estimate",
            "expected auto, a level or standard deviations",
            "the evidence needs them",
        )
    if not 1.0 < wider <= 10.0:
        raise UsageError(f"priors wider by {wider:g}", "expected more than 1, at most 10 times")


def _shares(log: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Normalise exp(log) over the last axis; 0 outside."""
    share = np.exp(log - log.max(axis=-1, keepdims=True))
    share /= share.sum(axis=-1, keepdims=True)
    return np.where(inside, share, 0.0)


def _doubts(comparison: Comparison) -> list[str]:
    """Remarks on curves that no model describes, and on choices that hang on the prior's width."""
    c = comparison
    missed = c.inside & (c.status == _MISFIT).all(axis=-1)
    turned = c.inside & (c.probability.argmax(axis=-1) != c.sensitivity.argmax(axis=-1))
    few = c.inside & (c.ess < _FEW).any(axis=-1)
    out = []
    if missed.any():
        out.append(f"none of the models describes {_where(missed, c)}")
    if turned.any():
        where = _where(turned, c)
        out.append(f"the most probable model depends on the width of the prior in {where}")
    if few.any():
        where = _where(few, c)
        out.append(f"an evidence rests on fewer than {_FEW:g} effective points in {where}")
    return out


def _where(at: np.ndarray, comparison: Comparison) -> str:
    if comparison.names is None:
        return f"{int(at.sum()):,} of {int(comparison.inside.sum()):,} curves"
    found = [name for name, yes in zip(comparison.names, at, strict=True) if yes]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


class _Part:
    """A journal for one of several fits: its stages have a name of their own."""

    def __init__(self, journal: Journal, name: str) -> None:
        self._journal, self._name = journal, name

    def load(self, block: Any, stage: str) -> dict[str, np.ndarray] | None:
        return self._journal.load(block, f"{self._name}-{stage}")

    def save(self, block: Any, result: Any, stage: str) -> None:
        self._journal.save(block, result, f"{self._name}-{stage}")
