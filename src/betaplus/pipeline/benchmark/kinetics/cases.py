"""Curves that the kinetics benchmarks share: one input function, any dose, published prior."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.core.seeds import generator
from betaplus.core.tracer import Tracer
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse
from betaplus.simulation.curves import PUBLISHED_BOX, draw_tacs
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.noise import noise_sd
from betaplus.simulation.tracers import find_profile

__all__ = ["DELAYS", "LEVELS", "MACRO", "QUANTITIES", "RATES", "Curves", "Scan", "find_scan"]

LEVELS = (0.03, 0.15, 0.40)
"""Median relative SD of the last four frames at low, middle and high noise."""

RATES = ("K1", "k2", "k3", "k4", "VB")
MACRO = ("Ki",)
QUANTITIES = (*RATES, *MACRO)
"""What is compared."""

DELAYS = (-10.0, 20.0)
"""Range of simulated delays where they are fitted [s]."""

_LATE = 4
_PILOT = 4000
_TAC_FILE = Path("tacs_pettracer") / "brain_TAC.h5"


@dataclass(frozen=True, eq=False)
class Curves:
    """Simulated curves and where they came from.

    Attributes:
        truth: Parameters, Ki among them, name to shape (n,); ``noise`` is l.
        clean: Noise-free frame means, shape (n, T) [Bq/mL].
        noisy: With noise, shape (n, T) [Bq/mL].
        sd: SD of the noise, shape (n, T) [Bq/mL].
    """

    truth: dict[str, np.ndarray]
    clean: np.ndarray
    noisy: np.ndarray
    sd: np.ndarray


@dataclass(frozen=True, eq=False)
class Scan:
    """An input function and its frames, at any dose.

    Attributes:
        curve: Input curve at dose 1 [Bq/mL].
        frames: Frame timing.
        half_life: Half-life [s].
        source: Where the input function came from, in words.
    """

    curve: InputCurve
    frames: FrameTiming
    half_life: float
    source: str

    def response(self, dose: float) -> InputResponse:
        """Return the responses with the input function multiplied by `dose`."""
        curve = self.curve
        scaled = InputCurve(curve.time, dose * curve.plasma, dose * curve.whole_blood, curve.unit)
        return InputResponse(scaled, self.frames, self.half_life)

    def dose(self, level: float) -> float:
        """Return the dose at which curves of the prior have a median late relative SD of `level`.

        Variance is proportional to activity, so the relative SD goes as one over the root of dose.
        """
        curves = self.draw(1.0, _PILOT, seed=987_654)
        late = curves.sd[:, -_LATE:] / curves.clean[:, -_LATE:]
        return float((np.median(late) / level) ** 2)

    def draw(self, dose: float, n: int, seed: int, *, delay: bool = False) -> Curves:
        """Draw curves from the published prior, with delays from `DELAYS` or none."""
        response = self.response(dose)
        box = dict(PUBLISHED_BOX)
        if delay:
            box["delay"] = ("uniform", *DELAYS)
        truth, clean, noisy = draw_tacs(response, box, n, seed)
        truth["Ki"] = truth["K1"] * truth["k3"] / (truth["k2"] + truth["k3"])
        gain = noise_gain(self.frames, self.half_life)
        sd = noise_sd(clean, truth["noise"][:, None], gain, noise_floor(response))
        return Curves(truth, clean, noisy, sd)

    def task(
        self, dose: float, *, delay: bool = False, quantiles: tuple[float, ...] = (0.05, 0.5, 0.95)
    ) -> Task:
        """Return the fit of such curves: 2TCM, published prior, noise level unknown."""
        return Task(
            curve=self.response(dose).curve,
            frames=self.frames,
            half_life=self.half_life,
            model="2TCM",
            prior=PRIORS["published"],
            delay=None if delay else 0.0,
            quantiles=quantiles,
        )


def find_scan() -> Scan:
    """Return the measured brain scan of PET-TRACER where it is at hand, else a simulated one.

    It is looked for in the folder that ``BETAPLUS_DATA`` names and in ``shared/data`` beside the
    repository, and needs pandas with tables; `Scan.source` says which of the two it became.
    """
    half_life = Tracer.of("F18").half_life
    named = os.environ.get("BETAPLUS_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[5] / "shared" / "data"
    path = folder / _TAC_FILE
    if path.is_file():
        try:
            import pandas
            import tables  # noqa: F401
        except ImportError:
            pass
        else:
            table = pandas.read_hdf(path).to_numpy(dtype=np.float64)
            frames = FrameTiming.from_durations(60.0 * table[:, 0])
            plasma = np.maximum(table[:, 2], 0.0)
            time = np.r_[0.0, 60.0 * table[:, 1], frames.end[-1]]
            plasma = np.r_[0.0, plasma, plasma[-1]]
            curve = InputCurve(time, plasma, plasma, "Bq/mL")
            return Scan(curve, frames, half_life, "measured, total-body FDG")
    profile = find_profile("FDG")
    end = float(profile.frames.end[-1])
    blood = draw_blood(profile.blood, profile.activity_per_gram, end, generator(0, item=0, draw=5))
    return Scan(blood.curve(end), profile.frames, half_life, "simulated, Feng's FDG model")
