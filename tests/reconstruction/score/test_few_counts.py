"""Frames before the tracer has arrived."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.reconstruction.cases import COARSE, simulated

from betaplus.core.progress import Silent
from betaplus.core.raw import RawScan
from betaplus.reconstruction.count_model import model_of
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.frames import FrameReconstructor
from betaplus.reconstruction.method import find_score_method
from betaplus.reconstruction.score.choice import ScorePrior
from betaplus.reconstruction.score.prior import ScoreInputs
from betaplus.reconstruction.score.problem import score_problem

LITTLE = {"draws": 2, "subsets": 2}


def half(noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
    return (0.5 * noisy).astype(np.float32)


@pytest.mark.parametrize("method", ["dds", "gibbs"])
def test_a_frame_without_a_prompt_is_zero(method: str) -> None:
    sinogram, _ = simulated(grid=COARSE)
    prompts = np.stack([np.zeros_like(sinogram.prompts), sinogram.prompts])
    scan = RawScan(scanner=sinogram.scanner, prompts=prompts, efficiency=sinogram.multiplicative)
    frames = FrameReconstructor(
        scan, model_of(scan), COARSE, method=method, settings=LITTLE,
        score=ScorePrior(prior=half),  # type: ignore[arg-type]
    )  # fmt: skip
    empty = frames.draws(0)
    assert empty.images.shape == (2, *COARSE.shape)
    assert not empty.images.any()
    assert frames.draws(1).images.any()


@pytest.mark.parametrize("method", ["dds", "gibbs"])
def test_a_subset_without_a_prompt_is_survived(method: str) -> None:
    """A pass of OSEM over it leaves nothing to start from."""
    sinogram, _ = simulated(grid=COARSE)
    prompts = np.zeros_like(sinogram.prompts)
    prompts[0] = sinogram.prompts[0]  # all in the views of the first of two subsets
    few = dataclasses.replace(sinogram, prompts=prompts)
    data = SinogramData(few, COARSE, subsets=2)
    inputs = ScoreInputs(prior=half)
    problem = score_problem(data, inputs, None, smooth=0.0)
    assert problem.counts > 0.0
    kind = find_score_method(method)
    draws = kind(kind.Settings(**LITTLE, smooth=0.0), inputs).draws(data, None, Silent())
    assert np.isfinite(draws.images).all()
