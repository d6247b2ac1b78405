"""Reconstructions against what theory says of them, and against each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize
from tests.reconstruction.cases import COARSE, GRID, SMALL, TIMED, data, phantom, simulated

from betaplus.core.errors import InputError, UsageError
from betaplus.core.progress import Silent
from betaplus.physics.blur import GaussianBlur
from betaplus.physics.linear_operator import adjointness
from betaplus.reconstruction.bsrem import Bsrem
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.map_em import MapEm
from betaplus.reconstruction.method import METHODS, find_method
from betaplus.reconstruction.osem import Osem
from betaplus.reconstruction.relative_difference import relative_difference_prior
from betaplus.reconstruction.scales import first_image
from betaplus.reconstruction.subsets import herman_meyer, subset_views
from betaplus.reconstruction.svrg import Svrg


def error(image: np.ndarray, reference: np.ndarray) -> float:
    return float(np.linalg.norm(image - reference) / np.linalg.norm(reference))


def never_falls(values: list[float]) -> bool:
    return all(b >= a - 1e-7 * abs(a) for a, b in itertools.pairwise(values))


@pytest.mark.parametrize("scanner", [SMALL, TIMED], ids=["flat", "TOF"])
@pytest.mark.parametrize("psf", [0.0, 5.0])
def test_mlem_never_loses_likelihood(scanner, psf: float) -> None:
    counts = SinogramData(simulated(scanner=scanner)[0], GRID, psf=psf)
    seen = []
    Osem(Osem.Settings(iterations=25, subsets=1)).run(
        counts, None, Silent(), lambda n, x: seen.append(counts.log_likelihood(x))
    )
    assert len(seen) == 25 and never_falls(seen) and seen[-1] > seen[0] + 100


@pytest.mark.parametrize("beta", [0.003, 0.1])
def test_map_em_never_loses_its_objective(beta: float) -> None:
    counts, method = data(), MapEm(MapEm.Settings(iterations=25, subsets=1, beta=beta))
    start = first_image(counts, None)
    strength, prior = method.prior(counts, start)
    seen = []
    method.run(
        counts,
        start,
        Silent(),
        lambda n, x: seen.append(counts.log_likelihood(x) - strength * prior.value(x)),
    )
    assert never_falls(seen) and seen[-1] > seen[0]


def test_mlem_without_noise_finds_the_phantom() -> None:
    sinogram, truth = simulated(noise=False, grid=COARSE)
    counts = SinogramData(sinogram, COARSE, subsets=6)
    found = Osem(Osem.Settings(iterations=150, subsets=6)).run(counts, None, Silent())
    assert error(found, truth) < 0.02


def test_osem_is_near_mlem_with_as_many_updates() -> None:
    one, six = (data(n, grid=COARSE, counts=5e6) for n in (1, 6))
    many = Osem(Osem.Settings(iterations=24, subsets=1)).run(one, None, Silent())
    few = Osem(Osem.Settings(iterations=4, subsets=6)).run(six, None, Silent())
    assert error(few, many) < 0.1


def test_map_em_without_a_prior_is_em() -> None:
    counts = data(6)
    start = first_image(counts, None)
    with_prior = MapEm(MapEm.Settings(iterations=3, subsets=6, beta=0.0)).run(
        counts, start, Silent()
    )
    em = Osem(Osem.Settings(iterations=3, subsets=6)).run(counts, start, Silent())
    assert error(with_prior, em) < 1e-5


@pytest.fixture(scope="module")
def penalised():
    """The image that maximises L - beta R, by L-BFGS-B with bounds, a method of its own."""
    counts = data(5, counts=4e5)
    start = first_image(counts, None)
    beta, prior = relative_difference_prior(counts, start, 0.02, 2.0)
    inside = counts.mask

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        x = np.zeros(GRID.shape, np.float32)
        x[inside] = values
        gradient = sum(counts.back_ratio(x, n) for n in counts.order) - counts.sensitivity
        gradient = gradient - beta * prior.gradient(x)
        value = counts.log_likelihood(x) - beta * prior.value(x)
        return -value, -gradient[inside].astype(float)

    low = 1e-6 * float(start.max())
    found = minimize(
        objective, np.maximum(start[inside], low).astype(float), jac=True, method="L-BFGS-B",
        bounds=[(0.0, None)] * int(inside.sum()),
        options={"maxiter": 400, "maxfun": 800, "ftol": 1e-13, "gtol": 1e-9},
    )  # fmt: skip
    x = np.zeros(GRID.shape, np.float32)
    x[inside] = found.x
    return counts, x


def test_svrg_is_there_in_ten_epochs(penalised) -> None:
    counts, best = penalised
    found = Svrg(Svrg.Settings(iterations=10, subsets=5, beta=0.02)).run(counts, None, Silent())
    background = phantom() == 1.0
    rms = np.sqrt(np.mean((found - best)[background] ** 2)) / best[background].mean()
    assert rms < 1e-2


def test_bsrem_goes_there(penalised) -> None:
    counts, best = penalised
    settings = Bsrem.Settings(iterations=60, subsets=5, decay=0.1, beta=0.02)
    found = Bsrem(settings).run(counts, None, Silent())
    assert error(found, best) < 1e-2


def test_a_prior_lowers_the_error() -> None:
    truth = simulated(counts=5e4)[1]
    errors = {
        name: error(find_method(name)(settings).run(data(6, counts=5e4), None, Silent()), truth)
        for name, settings in {
            "osem": Osem.Settings(iterations=4, subsets=6),
            "map-em": MapEm.Settings(iterations=8, subsets=6, beta=0.05),
            "svrg": Svrg.Settings(iterations=8, subsets=6, beta=0.05),
        }.items()
    }
    assert errors["map-em"] < 0.8 * errors["osem"]
    assert errors["svrg"] < 0.8 * errors["osem"]


@pytest.mark.parametrize("name", METHODS)
def test_outside_the_mask_is_nothing(name: str) -> None:
    mask = phantom() > 0
    counts = SinogramData(simulated()[0], GRID, subsets=6, mask=mask)
    kind = find_method(name)
    found = kind(kind.Settings(iterations=2, subsets=6)).run(counts, None, Silent())
    assert (found[~mask] == 0).all() and (found[mask] > 0).mean() > 0.9
    assert found.dtype == np.float32


@pytest.mark.parametrize("name", METHODS)
def test_the_unit_does_not_matter(name: str) -> None:
    """Ten times the sensitivity is a tenth of the image, with the same settings."""
    kind, sinogram = find_method(name), simulated()[0]
    settings = kind.Settings(iterations=3, subsets=6)
    found = kind(settings).run(SinogramData(sinogram, GRID, subsets=6), None, Silent())
    other = type(sinogram)(
        scanner=sinogram.scanner, prompts=sinogram.prompts, additive=sinogram.additive,
        multiplicative=10.0 * sinogram.multiplicative,
    )  # fmt: skip
    scaled = kind(settings).run(SinogramData(other, GRID, subsets=6), None, Silent())
    assert error(10.0 * scaled, found) < 1e-3


def test_a_run_can_end_early() -> None:
    seen = []
    Osem(Osem.Settings(iterations=200, subsets=6, tolerance=0.05)).run(
        data(6), None, Silent(), lambda n, x: seen.append(n)
    )
    assert 1 < len(seen) < 100


def test_subsets_share_the_views_evenly() -> None:
    views = subset_views(30, 7)
    assert sorted(np.concatenate(views)) == list(range(30))
    assert {len(v) for v in views} == {4, 5}
    assert herman_meyer(12) == [0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11]
    for n in (1, 2, 7, 21, 25, 60):
        assert sorted(herman_meyer(n)) == list(range(n))


def test_a_blur_is_its_own_adjoint() -> None:
    blur = GaussianBlur((12, 9, 7), (2.0, 3.0, 2.5), 5.0)
    assert adjointness(blur) < 1e-6
    point = np.zeros((41, 1, 1), np.float32)
    point[20] = 1.0
    spread = GaussianBlur((41, 1, 1), (1.0, 1.0, 1.0), 6.0).forward(point)[:, 0, 0]
    assert np.isclose(spread[23] / spread[20], 0.5, atol=1e-3)  # half at half the width
    assert np.isclose(spread.sum(), 1.0, atol=1e-4)


WRONG = {
    "prompts": ("prompts", lambda a: -a - 1.0, "prompts with negative values"),
    "no number": ("prompts", lambda a: a * np.nan, "prompts with values that are not numbers"),
    "infinite": ("additive", lambda a: a + np.inf, "additive with values that are not numbers"),
    "negative": ("multiplicative", lambda a: a - 5.0, "multiplicative with negative values"),
    "nothing": ("multiplicative", lambda a: 0.0 * a, "factors that are all 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_counts_that_are_none(case: str) -> None:
    name, spoil, words = WRONG[case]
    sinogram = simulated()[0]
    fields = {f: getattr(sinogram, f) for f in ("prompts", "additive", "multiplicative")}
    fields[name] = spoil(fields[name])
    with pytest.raises(InputError, match=words):
        SinogramData(type(sinogram)(scanner=sinogram.scanner, **fields), GRID)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Osem, {"iterations": 0}), (Osem, {"subsets": -1}), (Osem, {"filter": float("nan")}),
        (MapEm, {"beta": -0.1}), (MapEm, {"delta": 0.0}), (Bsrem, {"step": 0.0}),
        (Svrg, {"anchor": 0}), (Svrg, {"gamma": float("inf")}),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(kind, values) -> None:
    with pytest.raises(UsageError, match="expected"):
        kind.Settings(**values)


def test_too_many_subsets() -> None:
    with pytest.raises(UsageError, match="31 subsets of 30 views; expected 1 to 30"):
        data(31)
