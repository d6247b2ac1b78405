"""What the denoiser may be trained on, and what is left out for judging."""

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.pipeline.training.denoiser.styles import (
    HELD_DOSES,
    HELD_TOF,
    MAX_FILTER,
    random_dose,
    random_filter,
    random_style,
)
from betaplus.simulation.surrogate.styles import QUADRA, UEXPLORER


def test_no_training_scan_has_what_is_left_out():
    rng = np.random.default_rng(0)
    styles = [random_style(rng) for _ in range(500)]
    assert not any(HELD_TOF[0] <= style.tof <= HELD_TOF[1] for style in styles)
    assert HELD_TOF[0] < UEXPLORER.tof < HELD_TOF[1]
    doses = np.array([random_dose(rng) for _ in range(2000)])
    assert not ((doses > HELD_DOSES[0]) & (doses < HELD_DOSES[1])).any()
    assert HELD_DOSES[0] < 1 / 50 < HELD_DOSES[1]
    assert "DOTATATE" not in DenoiserPlan().tracers


def test_training_scans_span_clinical_ones():
    rng = np.random.default_rng(1)
    styles = [random_style(rng) for _ in range(500)]
    for name in ("counts", "tof", "acceptance", "resolution", "updates", "radius"):
        values = [getattr(style, name) for style in styles]
        assert min(values) <= getattr(QUADRA, name) <= max(values), name
    assert any(style.tof == 0.0 for style in styles)
    filters = [random_filter(rng) for _ in range(500)]
    assert min(filters) == 0.0
    assert 7.0 < max(filters) <= MAX_FILTER
    doses = np.array([random_dose(rng) for _ in range(2000)])
    assert 0.006 < doses.min() < 0.01
    assert doses.max() > 0.9


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"people": 1}, "people"),
        ({"edge": 36}, "multiple of 8"),
        ({"box": 36}, "two margins"),
        ({"learning_rate": 0.0}, "above 0"),
        ({"voxel": 0.0}, "above 0"),
        ({"tracers": ()}, "at least one"),
    ],
)
def test_settings_that_cannot_be(changes, words):
    with pytest.raises(UsageError, match=words):
        DenoiserPlan(**changes)
