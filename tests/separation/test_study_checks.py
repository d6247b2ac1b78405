"""The checks of every run: chi-square of what a pair leaves, and the bound of the protocol."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.separation.studies import DELAY, TRACERS, image, study

from betaplus.separation import separate
from betaplus.separation.fitting import SeparationFit
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.study import make_study
from betaplus.separation.study_checks import (
    MixingCheck,
    check_mixing,
    hard_to_tell,
    macro_of,
    study_separability,
)


def checked(
    data: np.ndarray | None = None, method: str = "linear"
) -> tuple[SeparationFit, MixingCheck]:
    scan = study(32)
    what = image(scan) if data is None else image(scan, data=data)
    fit = separate(
        what, TRACERS, DELAY, blood=scan.blood, arrivals=scan.arrivals, method=method, workers=1
    )
    return fit, check_mixing(
        fit.study, fit.found, method, fit.made, labels=scan.labels, names=dict(scan.names)
    )


def test_a_pair_that_explains_the_mixture_passes() -> None:
    fit, check = checked()
    assert check.names[0] == "all" and len(check.names) > 4
    assert 0.9 < check.overall[0] < 1.15 and check.flags[0] == "pass"
    assert (check.chi_square[0] > 0.8).all() and (check.chi_square[0] < 1.3).all()
    assert np.abs(check.mean[0]).max() < 0.6
    assert check.flags.count("warn") <= 1
    # what is simulated again against the closed form, where s is that of the median voxel
    spaces = fit.study.problem.spaces
    estimate = LinearEstimate(spaces, fit.study.problem.decay, fit.study.problem.weights)
    s = fit.study.problem.noise[torch.from_numpy(fit.study.tissue)]
    np.testing.assert_allclose(check.leverage, estimate.leverage(float(s.median())), atol=0.12)


def test_a_corrupted_frame_is_flagged() -> None:
    data = np.array(image(study(32)).data)
    data[..., 10] *= 1.1
    _, check = checked(data)
    assert check.flags[0] == "warn" and check.warn[0, 10]
    assert int(np.argmax(check.chi_square[0])) == 10 and check.chi_square[0, 10] > 2.0
    assert not check.warn[0, :7].any()


def test_frames_that_are_met_whatever_they_are_have_no_chi_square() -> None:
    fit, check = checked(method="extrapolation")
    both = fit.study.problem.seen[1]
    assert np.isnan(check.chi_square[:, both]).all()
    assert np.isfinite(check.chi_square[0, ~both]).all() and np.isfinite(check.overall[0])


def test_the_bound_falls_with_the_delay_and_warns_where_it_is_large() -> None:
    inflation = []
    for delay in (0.0, DELAY):
        scan = study(24, delay)
        made = make_study(image(scan), TRACERS, delay, blood=scan.blood, arrivals=scan.arrivals)
        bounds = study_separability(made)
        inflation.append((bounds.inflation[0]["VT"], bounds.inflation[1]["Ki"]))
        said = hard_to_tell(bounds, made.tracers)
        assert bool(said) == (max(inflation[-1]) > 3.0)
        if said:
            assert "VT of FMZ" in said and said.count("\n") == 0
    assert inflation[0][0] > 2.0 * inflation[1][0]
    assert [macro_of(one) for one in made.tracers] == ["VT", "Ki"]
    assert study_separability(make_study(image(scan), "UCBJ:C11,FDG", DELAY)) is None


@pytest.mark.parametrize("fwhm", [0.0, 8.0])
def test_a_filter_before_takes_up_no_noise(fwhm: float) -> None:
    scan = study(32)
    fit = separate(
        image(scan), TRACERS, DELAY, blood=scan.blood, arrivals=scan.arrivals, method="linear",
        settings={"fwhm": fwhm}, workers=1,
    )  # fmt: skip
    check = check_mixing(fit.study, fit.found, "linear", fit.made)
    assert check.leverage.any() == (fwhm == 0.0)
