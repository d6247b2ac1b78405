"""Settings of a prior: what ships, what a file may change, what is refused."""

from pathlib import Path

import pytest

from betaplus.core.errors import InputError, UsageError
from betaplus.pipeline.training.prior.plan import PRIORS, PriorPlan, read_plan


def test_a_file_departs_from_the_named_prior(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('steps = 12\nwidths = [8, 16]\nsd = 2\ntracers = ["PSMA"]\n')
    plan = read_plan("body3d", path)
    assert (plan.steps, plan.widths, plan.sd, plan.tracers) == (12, (8, 16), 2.0, ("PSMA",))
    assert plan.voxel == PRIORS["body3d"].voxel
    assert plan.within(3.0).minutes == 3.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stepps = 3", "stepps"),
        ("steps = 3.5", "expected int"),
        ("widths = 8", "expected a list"),
        ('widths = ["a"]', "expected a list"),
        ("steps = ", "cannot be read"),
        ("bf16 = 1", "expected bool"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_plan("brain2d", path)


@pytest.mark.parametrize(
    "wrong",
    [{"edge": 100}, {"people": 1}, {"anatomy": "foot"}, {"sd": 0.0}, {"bluntest": 1.0}],
)
def test_values_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match="training setting"):
        PriorPlan(**wrong)


def test_an_unknown_prior_is_refused() -> None:
    with pytest.raises(UsageError, match="brain2d, body3d"):
        read_plan("foot2d", None)
