"""The benchmark of denoise: what is judged, that biases are biases, that held-out is held out."""

import math

import numpy as np
import pytest

from betaplus.pipeline.benchmark.denoise.cases import FIRST_TUNING, groups, make_scan
from betaplus.pipeline.benchmark.denoise.scores import Targets
from betaplus.pipeline.benchmark.denoise.table import denoise_table
from betaplus.pipeline.training.corpus import FIRST_TEST
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.pipeline.training.denoiser.styles import HELD_TOF


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
    for lesion in found.lesions:
        assert [lesion[k] for k in ("mean", "max", "peak")] == pytest.approx([10.0] * 3, abs=1e-3)


def test_noise_rises_as_the_dose_falls(targets):
    low, high = (targets.score(targets.scan.noisy(dose)).psnr for dose in (0.01, 0.25))
    assert high - low > 6.0


def test_what_is_held_out_is_held_out():
    kinds = {group.name: group for group in groups()}
    assert kinds["held-out tracer"].tracer not in DenoiserPlan().tracers
    assert HELD_TOF[0] < kinds["held-out scanner"].style.tof < HELD_TOF[1]
    assert DenoiserPlan().people < FIRST_TUNING < FIRST_TEST


def test_the_table_has_every_method_at_every_dose(targets):
    reference = targets.scan.reference
    score = targets.score(reference + np.float32(0.1)).as_dict()
    rows = [
        {"group": "usual", "person": 0, "dose": dose, "method": method, **score}
        for dose in (0.1, 0.05)
        for method in ("noisy", "gaussian", "best gaussian", "nlm", "mmse")
    ]
    text = denoise_table({
        "quick": False, "bundle": "denoiser-body-v1", "people": 1, "voxel": 8.0,
        "groups": ["usual"], "doses": [0.1, 0.05], "rows": rows,
    })  # fmt: skip
    assert text.count(f"| {score['psnr']:.2f} |") == 10
    assert "| 1/20 | mmse |" in text
