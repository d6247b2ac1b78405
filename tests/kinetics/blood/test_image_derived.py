"""Blood from an image: frame means that come back, remarks that appear and go, refusals."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.ndimage import gaussian_filter

from betaplus.core import FrameTiming, InputError, PetImage, Tracer, UsageError
from betaplus.core.input_function import InputCurve
from betaplus.kinetics.blood.image_derived import cylinder_recovery, image_derived, mask_width
from betaplus.physics.response import InputResponse
from betaplus.simulation.input_functions import feng

SHORT = FrameTiming.from_durations([5] * 24 + [15] * 4 + [60] * 6 + [300] * 10)
LONG = FrameTiming.from_durations([30] * 6 + [60] * 4 + [300] * 10)
F18, C11 = Tracer.of("F18"), Tracer.of("C11")


def truth(t):
    return 1000.0 * feng((t - 18.0) / 60, (851.1, 21.88, 20.81), (4.134, 0.1191, 0.01043))


def frame_means(frames, tracer, injection=0.0):
    """Means of the true curve that decays while it is counted, by quadrature."""
    rate = tracer.decay_constant
    out = []
    for a, b in zip(frames.start, frames.end, strict=True):
        inner = [p for p in (injection + 18.0,) if a < p < b]
        counts = quad(
            lambda t: truth(t - injection) * np.exp(-rate * t),
            a,
            b,
            points=inner or None,
            limit=200,
        )[0]
        out.append(counts * rate / (np.exp(-rate * a) - np.exp(-rate * b)))
    return np.array(out)


def scan(frames=SHORT, tracer=F18, corrected=0.0, unit="Bq/mL", injection=0.0, **fields):
    """A blood pool of 12 x 12 x 20 mm in a cold image of 2 mm voxels."""
    means = frame_means(frames, tracer, injection)
    if corrected is None:
        means = means / frames.decay_factors(tracer.half_life)
    else:
        means = means * np.exp(-tracer.decay_constant * corrected)
    mask = np.zeros((12, 13, 14), dtype=bool)
    mask[3:9, 4:10, 2:12] = True
    data = np.zeros((*mask.shape, len(frames)), dtype=np.float32)
    spread = np.linspace(0.7, 1.3, int(mask.sum()))  # mean and median 1
    data[mask] = spread[:, None] * means * {"Bq/mL": 1.0, "kBq/mL": 1e-3}[unit]
    image = PetImage(
        data=data,
        affine=np.diag([2.0, 2.0, 2.0, 1.0]),
        frames=frames,
        unit=unit,
        tracer=tracer,
        decay_corrected_to=corrected,
        injection=injection,
        **fields,
    )
    return image, mask


@pytest.mark.parametrize("tracer", [F18, C11])
@pytest.mark.parametrize(
    ("corrected", "unit", "injection"),
    [(0.0, "Bq/mL", 0.0), (None, "kBq/mL", 0.0), (600.0, "Bq/mL", 0.0), (0.0, "Bq/mL", 10.0)],
)
def test_frame_means_come_back(tracer, corrected, unit, injection):
    """After `curve`, whatever the decay correction and the unit of the image."""
    image, mask = scan(SHORT, tracer, corrected, unit, injection)
    expected = frame_means(SHORT, tracer, injection)
    for statistic in ("mean", "median"):
        blood = image_derived(image, mask, statistic=statistic)
        assert (blood.unit, blood.plasma, blood.injection) == ("Bq/mL", None, injection)
        curve = blood.curve(float(SHORT.end[-1]))
        got = InputResponse(curve, SHORT, tracer.half_life).blood().numpy()
        np.testing.assert_allclose(got, expected, atol=3e-6 * expected.max())
        assert not any("extrapolated" in r or "prepended" in r for r in curve.remarks)
    fine = np.linspace(60, 3000, 500) + injection
    np.testing.assert_allclose(
        np.interp(fine, curve.time, curve.whole_blood), truth(fine - injection), rtol=0.05
    )


@pytest.mark.parametrize("arrival", [16.0, 24.0, 29.0, 31.5])
@pytest.mark.parametrize("frames", [SHORT, LONG], ids=["5 s", "30 s"])
def test_whenever_the_bolus_arrives(frames, arrival):
    """A rise that begins late in a frame leaves less there than a line to the next one would."""
    fine = np.linspace(0, frames.end[-1], int(20 * frames.end[-1]) + 1)
    true = InputCurve(fine, *[truth(fine + 18.0 - arrival)] * 2, "Bq/mL")
    expected = InputResponse(true, frames, F18.half_life).blood().numpy()
    data = expected.astype(np.float32)[None, None, None]
    image = PetImage(
        data=data, affine=np.eye(4), frames=frames, unit="Bq/mL", tracer=F18, decay_corrected_to=0.0
    )
    blood = image_derived(image, np.ones((1, 1, 1)))
    curve = blood.curve(float(frames.end[-1]))
    got = InputResponse(curve, frames, F18.half_life).blood().numpy()
    np.testing.assert_allclose(got, expected, atol=3e-6 * expected.max())
    assert (curve.whole_blood >= 0).all() and curve.time[0] == 0
    assert re.search(r"met within \d(\.\d)?e-05 % of the peak", blood.remarks[-1])


def test_what_is_said():
    image, mask = scan()
    said = image_derived(image, mask).curve(float(SHORT.end[-1])).remarks
    assert said[0] == "image-derived: mean of 360 voxels of the image, whole blood"
    assert any("no plasma: whole blood stands in" in remark for remark in said)
    text = " / ".join(said)
    assert "partial volume" not in text and "blurs" not in text
    thin = mask & (np.arange(12) < 6)[:, None, None]
    text = " / ".join(image_derived(image, thin).remarks)
    kept = round(100 * cylinder_recovery(6.0))
    assert "the mask is 6 mm wide, less than twice a resolution of 5 mm" in text
    assert f"a vessel as wide keeps about {kept} % of its contrast" in text
    image, mask = scan(LONG)
    text = " / ".join(image_derived(image, mask).remarks)
    assert "the peak lies in a frame of 30 s" in text and "partial volume" not in text


@pytest.mark.parametrize("diameter", [4.0, 6.0, 10.0, 20.0])
def test_recovery_against_a_blurred_disc(diameter):
    step, fwhm = 0.1, 5.0
    x = (np.arange(400) - 199.5) * step
    disc = (np.hypot(*np.meshgrid(x, x)) < diameter / 2).astype(float)
    blurred = gaussian_filter(disc, fwhm / np.sqrt(8 * np.log(2)) / step, truncate=6)
    assert cylinder_recovery(diameter) == pytest.approx(blurred[disc > 0].mean(), abs=2e-3)


@pytest.mark.parametrize("voxels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_width_of_slabs_and_balls(voxels, axis):
    """A slab is as wide as it is thick, at the edge of the image, too; a ball as its diameter."""
    shape = [24, 24, 24]
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(0, voxels) if i == axis else slice(None) for i in range(3))] = True
    size = (2.0, 3.0, 4.0)
    assert mask_width(mask, size) == pytest.approx(voxels * size[axis])
    grid = np.indices(shape) - 11.5
    ball = np.sqrt((grid**2).sum(0)) < 2.5 + voxels
    assert mask_width(ball, (1.0, 1.0, 1.0)) == pytest.approx(2 * (2.5 + voxels) - 0.75, abs=1.25)


def test_negative_noise_is_kept_out_and_said():
    image, mask = scan()
    data = image.data.copy()
    data[..., :2] -= 0.01 * data.max()
    blood = image_derived(dataclasses.replace(image, data=data), mask)
    assert "2 negative frame means set to 0" in blood.remarks
    assert blood.whole_blood.min() == 0


def test_refusals():
    image, mask = scan()

    def refused(says, image=image, mask=mask, error=InputError, **options):
        with pytest.raises(error, match=says):
            image_derived(image, mask, **options)

    def changed(**fields):
        return dataclasses.replace(image, **fields)

    refused("the mask of the blood pool is empty", mask=np.zeros_like(mask))
    refused("mask of shape", mask=mask[1:])
    refused("statistic 'max'; expected one of mean, median", statistic="max", error=UsageError)
    refused("1 frame and no frame times", changed(data=image.data[..., 9], frames=None))
    refused("and no frame times", changed(frames=None))
    refused("radionuclide", changed(tracer=None))
    refused("is in SUV", changed(unit="SUV"))
    data = image.data.copy()
    data[4, 5, 6, 7] = np.nan
    refused("holds nan at voxel", changed(data=data))
    refused("no activity after the injection", changed(data=np.zeros_like(data)))
    data = image.data.copy()
    data[..., 2] = -0.2 * data.max()
    refused("falls to -", changed(data=data))
    late = SHORT.select(np.arange(len(SHORT)) > 20)
    refused(
        "brightest in the first frame, 105 to 110 s",
        changed(data=image.data[..., 21:], frames=late),
    )
    three = SHORT.select(np.arange(3) + 4)
    refused("3 frames", changed(data=image.data[..., 4:7], frames=three))
