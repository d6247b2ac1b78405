"""Made-up posteriors with known numbers, for the reports."""

from __future__ import annotations

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputFunction
from betaplus.core.posterior import Marginal, Posterior
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer

FRAMES = FrameTiming.from_durations(
    [5.0] * 12 + [15.0] * 4 + [60.0] * 6 + [120.0] * 5 + [180.0] * 4 + [300.0] * 4
)
NAMES = ("grey <matter> & more", "white matter", "cerebellum", "thalamus")
TYPICAL = {"K1": 0.12, "k2": 0.16, "k3": 0.11, "k4": 0.012, "VB": 0.03, "Ki": 0.048, "VT": 7.6}
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def blood() -> InputFunction:
    """Twenty-eight samples of a bolus, some without plasma, with a parent fraction."""
    time = np.concatenate([np.arange(5.0, 90, 5), [100, 120, 150, 180, 300, 600, 1200, 1800, 3000]])
    x = np.maximum(time - 12, 0) / 60
    whole = 4e4 * (6 * x * np.exp(-5 * x) + 0.35 * (1 - np.exp(-4 * x)) * np.exp(-0.05 * x))
    plasma = 1.08 * whole
    plasma[3::7] = np.nan
    fraction = np.full_like(time, np.nan)
    fraction[[10, 20, 23, 24, 25]] = 0.98, 0.93, 0.85, 0.7, 0.6
    return InputFunction(
        time=time, plasma=plasma, whole_blood=whole, parent_fraction=fraction, unit="Bq/mL"
    )


def curves(count: int, seed: int = 0) -> tuple[TacTable, np.ndarray, np.ndarray, np.ndarray]:
    """Return noisy curves and the mean, SD and noise that a posterior would predict for them."""
    rng = np.random.default_rng(seed)
    t = np.maximum(FRAMES.mid - 15, 0) / 60
    scale = rng.uniform(0.7, 1.3, (count, 1))
    mean = scale * 1e4 * (1 - np.exp(-0.25 * t) + 0.02 * t + 2.2 * t * np.exp(-4 * t))
    sigma = 60 * np.sqrt((mean + 20) / (FRAMES.duration / 60)) / 8
    names = tuple(NAMES[i] if i < len(NAMES) else f"region {i + 1}" for i in range(count))
    table = TacTable(
        values=mean + sigma * rng.standard_normal(mean.shape),
        frames=FRAMES,
        unit="Bq/mL",
        names=names,
        tracer=Tracer.of("F18"),
    )
    return table, mean, 0.3 * sigma, sigma


def region_posterior(count: int, draws: int = 0, seed: int = 0) -> tuple[TacTable, Posterior]:
    """Return curves and a posterior for them; the parameters are log-normal."""
    rng = np.random.default_rng(seed + 1)
    table, mean, std, sigma = curves(count, seed)
    parameters = {}
    for name, typical in TYPICAL.items():
        width = rng.uniform(0.03, 0.3, (count, 1))
        sample = typical * np.exp(width * rng.standard_normal((count, max(draws, 400))))
        parameters[name] = Marginal(
            mean=sample.mean(-1),
            std=sample.std(-1),
            quantiles={q: np.quantile(sample, q, axis=-1) for q in LEVELS},
            samples=sample[:, :draws] if draws else None,
        )
    status = np.ones(count, dtype=np.uint8)
    status[1::5] = 3
    status[3::4] = 4
    return table, Posterior(
        model="2TCM",
        method="exact",
        parameters=parameters,
        diagnostics={
            "ess": rng.lognormal(6.5, 0.8, count),
            "chi2": rng.chisquare(30, count) / 30,
            "status": status,
        },
        prediction={"mean": mean, "std": std, "sigma": sigma},
        settings={
            "prior": {"K1": "loguniform 0.01 to 5", "k2": "loguniform 0.02 to 10"},
            "seed": 0,
            "delay": "fit",
            "levels": [1.0, 2.0, 3.0],
        },
        remarks=("zero prepended to plasma at injection (0 s)",),
    )


def image_posterior(
    shape: tuple[int, int, int] = (14, 16, 12), seed: int = 0
) -> tuple[PetImage, Posterior, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Return an image, a posterior in its voxels and the maps; x runs from right to left."""
    rng = np.random.default_rng(seed)
    grid = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    radius = np.sqrt((grid[0] / 0.75) ** 2 + (grid[1] / 0.9) ** 2 + (grid[2] / 0.8) ** 2)
    mask = radius < 1
    shell = 0.5 + np.exp(-(((radius - 0.82) / 0.14) ** 2)) + 0.4 * np.exp(-((radius / 0.3) ** 2))
    shell = shell * (1 + 0.15 * grid[0])
    maps, parameters = {}, {}
    for name, typical in TYPICAL.items():
        mean = np.where(mask, typical * shell * (1 + 0.08 * rng.standard_normal(shape)), 0.0)
        sd = np.where(mask, 0.12 * typical * (1 + 0.3 * rng.random(shape)) * np.sqrt(shell), 0.0)
        mean, sd = mean.astype(np.float32), sd.astype(np.float32)
        maps[name] = (mean, sd)
        parameters[name] = Marginal(
            mean=mean, std=sd, quantiles={0.05: mean - 1.6 * sd, 0.5: 0.98 * mean, 0.95: mean + sd}
        )
    status = np.where(mask, 1, 0).astype(np.uint8)
    status[mask & (rng.random(shape) < 0.05)] = 3
    status[mask & (radius > 0.95)] = 4
    ess = np.where(mask, rng.lognormal(6.5, 0.7, shape), 0)
    chi2 = np.where(mask, rng.chisquare(30, shape) / 30 + (radius > 0.95), 0)
    affine = np.array([[-4.0, 0, 0, 30], [0, 4, 0, -32], [0, 0, 5, -20], [0, 0, 0, 1.0]])
    image = PetImage(
        data=np.zeros((*shape, len(FRAMES)), dtype=np.float32),
        affine=affine,
        unit="Bq/mL",
        frames=FRAMES,
        tracer=Tracer.of("F18", name="FDG"),
        decay_corrected_to=0.0,
    )
    posterior = Posterior(
        model="2TCM",
        method="exact",
        parameters=parameters,
        diagnostics={"ess": ess, "chi2": chi2, "status": status},
        settings={"prior": "default", "seed": 0},
        remarks=("FrameDuration of frame 3 is <odd>",),
    )
    return image, posterior, maps
