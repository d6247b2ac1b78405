"""Probabilities of models: the right one on clear curves, calibrated on curves from the prior."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import ndtri
from scipy.stats import norm
from tests.kinetics import brute_force as grid

from betaplus.core.errors import UsageError
from betaplus.core.image import PetImage
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer
from betaplus.kinetics import PRIORS, Distribution, fit
from betaplus.kinetics.compare import COMPARED, Comparison, compare
from betaplus.kinetics.wider import widened, wider_prior
from betaplus.physics.compartments import MODELS, predict
from betaplus.physics.noise import noise_floor, noise_gain

QUICK = {"coarse": 512, "pilot": 256, "fine": 1024, "least_ess": 200, "largest": 8192}
TRACER = Tracer.of("F18", name="FDG")


def clean(model, **parameters):
    """Noise-free curves, shape (n, T)."""
    size = np.broadcast_shapes(*(np.shape(v) for v in parameters.values()), (1,))
    named = {
        name: torch.from_numpy(np.broadcast_to(value, size).astype(np.float64).copy())
        for name, value in parameters.items()
    }
    wanted = {name: named[name] for name in (*MODELS[model].parameters, "delay") if name in named}
    return predict(grid.response(), wanted).numpy()


def table(values):
    names = tuple(f"region {i}" for i in range(len(values)))
    return TacTable(values=values, frames=grid.FRAMES, unit="Bq/mL", names=names, tracer=TRACER)


CLEAR = np.concatenate(
    [
        clean("1TCM", K1=0.3, k2=0.4, VB=0.05),
        clean("2TCM3k", K1=0.2, k2=0.3, k3=0.08, VB=0.05),
        clean("2TCM", K1=0.3, k2=0.5, k3=0.3, k4=0.15, VB=0.05),
    ]
)
"""One curve of each model, its parameters well apart from those that another could imitate."""


@pytest.fixture(scope="module")
def clear():
    return table(grid.noisy(CLEAR, 1.0, 4))


@pytest.fixture(scope="module")
def compared(clear) -> Comparison:
    return compare(clear, grid.CURVE, delay=0.0, engine="inline")


def test_the_right_model_is_the_most_probable(compared):
    assert compared.models == COMPARED and compared.names == ("region 0", "region 1", "region 2")
    assert compared.chosen.tolist() == list(COMPARED)
    np.testing.assert_allclose(compared.probability.sum(-1), 1.0)
    assert (np.diag(compared.probability) > [0.8, 0.8, 0.99]).all()
    assert (np.diag(compared.akaike) == compared.akaike.max(-1)).all()
    assert (compared.ess > 400).all() and compared.remarks == ()


def test_probabilities_follow_from_the_evidence_of_each_fit(clear, compared):
    each = [
        fit(clear, grid.CURVE, model=m, delay=0.0, engine="inline").diagnostics["evidence"]
        for m in COMPARED
    ]
    np.testing.assert_array_equal(compared.log_evidence, np.stack(each, -1))
    odds = np.exp(compared.log_evidence - compared.log_evidence[:, :1])
    np.testing.assert_allclose(compared.probability, odds / odds.sum(-1, keepdims=True))


def test_a_wider_prior_costs_a_determined_parameter_its_factor(compared):
    """Where the likelihood lies inside both, a range 1.5 times as wide in log costs log 1.5."""
    before, after = np.log(compared.probability), np.log(compared.sensitivity)
    moved = (after[:, 1:] - after[:, :1]) - (before[:, 1:] - before[:, :1])
    assert moved[1, 0] == pytest.approx(-np.log(1.5), abs=0.1)  # k3 of 2TCM3k
    assert moved[2, 1] == pytest.approx(-2 * np.log(1.5), abs=0.15)  # k3 and k4 of 2TCM
    assert compared.settings["wider"]["factor"] == 1.5
    assert set(compared.settings["wider"]) == {"factor", "k3", "k4"}


def test_wider_priors():
    def ends(d):
        return d.low, d.high

    wide = widened(PRIORS["default"]["k3"], 1.5)
    assert np.log(wide.high / wide.low) == pytest.approx(1.5 * np.log(2.0 / 0.001))
    assert wide.high * wide.low == pytest.approx(2.0 * 0.001)
    assert ends(widened(PRIORS["published"]["k4"], 1.5)) == pytest.approx((0.0, 0.15))
    assert ends(widened(PRIORS["published-signed"]["k4"], 2.0)) == pytest.approx((-0.2, 0.2))
    assert widened(Distribution(dist="loguniform", low=1.0, high=90.0), 3.0).high == 100.0
    normal = Distribution(dist="normal", low=1.0, high=3.0, mean=2.0, sd=0.5)
    assert (widened(normal, 1.5).sd, *ends(widened(normal, 1.5))) == (0.75, 0.5, 3.5)
    known = Distribution.at(0.02)
    prior, ranges = wider_prior(PRIORS["default"].replaced(k3=known), COMPARED, 1.5)
    assert prior["k3"] is known and set(ranges) == {"k4"}
    assert set(wider_prior(PRIORS["default"], ("2TCM3k", "2TCM"), 1.5)[1]) == {"k4"}


def loguniform(low, high):
    return Distribution(dist="loguniform", low=low, high=high)


NARROW = PRIORS["default"].replaced(
    K1=loguniform(0.05, 0.6),
    k2=loguniform(0.05, 1.0),
    k3=loguniform(0.005, 0.3),
    k4=loguniform(0.005, 0.3),
    VB=Distribution(dist="uniform", low=0.0, high=0.1),
)


def test_probabilities_are_calibrated():
    """Models drawn evenly, parameters from the prior: hits are as frequent as they are probable."""
    n, level = 600, 6.0
    random = np.random.default_rng(8)
    truth = random.integers(3, size=n)
    drawn = {
        name: NARROW[name].at_probit(ndtri(random.random(n)))
        for name in ("K1", "k2", "k3", "k4", "VB")
    }
    curves = np.stack([clean(m, **drawn) for m in COMPARED])[truth, np.arange(n)]
    found = compare(
        table(grid.noisy(curves, level, 9)),
        grid.CURVE,
        prior=NARROW,
        noise=level,
        delay=0.0,
        settings=QUICK,
        criteria=False,
        engine="inline",
    )
    p, hit = found.probability, np.eye(3)[truth]

    def within(miss, variance, limit=3.5):
        assert abs(miss.sum()) < limit * np.sqrt(variance.sum())

    for m in range(3):  # as often true as probable, on the whole
        within(hit[:, m] - p[:, m], p[:, m] * (1 - p[:, m]))
    for chosen in (p < 0.5, p >= 0.5):
        within((hit - p)[chosen], (p * (1 - p))[chosen])
    # The Brier score of a calibrated forecast is expected to be the mean of sum p (1 - p).
    expected = (p * (1 - p)).sum(-1)
    scores = 1.0 - 2.0 * p + (p**2).sum(-1, keepdims=True)  # (curve, model that is true)
    spread = (p * scores**2).sum(-1) - expected**2
    within(((hit - p) ** 2).sum(-1) - expected, spread)
    assert expected.mean() < 0.45  # the curves say something: knowing nothing gives 2/3


@pytest.mark.parametrize("noise", ["sds", "auto"])
@pytest.mark.parametrize("fixed", [False, True])
def test_criteria_count_free_parameters(clear, noise, fixed):
    """AIC and BIC of 2TCM3k against the normal density of the data, parameters counted by hand."""
    prior = PRIORS["default"]
    if fixed:
        prior = prior.replaced(VB=Distribution.at(0.05))
    sd = np.sqrt(CLEAR.mean(0) + 50.0)
    given = sd if noise == "sds" else "auto"
    found = compare(
        clear, grid.CURVE, prior=prior, delay=0.0, noise=given, settings=QUICK, engine="inline"
    )
    fitted = fit(
        clear, grid.CURVE, model="2TCM3k", method="nlls", prior=prior, delay=0.0, noise=given
    )
    curve = fitted.prediction["mean"]
    if noise == "auto":  # an unknown level at its most likely
        shape = (curve + noise_floor(grid.response())) * noise_gain(grid.FRAMES, grid.HALF_LIFE)
        level2 = np.mean((clear.values - curve) ** 2 / shape, axis=-1, keepdims=True)
        sd = np.sqrt(level2 * shape)
    count = 4 - fixed + (noise == "auto")
    deviance = -2.0 * norm.logpdf(clear.values, curve, sd).sum(-1)
    np.testing.assert_allclose(found.aic[:, 1], deviance + 2 * count, atol=0.02)
    frames = len(grid.FRAMES)
    np.testing.assert_allclose(found.bic[:, 1], deviance + np.log(frames) * count, atol=0.02)


def test_fixing_at_the_estimate_saves_one_parameter(clear):
    options = {"blood": grid.CURVE, "model": "1TCM", "method": "nlls", "delay": 0.0}
    free = fit(clear, **options)
    at = Distribution.at(float(free["VB"].mean[0]))
    fixed = fit(clear, prior=PRIORS["default"].replaced(VB=at), **options)
    gain = {k: free.diagnostics[k][0] - fixed.diagnostics[k][0] for k in ("aic", "bic")}
    assert gain["aic"] == pytest.approx(2.0, abs=0.01)
    assert gain["bic"] == pytest.approx(np.log(len(grid.FRAMES)), abs=0.01)


def image_of(values, mask):
    data = np.zeros((*mask.shape, values.shape[1]), dtype=np.float32)
    data[mask] = values
    return PetImage(
        data=data,
        affine=np.eye(4),
        frames=grid.FRAMES,
        unit="Bq/mL",
        tracer=TRACER,
        decay_corrected_to=0.0,
    )


def test_an_image(clear):
    mask = np.zeros((2, 2, 1), dtype=bool)
    mask[0, :, 0], mask[1, 0, 0] = True, True
    options = {"delay": 0.0, "settings": QUICK, "engine": "inline"}
    found = compare(image_of(clear.values, mask), grid.CURVE, mask=mask, **options)
    want = compare(clear, grid.CURVE, criteria=False, **options)
    assert found.probability.shape == found.sensitivity.shape == (2, 2, 1, 3)
    assert found.names is None and found.aic is None and want.aic is None
    np.testing.assert_allclose(found.log_evidence[mask], want.log_evidence, atol=0.02)
    assert (found.probability[~mask] == 0).all() and (found.sensitivity[~mask] == 0).all()
    assert found.chosen[mask].tolist() == list(COMPARED) and found.chosen[1, 1, 0] == ""


def test_one_delay_for_all_models_where_it_is_found_once(clear):
    options = {"settings": QUICK, "criteria": False, "engine": "inline"}
    once = compare(clear, grid.CURVE, delay="fit-once", **options)
    delay = once.settings["delay"]
    assert isinstance(delay, float) and abs(delay) < 2.0
    known = compare(clear, grid.CURVE, delay=delay, **options)
    np.testing.assert_array_equal(once.log_evidence, known.log_evidence)
    each = compare(clear, grid.CURVE, **options)
    assert each.settings["delay"] == "fitted per curve"
    assert (each.log_evidence < known.log_evidence).all()  # a wide prior of the delay has its price


def test_what_makes_a_comparison_doubtful_is_remarked():
    wave = 1 + 0.5 * (-1) ** (np.arange(len(grid.FRAMES)) // 3)
    odd = table(np.concatenate([CLEAR[:1], CLEAR[1:2] * wave]))
    options = {"delay": 0.0, "settings": QUICK, "engine": "inline", "criteria": False}
    found = compare(odd, grid.CURVE, noise=1.0, **options)
    (remark,) = [text for text in found.remarks if "none of the models" in text]
    assert remark.endswith("region 1")
    poor = {"coarse": 64, "pilot": 64, "fine": 64, "largest": 64, "least_ess": 0}
    found = compare(odd, grid.CURVE, **{**options, "settings": poor})
    assert [text for text in found.remarks if "fewer than 100 effective points" in text]


def test_choices_that_hang_on_the_width_of_the_prior_are_remarked():
    """As k3 grows curves pass from one model to the other, and with a wider prior elsewhere."""
    k3 = np.geomspace(3e-4, 2e-3, 24)
    curves = grid.noisy(clean("2TCM3k", K1=0.2, k2=0.3, k3=k3, VB=0.05), 1.0, 5)
    options = {"delay": 0.0, "settings": QUICK, "engine": "inline", "criteria": False}
    found = compare(table(curves), grid.CURVE, **options)
    turned = np.flatnonzero(found.probability.argmax(-1) != found.sensitivity.argmax(-1))
    assert 1 <= turned.size <= 12
    (remark,) = [text for text in found.remarks if "width of the prior" in text]
    named = remark.partition(" in ")[2].partition(" and ")[0].split(", ")
    assert named == [f"region {i}" for i in turned[:6]]


class Shelf:
    """A journal in memory."""

    def __init__(self):
        self.kept, self.loads = {}, 0

    def load(self, block, stage):
        self.loads += (stage, block.region) in self.kept
        return self.kept.get((stage, block.region))

    def save(self, block, result, stage):
        assert (stage, block.region) not in self.kept
        self.kept[stage, block.region] = result


def test_a_journal_keeps_the_fits_apart(clear):
    shelf = Shelf()
    options = {"delay": 0.0, "settings": QUICK, "engine": "inline", "journal": shelf}
    first = compare(clear, grid.CURVE, **options)
    assert len(shelf.kept) == 3 + 2 + 3  # each model, two of them with wider priors, least squares
    again = compare(clear, grid.CURVE, **options)
    assert shelf.loads == 8
    for name in ("log_evidence", "sensitivity", "aic"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"models": ("2TCM",)}, "two models or more"),
        ({"models": ("2TCM", "2TCM")}, "two models or more"),
        ({"models": ("2TCM", "SRTM")}, "comparison with model SRTM"),
        ({"models": ("2TCM", "3TCM")}, "3TCM"),
        ({"noise": "estimate"}, "noise estimate"),
        ({"wider": 1.0}, "wider by 1"),
    ],
)
def test_refusals(clear, options, words):
    with pytest.raises(UsageError, match=words):
        compare(clear, grid.CURVE, **options)


def test_grey_matter_is_no_single_tissue(reference_data):
    """FDG is trapped: neither the evidence nor least squares leave anything to 1TCM."""
    from tests.kinetics.test_real_curves import kmap

    found = compare(*kmap(reference_data, "2tcm", "GM"), delay=4.0, settings=QUICK)
    assert found.probability[0, 0] < 1e-6 and found.sensitivity[0, 0] < 1e-6
    assert found.akaike[0, 0] < 1e-6 and found.chosen[0] == "2TCM"
