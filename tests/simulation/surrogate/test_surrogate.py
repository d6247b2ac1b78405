"""The surrogate: doses, pairs, determinism, and a check against projector and OSEM."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.simulation.surrogate.information import measure_information
from betaplus.simulation.surrogate.style import ScanStyle
from betaplus.simulation.surrogate.surrogate import Surrogate

VOXEL = (4.0, 4.0, 4.0)
STYLE = ScanStyle(name="test", counts=5e4, resolution=5.0, updates=40, filter=4.0, fov=250.0)


def cylinder(
    shape: tuple[int, int, int] = (48, 36, 20), hot: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    """An elliptic cylinder of water with a hot sphere; activity [SUV] and attenuation [1/mm]."""
    x, y, z = np.meshgrid(*((np.arange(n) - 0.5 * (n - 1)) * 4.0 for n in shape), indexing="ij")
    inside = (x / 85.0) ** 2 + (y / 65.0) ** 2 < 1.0
    activity = inside.astype(np.float32)
    activity[np.hypot(np.hypot(x - 30.0, y), z) < 25.0] = hot
    return activity, 0.0096 * inside.astype(np.float32)


@pytest.fixture(scope="module")
def body() -> Surrogate:
    return Surrogate(*cylinder(), VOXEL, STYLE, sectors=2)


def middle(image: np.ndarray) -> np.ndarray:
    return image[10:20, 12:24, 3:17]


def test_same_seed_and_draw_give_the_same_image(body: Surrogate) -> None:
    a, b = (
        body.image(0.1, seed=3, draw=1),
        Surrogate(*cylinder(), VOXEL, STYLE, sectors=2).image(0.1, seed=3, draw=1),
    )
    assert np.array_equal(a, b)
    assert not np.allclose(a, body.image(0.1, seed=3, draw=2))
    assert not np.allclose(a, body.image(0.1, seed=4, draw=1))


def test_never_negative_even_at_a_thousandth(body: Surrogate) -> None:
    image = body.image(0.001, seed=0)
    assert image.min() >= 0.0 and np.isfinite(image).all()
    assert image.dtype == np.float32


def test_sd_goes_with_the_root_of_the_dose(body: Surrogate) -> None:
    sds = []
    for dose in (1.0, 0.25):
        images = np.stack([body.image(dose, seed=1, draw=n) for n in range(8)])
        sds.append(np.sqrt(middle(images.std(0, ddof=1) ** 2).mean()))
    assert sds[1] / sds[0] == pytest.approx(2.0, rel=0.02)  # same noise, other dose


def test_mean_is_kept(body: Surrogate) -> None:
    images = np.stack([body.image(0.25, seed=2, draw=n) for n in range(8)])
    inside = body.mean > 0.5
    assert images.mean(0)[inside].mean() == pytest.approx(
        body.mean_image()[inside].mean(), rel=0.01
    )


def test_pair_averages_to_the_full_dose(body: Surrogate) -> None:
    low, full, complement = body.pair(0.2, seed=5)
    np.testing.assert_allclose(0.2 * low + 0.8 * complement, full, rtol=1e-4, atol=1e-5)
    assert complement.min() > -1e-5


def test_low_and_complement_are_independent_low_and_full_are_not(body: Surrogate) -> None:
    f, mean = 0.2, body.mean_image()
    noise = [[], [], []]
    for n in range(8):
        for kind, image in zip(noise, body.pair(f, seed=6, draw=n), strict=True):
            kind.append(middle(image - mean))
    low, full, complement = (np.ravel(k) for k in noise)
    assert abs(np.corrcoef(low, complement)[0, 1]) < 0.06
    # cov(low, full) = f var(low), var(full) = f var(low): correlation sqrt(f)
    assert np.corrcoef(low, full)[0, 1] == pytest.approx(np.sqrt(f), abs=0.06)
    assert full.std() / low.std() == pytest.approx(np.sqrt(f), rel=0.1)
    assert complement.std() / low.std() == pytest.approx(np.sqrt(f / (1.0 - f)), rel=0.1)


def test_nested_doses_hold_those_before(body: Surrogate) -> None:
    a, b, c = body.nested((0.1, 0.3, 1.0), seed=7)
    rest = (b * 0.3 - a * 0.1) / 0.2
    assert rest.min() > -1e-4 and not np.allclose(rest, c)
    with pytest.raises(UsageError, match="larger"):
        body.nested((0.3, 0.1))


def test_noise_in_the_middle_of_a_disc() -> None:
    """After one update the variance is w / a^2 times a constant: exp(2 mu R) / 2 R."""
    x = np.hypot(*np.meshgrid(*[(np.arange(60) - 29.5) * 4.0] * 2, indexing="ij"))
    style = STYLE.replace(scatter=0.0, randoms=0.0, updates=1)
    variances = []
    for radius in (64.0, 96.0):
        disc = np.repeat((x < radius).astype(np.float32)[..., None], 6, axis=2)
        made = Surrogate(disc, 0.0096 * disc, VOXEL, style)
        variances.append(float((made.linear_sd[28:32, 28:32] ** 2).mean()))
    expected = np.exp(2.0 * 0.0096 * 32.0) * 64.0 / 96.0
    assert variances[1] / variances[0] == pytest.approx(expected, rel=0.08)


def test_hot_places_converge_first(body: Surrogate) -> None:
    hot = body.mean > 2.0
    warm = (body.mean > 0.9) & (body.mean < 1.1)
    relative = body.linear_sd[hot].mean() / body.linear_sd[warm].mean()
    assert 1.0 / np.sqrt(3.0) < relative < 1.0  # between one SD in percent and counting statistics


def test_a_box_of_a_body_has_the_noise_of_the_body() -> None:
    activity, mu = cylinder((48, 40, 40))
    whole = Surrogate(activity, mu, VOXEL, STYLE)
    cut = (slice(4, 44), slice(4, 36), slice(8, 32))
    box = Surrogate(
        activity[cut], mu[cut], VOXEL, STYLE, information=whole.information, low=(16.0, 16.0, 32.0)
    )
    inner = (slice(8, 32), slice(8, 24), slice(6, 18))
    np.testing.assert_allclose(box.linear_sd[inner], whole.linear_sd[cut][inner], rtol=0.05)
    np.testing.assert_allclose(box.mean[inner], whole.mean[cut][inner], rtol=0.08)


def test_information_of_a_disc_is_the_line_integral() -> None:
    """In the centre of a disc of radius R every line is 2 R long: w = exp(-mu R 2) / (2 R)."""
    n, r = 60, 96.0
    x = np.hypot(*np.meshgrid(*[(np.arange(n) - 29.5) * 4.0] * 2, indexing="ij"))
    disc = np.repeat((x < r).astype(np.float32)[..., None], 6, axis=2)
    style = STYLE.replace(scatter=0.0, randoms=0.0)
    known = measure_information(disc, 0.005 * disc, VOXEL, style)
    a = np.exp(-0.005 * 2.0 * r)
    i = known.survival.shape[0] // 2
    assert known.survival[i - 1 : i + 1, i - 1 : i + 1].mean() == pytest.approx(a, rel=0.03)
    found = known.weight[:, i - 1 : i + 1, i - 1 : i + 1].mean((1, 2, 3))
    np.testing.assert_allclose(found, a / (2.0 * r), rtol=0.05)


def test_time_of_flight_lowers_the_noise_that_is_reached() -> None:
    """After the same few updates it is larger: what converges faster has more noise by then."""
    activity, mu = cylinder()
    style = STYLE.replace(updates=3000)
    plain = Surrogate(activity, mu, VOXEL, style)
    timed = Surrogate(activity, mu, VOXEL, style.replace(tof=30.0))
    assert middle(timed.linear_sd).mean() < middle(plain.linear_sd).mean()


def test_wrong_input() -> None:
    activity, mu = cylinder()
    with pytest.raises(UsageError, match="one grid"):
        Surrogate(activity, mu[1:], VOXEL, STYLE)
    with pytest.raises(UsageError, match="dose fraction"):
        Surrogate(activity, mu, VOXEL, STYLE).image(0.0)
    with pytest.raises(UsageError, match="counts"):
        STYLE.replace(counts=-1.0)


def test_air_stays_air() -> None:
    nothing = np.zeros((12, 10, 6), np.float32)
    made = Surrogate(nothing, nothing, VOXEL, STYLE)
    assert np.array_equal(made.image(0.1), nothing)


def test_one_slice_has_noise() -> None:
    activity, mu = cylinder()
    made = Surrogate(activity[..., 10:11], mu[..., 10:11], VOXEL, STYLE)
    image = made.image(0.1)
    assert image.shape == (48, 36, 1) and np.isfinite(image).all()
    assert (image - made.mean_image())[10:20, 12:24].std() > 0.05


def test_air_far_from_the_body_is_cleared(body: Surrogate) -> None:
    x, y = np.meshgrid(*((np.arange(n) - 0.5 * (n - 1)) * 4.0 for n in (48, 36)), indexing="ij")
    far = (x / 115.0) ** 2 + (y / 95.0) ** 2 > 1.0  # 30 mm beyond the skin
    assert far.any() and body.mean[far].max() < 0.02
