"""From the raw data of a study to Ki with an SD, on every way that is compared."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from betaplus.generative.image_prior import ImagePrior, load_image_prior
from betaplus.pipeline.benchmark.propagation.estimate import Estimate
from betaplus.pipeline.benchmark.propagation.heads import Study
from betaplus.pipeline.benchmark.propagation.posterior import Denoise, Known, Langevin
from betaplus.pipeline.benchmark.propagation.verbs import (
    osem,
    patlak_gibbs,
    patlak_study,
    patlak_wls,
    smooth_level,
)

__all__ = ["WAYS", "axial_denoiser", "estimates", "known_frame", "known_maps", "least_squares"]

WAYS = (
    "least-squares", "least-squares-verb", "likelihood", "likelihood-verb", "draws",
    "naive-sd", "naive-verb", "naive-least-squares",
)  # fmt: skip
"""Names, as in `estimates`."""

_PASSES = 10  # of expectation maximisation, for the means that weigh the counts


def axial_denoiser(prior: ImagePrior) -> Denoise:
    """Return a prior of slices as the denoiser of transverse slices along the scanner's axes."""

    def denoise(images: Tensor, sigma: float) -> Tensor:
        ras = images.flip(1, 2)[:, None].float()
        return prior(ras, sigma, orientation="axial")[:, 0].flip(1, 2)

    return denoise


def estimates(study: Study, how: Langevin, denoise: Denoise | None = None) -> dict[str, Estimate]:
    """Return what each way says of Ki.

    - ``least-squares``: no prior; the covariance of the counts;
    - ``least-squares-verb``: no prior, by the verbs as they are: frames by OSEM, `patlak` with
      ``wls``, which reads noise and its correlation from the frames;
    - ``likelihood``: the first sound way. What the counts of all frames say of Ki and V0, with all
      its covariance, and the prior once;
    - ``likelihood-verb``: the same by the verbs, with ``gibbs``;
    - ``draws``: the second sound way. Draws of every frame from its posterior, each set of them
      mapped by least squares;
    - ``naive-sd``: the mean of those draws in the Bayesian stage, their SD taken for that of noise;
    - ``naive-verb``: that mean in `patlak` with ``gibbs``, as if it were raw;
    - ``naive-least-squares``: that mean in `patlak` with ``wls``, which has no prior.

    Args:
        study: The study.
        how: Draws are made.
        denoise: The prior; that of coarse heads which is shipped if None.
    """
    if denoise is None:
        denoise = axial_denoiser(load_image_prior("brain2d-coarse"))
    n, regions = study.mask.sum(), study.regions
    frames = [known_frame(study, f) for f in range(len(study.prompts))]
    both = known_maps(frames, study.design)
    found = {"least-squares": least_squares(both, study)}
    ready = patlak_study(study, osem(study))
    found["least-squares-verb"] = patlak_wls(study, ready)
    found["likelihood-verb"] = patlak_gibbs(study, ready, denoise)

    level = _level(study, study.prompts.sum(0) - study.additive.sum(0), study.system.sum(0))
    u = how.run([both.at(level)], study.mask, denoise, study.seed, 1)[0] * level
    found["likelihood"] = Estimate.of_draws(u[:, :n] * study.scale, regions)

    levels = [
        _level(study, y - b, a)
        for y, b, a in zip(study.prompts, study.additive, study.system, strict=True)
    ]
    x = how.run(
        [k.at(v) for k, v in zip(frames, levels, strict=True)], study.mask, denoise, study.seed, 2
    ) * np.array(levels)[:, None, None]  # fmt: skip
    down = np.linalg.pinv(study.design)[0]
    found["draws"] = Estimate.of_draws(np.einsum("t,tkn->kn", down, x) * study.scale, regions)
    means, sds = x.mean(1), x.std(1, ddof=1)
    taken = [
        Known(np.diag(1.0 / s**2), m / s**2)
        for m, s in zip(means, np.maximum(sds, 1e-3 * level), strict=True)
    ]
    twice = how.run([known_maps(taken, study.design).at(level)], study.mask, denoise, study.seed, 3)
    found["naive-sd"] = Estimate.of_draws(twice[0][:, :n] * level * study.scale, regions)
    again = patlak_study(study, means)
    found["naive-verb"] = patlak_gibbs(study, again, denoise)
    found["naive-least-squares"] = patlak_wls(study, again)
    return found


def known_frame(study: Study, frame: int) -> Known:
    """Return what the counts of a frame say of its image.

    Their variance is the mean that a few passes of expectation maximisation explain them by.
    """
    system, additive, prompts = (
        part[frame] for part in (study.system, study.additive, study.prompts)
    )
    seen = (system.sum(1) > 0.0) & (additive > 0.0)
    system, additive, prompts = system[seen], additive[seen], prompts[seen]
    sensitivity = system.sum(0)
    trues = max(float((prompts - additive).sum()), 1.0)
    x = np.full(system.shape[1], trues / sensitivity.sum())
    for _ in range(_PASSES):
        x = x / sensitivity * (system.T @ (prompts / (system @ x + additive)))
    weighted = system.T / (system @ x + additive)
    return Known(weighted @ system, weighted @ (prompts - additive))


def known_maps(frames: list[Known], design: np.ndarray) -> Known:
    """Return what frames say of u_1 and u_2 together, one after the other."""
    precision = sum(
        np.kron(np.outer(row, row), k.precision) for row, k in zip(design, frames, strict=True)
    )
    right = sum(np.kron(row, k.right) for row, k in zip(design, frames, strict=True))
    return Known(np.asarray(precision), np.asarray(right))


def least_squares(known: Known, study: Study) -> Estimate:
    """Return Ki without a prior and its SD, from what counts say of u_1 and u_2."""
    inverse = np.linalg.inv(known.precision)
    n, s = len(study.truth), study.scale
    ki, covariance = s * (inverse @ known.right)[:n], s * s * inverse[:n, :n]
    region = np.sqrt(np.einsum("ri,ij,rj->r", study.regions, covariance, study.regions))
    return Estimate(ki, np.sqrt(np.diag(covariance)), study.regions @ ki, region)


def _level(study: Study, trues: np.ndarray, system: np.ndarray) -> float:
    """Return the uptake level of a smooth image of trues: one pass from a flat one."""
    flat = max(float(trues.sum()), 1.0) / system.sum()
    mean = np.maximum(system.sum(1) * flat, 1e-12 * system.sum())
    image = flat / system.sum(0) * (system.T @ (np.maximum(trues, 0.0) / mean))
    return smooth_level(image, study.mask)
