"""PET-TRACER as published, for comparison: three passes of a consistency model, 1000 draws a curve.

Zhao, Gu, Angelis, Reader, Fan and Meikle, arXiv 2509.13614, written from its description, with what
is wrong with it kept: sampling starts from N(0, 1) at a level no larger than the spread of the
data; curves are taken as samples at frame ends, though they are frame means; curve and input are
divided by one fixed scale, so that half the dose is another distribution; one blood curve, here
plasma, is plasma and whole blood; there is no delay, one schedule and one radionuclide. Draws that
leave the prior's range, or what is physical, are kept as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.core.tracer import HALF_LIVES
from betaplus.generative.bundle import find_bundle, load_bundle, load_into
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS
from betaplus.kinetics.published.curves import FRAMES, knots_response, noise_sd
from betaplus.kinetics.published.network import PARAMETERS, PASSES, PublishedNetwork, draw
from betaplus.kinetics.published.simulator import SCALE, from_standard, within
from betaplus.physics.noise import NOISE_FLOOR

__all__ = ["ConsistencyPublished", "PublishedFitter", "derived"]

_NAME = "consistency-published"
_PRIORS = ("published", "published-signed")
_EMBEDDINGS = ("per-draw", "shared")
_MICROBATCH = 1000  # draws of one curve at a time; a curve has the same bits in any batch
_MOST_DRAWS = 100_000
_FRAME_TOLERANCE = 0.05  # s
_HALF_LIFE_TOLERANCE = 0.005  # relative
_AUTOCORRELATION_LIMIT = 3.5  # standard deviations of white noise
_CHI2_LIMIT = 5.0  # standard deviations
_TINY = 1e-9
_DRAWS = 51  # number of the stream of posterior draws


class ConsistencyPublished:
    """The published consistency model."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """What it may be told.

        Attributes:
            draws: Draws per curve that moments and quantiles are made of, at least.
            embedding: ``per-draw``, as published: the embedding of curve and input is computed for
                every draw in every pass; ``shared``: once per curve, with the same results but for
                rounding.
            bundle: Folder of the weights; those that come with the package if empty.
        """

        draws: int = 1000
        embedding: str = "per-draw"
        bundle: str = ""

        def __post_init__(self) -> None:
            if not 2 <= self.draws <= _MOST_DRAWS:
                raise UsageError(f"setting draws={self.draws}", f"expected 2 to {_MOST_DRAWS}")
            if self.embedding not in _EMBEDDINGS:
                raise UsageError(
                    f"setting embedding={self.embedding!r}", f"expected {' or '.join(_EMBEDDINGS)}"
                )

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> PublishedFitter:
        """Load the weights.

        Raises:
            UsageError: If the task is not the one that the network was trained for, or there are
                no weights.
            InputError: If the weights cannot be used.
        """
        return PublishedFitter(self.settings, task)


class PublishedFitter:
    """The published consistency model for the curves of one task."""

    def __init__(self, settings: ConsistencyPublished.Settings, task: Task) -> None:
        _check(task)
        folder = find_bundle(
            "kinetics", "published", Path(settings.bundle) if settings.bundle else None
        )
        self.settings = settings
        self.parameters = (*PARAMETERS, "Ki", "VT", "BPND")
        self._network = PublishedNetwork()
        load_into(self._network, load_bundle(folder, "kinetics"))
        self._network.eval()
        self._task = task
        self._aif = np.interp(FRAMES.end, task.curve.time, task.curve.plasma, left=0.0)
        self._floor = NOISE_FLOOR * float(self._aif.max())

    def fit(self, curves: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        """Fit curves, shape (n, T) [Bq/mL]; see `betaplus.kinetics.method.Fitter.fit`.

        ``ess`` is the number of draws. ``fit``, ``chi2`` and ``status`` are of the curve of the
        mean parameters, as the method's own simulator has it; ``noise`` is the level that its
        residuals imply, within the prior's range, which the network never sees; ``fit_std`` is of
        draws moved into the range of training.
        """
        results = [
            self._fit(np.asarray(curve, dtype=np.float64), int(item))
            for curve, item in zip(curves, items, strict=True)
        ]
        if not results:
            empty = self._fit(np.zeros(len(FRAMES)), 0)
            return {name: np.empty((0, *np.shape(v)), v.dtype) for name, v in empty.items()}
        return {name: np.stack([result[name] for result in results]) for name in results[0]}

    def _fit(self, curve: np.ndarray, item: int) -> dict[str, np.ndarray]:
        task = self._task
        theta = self._draws(curve, item)
        values = derived(theta)
        out = {
            "mean": values.mean(0),
            "std": values.std(0),
            "quantiles": np.quantile(values, task.quantiles, axis=0).T,
            "ess": np.float64(len(theta)),
        }
        if task.samples:
            out["samples"] = values[: task.samples].T
        status, about = self._misfit(curve, theta)
        result = {
            name: np.asarray(value, dtype=np.float32) for name, value in (out | about).items()
        }
        return result | {"status": np.uint8(status)}

    def _draws(self, curve: np.ndarray, item: int) -> np.ndarray:
        """K1, k2, k3, k4, VB, shape (draws, 5)."""
        n = max(self.settings.draws, self._task.samples)
        rng = generator(self._task.seed, item, _DRAWS)
        condition = np.concatenate([curve, self._aif]).astype(np.float32) / np.float32(SCALE)
        parts = []
        with torch.inference_mode():
            for start in range(0, n, _MICROBATCH):
                shape = (len(PASSES), min(_MICROBATCH, n - start), len(PARAMETERS))
                noise = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
                shared = self.settings.embedding == "shared"
                x = draw(self._network, torch.from_numpy(condition), noise, shared=shared)
                parts.append(x.double().numpy())
        return from_standard(np.concatenate(parts))

    def _misfit(
        self, curve: np.ndarray, theta: np.ndarray
    ) -> tuple[int, dict[str, np.ndarray | np.floating]]:
        task = self._task
        rows = theta.mean(0, keepdims=True)
        if task.predict:
            rows = np.concatenate([rows, within(theta)])
        predicted, _ = knots_response(rows, task.curve.time, task.curve.plasma)
        shape = noise_sd(np.maximum(predicted[0], 0.0) + self._floor, 1.0)
        residual = (curve - predicted[0]) / shape
        cost = residual @ residual
        degrees = len(FRAMES) - len(PARAMETERS)
        noise = task.prior["noise"]
        level = np.clip(np.sqrt(cost / degrees), noise.low, noise.high)
        chi2 = cost / (level * level * degrees)
        together = residual[1:] @ residual[:-1] / max(cost, 1e-300) * np.sqrt(len(FRAMES))
        fine = together <= _AUTOCORRELATION_LIMIT
        fine &= chi2 <= 1.0 + _CHI2_LIMIT * np.sqrt(2.0 / len(FRAMES))
        out = {"chi2": chi2, "noise": level}
        if task.predict:
            out |= {"fit": predicted[0], "fit_std": predicted[1:].std(0), "sigma": level * shape}
        return (1 if fine else 4), out


def derived(theta: np.ndarray) -> np.ndarray:
    """Return K1, k2, k3, k4, VB, Ki, VT, BPND of each draw, shape (S, 8), from (S, 5)."""
    K1, k2, k3, k4, _ = theta.T
    binding = np.where(k3 > 0, k3 / _off_zero(k4), 0.0)
    Ki = K1 * k3 / _off_zero(k2 + k3)
    VT = K1 / _off_zero(k2) * (1.0 + binding)
    return np.concatenate([theta, np.stack([Ki, VT, binding], 1)], axis=1)


def _off_zero(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) > _TINY, x, _TINY)


def _check(task: Task) -> None:
    """Refuse whatever the network was not trained for."""
    if task.model != "2TCM":
        raise UsageError(f"method {_NAME} with model {task.model}", "expected model 2TCM")
    if not any(task.prior == PRIORS[name] for name in _PRIORS):
        raise UsageError(
            f"method {_NAME} with prior {task.prior.name}",
            f"expected {' or '.join(_PRIORS)}: the network has the published one built in",
        )
    if task.delay != 0.0:
        raise UsageError(
            f"method {_NAME} with delay {'to be fitted' if task.delay is None else task.delay}",
            "expected delay 0, the only one that it knows",
        )
    same = len(task.frames) == len(FRAMES) and all(
        np.allclose(mine, its, rtol=0.0, atol=_FRAME_TOLERANCE)
        for mine, its in (
            (task.frames.start, FRAMES.start),
            (task.frames.duration, FRAMES.duration),
        )
    )
    if not same:
        raise UsageError(
            f"method {_NAME} with {len(task.frames)} frames to {task.frames.end[-1]:g} s",
            "expected 12 x 5, 4 x 15, 6 x 60, 5 x 120, 4 x 180, 4 x 300 s from injection",
        )
    if abs(task.half_life / HALF_LIVES["F18"] - 1.0) > _HALF_LIFE_TOLERANCE:
        raise UsageError(
            f"method {_NAME} with a half-life of {task.half_life:g} s", "expected that of F-18"
        )
    for option, given in (
        ("a noise option", not (isinstance(task.noise, str) and task.noise == "auto")),
        ("weights", task.weights is not None),
        ("dispersion", task.dispersion != 0.0),
    ):
        if given:
            raise UsageError(f"method {_NAME} with {option}", "expected none: it cannot use it")
