"""From an image to a problem: decay undone, noise estimated, curves of the right size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.separation.studies import DELAY, TRACERS, image, study

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer
from betaplus.separation import separate
from betaplus.separation.study import make_study
from betaplus.separation.study_dose import amplitudes
from betaplus.separation.study_noise import estimate_noise
from betaplus.separation.study_tracers import parse_tracers


@pytest.mark.parametrize(("schedule", "local"), [("18", 1.0), ("18", 0.3), ("12", 1.0)])
def test_noise_is_that_of_the_simulation(schedule: str, local: float) -> None:
    """The SD told of every voxel and frame, over the true one."""
    scan = study(40, DELAY, schedule, local)
    told = estimate_noise(scan.mixture(), scan.head, scan.head, scan.frames.duration, scan.voxel)
    sd = told.noise[..., None] / np.sqrt(told.weights)
    ratio = np.sqrt(((sd / scan.noise_sd())[scan.head] ** 2).mean(0))
    near = (ratio > 0.9) & (ratio < 1.1)
    assert near.mean() >= 0.6 and ratio.min() > 0.85 and ratio.max() < 1.25, ratio
    assert 0.95 < np.median(ratio) < 1.1
    weights = told.weights / scan.separable_noise()[1]
    near = (weights > 0.9) & (weights < 1.1)
    assert near.mean() >= 0.6 and weights.min() > 0.75 and weights.max() < 1.25, weights
    assert told.fwhm == pytest.approx(scan.protocol.noise_fwhm, rel=0.1)


def test_noise_beside_curves_of_few_shapes_is_exact() -> None:
    rng = np.random.default_rng(3)
    shape, frames = (24, 24, 24), 20
    directions = np.abs(np.cumsum(rng.standard_normal((3, frames)), 1)) + 1.0
    maps = np.stack([gaussian_filter(rng.standard_normal(shape), 4.0) for _ in range(3)], -1)
    maps = 2.0 + maps / maps.std((0, 1, 2))
    weights = rng.uniform(0.3, 3.0, frames)
    weights /= weights.mean()
    noise = rng.standard_normal((*shape, frames)) * 0.4 / np.sqrt(weights)
    mixture = (maps @ directions + noise).astype(np.float32)
    everywhere = np.ones(shape, bool)
    told = estimate_noise(
        mixture, everywhere, everywhere, np.full(frames, 60.0), (2.0, 2.0, 2.0), exponent=0.0
    )
    np.testing.assert_allclose(told.weights, weights, rtol=0.2)
    assert np.median(np.abs(told.weights / weights - 1.0)) < 0.04
    np.testing.assert_allclose(told.noise, 0.4, rtol=0.08)
    assert told.sigma == (0.0, 0.0, 0.0) and told.together == 1.0


def test_correction_for_one_nuclide_is_undone() -> None:
    scan = study()
    plain = make_study(image(scan), TRACERS, DELAY, blood=scan.blood, arrivals=scan.arrivals)
    frames, data = scan.frames, np.asarray(image(scan).data)
    for name, at in (("F18", 0.0), ("C11", 700.0)):
        tracer = Tracer.of(name)
        rate = np.log(2) / tracer.half_life
        mean = (np.exp(-rate * frames.start) - np.exp(-rate * frames.end)) / rate / frames.duration
        corrected = (data / (mean * np.exp(rate * at))).astype(np.float32)
        found = make_study(
            image(scan, data=corrected, tracer=tracer, decay_corrected_to=at),
            TRACERS, DELAY, blood=scan.blood, arrivals=scan.arrivals,
        )  # fmt: skip
        np.testing.assert_allclose(
            found.problem.mixture.numpy(), plain.problem.mixture.numpy(), rtol=2e-4, atol=1e-6
        )
        assert any(f"decay-corrected for {name}" in text for text in found.remarks)


def test_images_come_in_the_unit_of_the_scan_each_in_its_own_time() -> None:
    scan = study()
    one = separate(
        image(scan),
        TRACERS,
        DELAY,
        blood=scan.blood,
        arrivals=scan.arrivals,
        method="linear",
        workers=1,
    )
    kilo = np.asarray(image(scan).data) / np.float32(1000.0)
    other = separate(
        image(scan, data=kilo, unit="kBq/mL", metadata={"TracerName": "FMZ", "BodyPart": "HEAD",
              "InjectedRadioactivity": 1.0}),
        TRACERS, DELAY, blood=scan.blood, arrivals=scan.arrivals, method="linear", workers=1,
    )  # fmt: skip
    for i, (a, b) in enumerate(zip(one.images, other.images, strict=True)):
        np.testing.assert_allclose(b.data * 1000.0, a.data, rtol=1e-3, atol=0.5)
        true = scan.x[i]
        off = (a.data - true)[scan.head]
        assert np.sqrt((off**2).mean() / (true[scan.head] ** 2).mean()) < 0.08
        assert b.unit == "kBq/mL" and b.tracer.name == ("FMZ", "FDG")[i]
        assert b.decay_corrected_to == b.injection == (0.0, DELAY)[i]
        assert ("InjectedRadioactivity" in b.metadata) == (i == 0)
        assert b.metadata["BodyPart"] == "HEAD"
    before = scan.frames.end <= DELAY
    assert (one.images[1].data[..., before] == 0).all()


def test_a_frame_that_an_injection_cuts_is_the_mean_of_its_last_part() -> None:
    """Two frames about the second injection made one: the mixture stays a sum of both."""
    scan = study()
    cut = int(np.searchsorted(scan.frames.start, DELAY))
    duration = scan.frames.duration.copy()
    data = np.asarray(image(scan).data)
    share = duration[cut - 1 : cut + 1] / duration[cut - 1 : cut + 1].sum()
    joined = data[..., cut - 1] * share[0] + data[..., cut] * share[1]
    data = np.delete(data, cut, axis=-1)
    data[..., cut - 1] = joined
    duration[cut - 1] += duration[cut]
    frames = FrameTiming.from_durations(np.delete(duration, cut))
    if frames.duration[cut - 1] > 300.0:
        with pytest.raises(InputError, match="in the middle of frame"):
            make_study(image(scan, data=data, frames=frames), TRACERS, DELAY)
        return
    found = separate(
        image(scan, data=data.astype(np.float32), frames=frames), TRACERS, DELAY,
        blood=scan.blood, arrivals=scan.arrivals, method="linear", workers=1,
    )  # fmt: skip
    second = found.images[1]
    assert second.frames.start[cut - 1] == DELAY
    assert second.frames.end[cut - 1] == frames.end[cut - 1]
    true = scan.x[1][..., cut][scan.head]
    assert second.data[..., cut - 1][scan.head].mean() == pytest.approx(true.mean(), rel=0.1)


def test_a_long_frame_with_the_injection_inside_is_refused() -> None:
    scan = study()
    frames = FrameTiming.from_durations([600.0] * len(scan.frames))
    with pytest.raises(InputError, match=r"in the middle of frame 3 \(1200 to 1800 s\)"):
        make_study(image(scan, frames=frames), TRACERS, 1500.0)


def test_without_blood_the_image_says_how_large_curves_are() -> None:
    scan = study()
    twice = image(scan, data=np.asarray(image(scan).data) * np.float32(2.0))
    one, other = (make_study(im, TRACERS, DELAY) for im in (image(scan), twice))
    np.testing.assert_allclose(
        np.array(other.amplitudes) / np.array(one.amplitudes), 2.0, rtol=0.25
    )
    found = separate(twice, TRACERS, DELAY, method="linear", workers=1)
    for i, im in enumerate(found.images):
        off = (im.data - 2.0 * scan.x[i])[scan.head]
        assert np.sqrt((off**2).mean() / (4.0 * scan.x[i][scan.head] ** 2).mean()) < 0.12
    assert sum("no blood" in text for text in found.remarks) == 2


def test_amplitudes_of_curves_that_are_the_mean_ones() -> None:
    scan = study()
    made = make_study(image(scan), TRACERS, DELAY)
    spaces = tuple(s.scaled(made.problem.scale / a) for s, a in
                   zip(made.problem.spaces, made.amplitudes, strict=True))  # fmt: skip
    d = scan.decay
    mean = 1.4 * d[0] * spaces[0].mean + 0.6 * d[1] * spaces[1].mean
    found = amplitudes(mean, spaces, d, (True, True))
    assert found == pytest.approx((1.4, 0.6), rel=0.15)
    assert amplitudes(mean, spaces, d, (False, False)) == (1.0, 1.0)


def test_arrivals_are_found_in_the_mean_curve() -> None:
    scan = study(24, DELAY, "28")
    made = make_study(image(scan), TRACERS, DELAY, blood=scan.blood)
    assert made.problem.arrivals == pytest.approx(scan.arrivals, abs=4.0)
    given = make_study(image(scan), TRACERS, DELAY, blood=scan.blood, arrivals=(5.0, 6.0))
    assert given.problem.arrivals == (5.0, 6.0)


def test_tracers() -> None:
    one, two = parse_tracers("fmz, FDG")
    assert (one.label, two.label) == ("FMZ", "FDG")
    assert one.tracer.radionuclide == "C11" and one.profile is not None
    one, two = parse_tracers(["FDG:F-18", "UCB-J:C11"])
    assert (two.label, two.profile, two.tracer.half_life) == ("UCBJ", None, 1221.66)
    assert one.tracer.half_life == 6584.04
    assert [t.label for t in parse_tracers("FDG,FDG")] == ["FDG1", "FDG2"]
    one, _ = parse_tracers("ATSM:Cu64,FDG")
    assert one.tracer.half_life == 45721.4 and one.profile.tracer is one.tracer
    for wrong in ("FDG", "FDG,FMZ,MET", "FDG,", "FDG,UCB-J", "FDG,X:Y12", ",:C11"):
        with pytest.raises(UsageError):
            parse_tracers(wrong)


def test_what_cannot_be_told_apart_is_refused() -> None:
    scan = study()
    good = image(scan)
    for wrong, said in (
        (dataclasses.replace(good, unit="SUV"), "there are two doses"),
        (dataclasses.replace(good, decay_corrected_to=0.0), "for which nuclide"),
        (dataclasses.replace(good, frames=None), "no frame times"),
        (image(scan, data=-np.asarray(good.data)), "expected activity"),
    ):
        with pytest.raises(InputError, match=said):
            make_study(wrong, TRACERS, DELAY)
    for delay in (-1.0, np.nan, 1e5, 4700.0):
        with pytest.raises(UsageError):
            make_study(good, TRACERS, delay)
