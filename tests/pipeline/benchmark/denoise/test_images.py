"""The benchmark of denoise: what is judged, that biases are biases, that held-out is held out."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from betaplus.pipeline.benchmark.denoise.baselines import (
    best_of_image,
    tune_baselines,
    tuning_case,
)
from betaplus.pipeline.benchmark.denoise.cases import (
    DOSES,
    FIRST_TUNING,
    SHORT,
    groups,
    make_scan,
)
from betaplus.pipeline.benchmark.denoise.gates import gain_over_filters, gates
from betaplus.pipeline.benchmark.denoise.scores import Targets
from betaplus.pipeline.benchmark.denoise.table import images_table
from betaplus.pipeline.benchmark.denoise.targets import organ_bias
from betaplus.pipeline.benchmark.gate import verdict
from betaplus.pipeline.training.corpus import FIRST_TEST
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.pipeline.training.denoiser.styles import HELD_DOSES, HELD_TOF


@pytest.fixture(scope="module")
def targets():
    return Targets(make_scan(groups()[0], FIRST_TEST, 8.0))


def test_the_reference_has_no_error(targets):
    found = targets.score(targets.scan.reference)
    assert found.psnr == math.inf
    assert found.nrmse == 0.0
    assert found.ssim == pytest.approx(1.0)
    assert set(found.organs.values()) == {0.0}
    assert found.liver_cov == found.reference_cov


def test_a_tenth_more_is_a_bias_of_ten_percent(targets):
    found = targets.score(1.1 * targets.scan.reference)
    assert len(found.organs) > 10
    assert "Liver" in found.organs
    assert list(found.organs.values()) == pytest.approx([10.0] * len(found.organs), abs=1e-3)
    assert list(found.organ_tops.values()) == pytest.approx([10.0] * len(found.organs), abs=1e-3)
    for lesion in found.lesions:
        assert [lesion[k] for k in ("mean", "max", "peak")] == pytest.approx([10.0] * 3, abs=1e-3)


def test_noise_rises_as_the_dose_falls(targets):
    low, high = (targets.score(targets.scan.noisy(dose)).psnr for dose in (0.01, 0.25))
    assert high - low > 6.0


def test_psnr_is_that_of_its_definition(targets):
    """By hand: an error of 0.1 everywhere, the peak in the body."""
    scan = targets.scan
    found = targets.score(scan.reference + np.float32(0.1))
    top = float(scan.reference[scan.body].max())
    assert found.psnr == pytest.approx(20 * math.log10(top / 0.1), abs=1e-3)
    root = math.sqrt(float((scan.reference[scan.body].astype(float) ** 2).mean()))
    assert found.nrmse == pytest.approx(100 * 0.1 / root, rel=1e-4)
    assert found.published_psnr > 20 * math.log10(float(scan.reference.max()) / 0.1) - 1e-3


def test_a_dose_is_the_surrogates(targets):
    scan = targets.scan
    for draw in (0, 3):
        known = scan.surrogate.image(0.05, seed=scan.person, draw=draw)
        np.testing.assert_array_equal(scan.noisy(0.05, draw), known)


def test_what_is_held_out_is_held_out():
    kinds = {group.name: group for group in groups()}
    assert kinds["held-out tracer"].tracer not in DenoiserPlan().tracers
    assert HELD_TOF[0] < kinds["held-out scanner"].style.tof < HELD_TOF[1]
    assert any(HELD_DOSES[0] < dose < HELD_DOSES[1] for dose in DOSES)
    assert DenoiserPlan().people < FIRST_TUNING < FIRST_TEST
    assert SHORT.tof == 0.0


def test_filters_tuned_on_the_image_are_the_best_there(targets):
    """White noise on a cylinder: no other width or strength does better."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, np.pi, 40)
    clean = (5 + 3 * np.sin(x)[:, None, None] * np.sin(x)[:, None]).astype(np.float32)
    clean = np.broadcast_to(clean, (40, 40, 40)) + np.float32(6.0) * (clean > 7.0)
    scan = SimpleNamespace(reference=clean, body=clean > 0, voxel=(3.0, 3.0, 3.0))
    noisy = clean + rng.standard_normal(clean.shape).astype(np.float32)
    sd = np.ones_like(clean)
    volume = SimpleNamespace(data=noisy, sd=sd, voxel=scan.voxel)
    found = tune_baselines([tuning_case(scan, volume)])
    best = {k: np.mean((v - clean) ** 2) for k, v in found.apply(volume).items()}
    for factor in (0.6, 1.6):
        other = type(found)(
            fwhm=factor * found.fwhm,
            nlm=type(found.nlm)(strength=factor * found.nlm.strength),
            gains={},
        )
        for name, image in other.apply(volume).items():
            assert np.mean((image - clean) ** 2) > 0.98 * best[name]
    far = type(found)(fwhm=20.0, nlm=type(found.nlm)(strength=found.nlm.strength / 1.6), gains={})
    again = best_of_image(tuning_case(scan, volume), far)
    assert again.fwhm == found.fwhm
    assert again.nlm.strength == pytest.approx(found.nlm.strength, rel=0.3)
    gain = 10 * math.log10(np.mean((noisy - clean) ** 2) / best["gaussian"])
    assert found.gains["gaussian"] == pytest.approx(gain, abs=1e-3)


def rows(psnrs, organs=None, lesions=()):
    """Rows of one group and dose, from person to method to PSNR."""
    return [
        {
            "group": "usual", "person": person, "dose": 0.05, "method": method, "psnr": psnr,
            "ssim": 0.9, "nrmse": 5.0, "liver_cov": 10.0, "reference_cov": 5.0,
            "published_psnr": 41.25, "published_ssim": 0.95, "organs": organs or {},
            "organ_tops": {"Liver": 4.0, "Spleen": 6.0}, "lesions": list(lesions),
        }
        for person, found in enumerate(psnrs)
        for method, psnr in found.items()
    ]  # fmt: skip


def result(found):
    return {
        "quick": False, "bundle": "denoiser-body-v1", "people": 2, "voxel": 8.0,
        "first_person": 900_000, "tuned_on": 899_000, "groups": ["usual"],
        "doses": [0.05], "rows": found,
    }  # fmt: skip


def test_gain_is_over_the_best_filter_of_each_person():
    found = rows([
        {"noisy": 30.0, "gaussian": 35.0, "best nlm": 36.0, "mmse": 38.0},
        {"noisy": 31.0, "gaussian": 36.5, "best nlm": 36.0, "mmse": 37.0},
    ])  # fmt: skip
    assert gain_over_filters(found) == pytest.approx((2.0 + 0.5) / 2)
    assert "+1.25 short" in "\n".join(gates(result(found)))


def test_organs_and_lesions_are_held_against_their_targets():
    lesions = [
        {"diameter": d, "contrast": c, "site": "lung", "mean": -9.0, "max": -9.0, "peak": b}
        for d, c, b in ((20.0, 4.0, -6.0), (30.0, 4.0, -8.0), (10.0, 4.0, -20.0), (25, 0.2, 90.0))
    ]
    found = rows([{"nlm": 35.0, "mmse": 38.0}], {"Liver": 0.4, "Spleen": -1.3}, lesions)
    text = "\n".join(gates(result(found)))
    assert "-1.3 Spleen, 1 of 2 short" in text
    assert "| -20.0, -20.0, -20.0 (1) | -7.0, -7.0, -8.0 (2) | pass |" in text
    assert (organ_bias(1 / 50), organ_bias(1 / 100)) == (1.0, 3.0)
    assert verdict(-8.5, 8.0) == "short" and verdict(1.5, 1.5, least=True) == "pass"
    assert verdict(math.nan, 1.0) == "not measured"


def test_the_table_has_every_method():
    methods = ("noisy", "gaussian", "best gaussian", "nlm", "best nlm", "mmse")
    text = images_table(result(rows([{m: 40.0 + n for n, m in enumerate(methods)}])))
    for n, method in enumerate(methods):
        assert f"| 1/20 | {method} | {40 + n:.2f} | 0.9000 | 5.00 | 10.0 (5.0) | 41.25 |" in text
        assert f"| {method} | +5.0 (+4.5 to +5.5) |" in text
