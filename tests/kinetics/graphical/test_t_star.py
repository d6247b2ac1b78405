"""The start of the line: the rule written out, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.kinetics.graphical.patlak import Patlak
from betaplus.kinetics.graphical.t_star import choose_t_star
from betaplus.physics.patlak import PatlakOperator
from betaplus.physics.response import InputResponse

from .scans import (
    FRAMES,
    HALF_LIFE,
    plasma,
    reference,
    reference_task,
    run,
    target,
    task,
    two_tissue,
)

MATRIX = PatlakOperator(InputResponse(plasma(), FRAMES, HALF_LIFE)).matrix.numpy()


def bent(first, by=1.5):
    """On Patlak's line from frame `first`; above it before."""
    y = MATRIX @ [0.03, 0.5]
    return np.where(np.arange(len(y)) < first, by * y, y)


@pytest.mark.parametrize("first", [19, 25, 33])
def test_constructed_bend(first):
    out = run("patlak", task("Patlak"), bent(first))
    assert out["t_star"][0] == FRAMES.start[first]
    assert out["frames_used"][0] == len(FRAMES) - first
    assert out["Ki"][0] == pytest.approx(0.03, rel=1e-6)
    assert out["status"][0] == 1


@pytest.mark.parametrize("max_error", [0.02, 0.05, 0.1])
def test_rule_written_out(max_error):
    """Earliest start with no point further off than `max_error` of the line, unweighted."""
    y = two_tissue(0.1, 0.13, 0.06, 0.02)
    chosen = None
    for first in np.flatnonzero(FRAMES.start >= 20.0):
        a, b = MATRIX[first:].T
        line = np.polynomial.Polynomial.fit(a / b, y[first:] / b, 1, w=b / np.sqrt(y[first:]))
        if np.abs(y[first:] / b / line(a / b) - 1).max() <= max_error:
            chosen = FRAMES.start[first]
            break
    assert chosen is not None and chosen > 100
    # standard deviations as the square root of activity: the weights above
    work = task("Patlak", noise=np.sqrt(np.maximum(y, 1.0)))
    out = run("patlak", work, y, max_error=max_error)
    assert out["t_star"][0] == chosen


def test_each_curve_has_its_own():
    curves = np.stack([bent(33), bent(19), bent(25)])
    out = run("patlak", task("Patlak"), curves)
    np.testing.assert_array_equal(out["t_star"], FRAMES.start[[33, 19, 25]])


def test_never_before_the_peak():
    """A perfect line from the start still begins after the input's peak, delay included."""
    for delay, first in ((0.0, FRAMES.start[4]), (7.0, FRAMES.start[6])):
        assert first == 20 if not delay else first >= 27 > FRAMES.start[5]
        response = InputResponse(plasma(), FRAMES, HALF_LIFE)
        y = PatlakOperator(response, delay).matrix.numpy() @ [0.03, 0.5]
        out = run("patlak", task("Patlak", delay=delay), y)
        assert out["t_star"][0] == first


def test_a_line_that_never_comes_is_a_misfit():
    y = bent(0)
    y[-5:] *= np.array([1.0, 1.6, 0.7, 1.5, 0.8])
    out = run("patlak", task("Patlak"), y)
    assert out["t_star"][0] == FRAMES.start[-5] and out["status"][0] == 4
    last = run("patlak", task("Patlak"), bent(len(FRAMES) - 5))
    assert last["t_star"][0] == FRAMES.start[-5] and last["status"][0] == 4
    assert run("patlak", task("Patlak"), bent(len(FRAMES) - 6))["status"][0] == 1


def test_given_start():
    y = bent(0)
    out = run("patlak", task("Patlak", t_star=1700.0), y)
    assert out["t_star"][0] == FRAMES.start[FRAMES.start >= 1700][0]
    assert out["frames_used"][0] == (FRAMES.start >= 1700).sum()
    left = FRAMES.start[-2]
    with pytest.raises(UsageError, match=f"t_star {left:g} s leaves 2 of 40 frames.*at least 3"):
        Patlak().prepare(task("Patlak", t_star=left))
    with pytest.raises(UsageError, match="leaves 0 of 40 frames"):
        Patlak().prepare(task("Patlak", t_star=1e5))


def test_too_few_frames_after_the_peak():
    few = FrameTiming.from_durations([10.0, 10, 60, 600, 600, 600])
    with pytest.raises(InputError, match=r"4 frames start after .* at 20 s.*at least 5"):
        Patlak().prepare(task("Patlak", frames=few))
    Patlak(Patlak.Settings(least_frames=4)).prepare(task("Patlak", frames=few))


def test_choose_t_star_for_every_method():
    y = two_tissue(0.1, 0.13, 0.06, 0.02)
    for model, method in (("Patlak", "patlak"), ("Logan", "logan")):
        chosen = choose_t_star(task(model, t_star=10.0), None, y)
        assert chosen == run(method, task(model), y)["t_star"][0] > 20
    assert choose_t_star(reference_task("RefLogan"), None, target(1.1, 2.0)) > 0
    assert choose_t_star(reference_task("MRTM2"), None, target(1.1, 2.0)) > 0
    assert choose_t_star(reference_task("SUVR"), None, reference()) == FRAMES.end[-1] - 1200
    strict = choose_t_star(task("Patlak"), Patlak.Settings(max_error=0.01), y)
    assert strict > choose_t_star(task("Patlak"), None, y)
    for model in ("SRTM", "2TCM", "nonsense"):
        with pytest.raises(UsageError, match=f"t_star for model {model}"):
            choose_t_star(task(model), None, y)
