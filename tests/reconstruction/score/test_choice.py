"""Which prior a scan gets."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from tests.physics.projector.cases import SMALL

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.grid import ImageGrid
from betaplus.core.raw import RawScan
from betaplus.core.tracer import Tracer
from betaplus.generative.image_prior import ImagePrior, load_image_prior
from betaplus.physics.projector.projector import Projector
from betaplus.reconstruction.score.choice import PRIORS, activity_width, choose_prior, shipped_prior
from betaplus.reconstruction.score.prior import check_voxels

FINE = ImageGrid(shape=(60, 60, 9), voxel_size=(2.0, 2.0, 2.0))
BODY = ImageGrid(shape=(24, 24, 5), voxel_size=(4.0, 4.0, 4.0))


def scan(long: float, short: float, background: float = 0.0, **more) -> RawScan:
    """An ellipse of these diameters [mm] in a uniform background."""
    x, y, _ = np.meshgrid(*(FINE.axis(i) for i in range(3)), indexing="ij")
    image = (np.hypot(2 * x / long, 2 * y / short) < 1).astype(np.float32)
    trues = Projector(SMALL, FINE).forward(image)
    randoms = np.full_like(trues, background)
    return RawScan(
        scanner=SMALL, prompts=(trues + randoms)[None], randoms=randoms[None], **more
    )  # fmt: skip


@pytest.mark.parametrize(("long", "short"), [(90.0, 40.0), (50.0, 50.0)])
@pytest.mark.parametrize("background", [0.0, 30.0])
def test_how_wide_the_activity_is(long: float, short: float, background: float) -> None:
    found = activity_width(scan(long, short, background))
    assert abs(found - long) < 6.0 + SMALL.bin_width  # the profile is smoothed by 10 mm


def test_a_prior_in_suv_needs_dose_and_weight() -> None:
    """1 SUV is dose over weight; the level of a frame is what that gives in counts."""
    timed = {
        "frames": FrameTiming(np.array([0.0]), np.array([600.0])),
        "tracer": Tracer(radionuclide="F18", half_life=6584.04),
        "sensitivity": 2e-5,
    }
    folder = shipped_prior("body").bundle.path
    with pytest.raises(InputError, match="a prior in SUV for images without a unit"):
        choose_prior(scan(50.0, 50.0), BODY, folder)
    with pytest.raises(InputError, match=r"weight|BodyWeight"):
        choose_prior(scan(50.0, 50.0, **timed), BODY, folder, dose=3e8)
    found = choose_prior(scan(50.0, 50.0, **timed), BODY, folder, dose=3e8, weight=75.0)
    assert found.per_suv == pytest.approx(3e8 / 75e3)
    inputs = found.inputs(4, 0.01, 1)
    assert inputs.level == pytest.approx(0.01 * 3e8 / 75e3) and inputs.item == 4


def test_a_body_has_no_prior_of_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = scan(50.0, 50.0)
    assert "brain2d" in choose_prior(narrow, FINE).why
    monkeypatch.setattr("betaplus.reconstruction.score.choice._HEAD", 40.0)
    with pytest.raises(InputError, match=r"voxels of 2 mm; expected 3 to 5.4 mm"):
        choose_prior(narrow, FINE)
    coarse = dataclasses.replace(FINE, voxel_size=(3.5, 3.5, 2.0), shape=(30, 30, 9))
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"voxels of 3.5 mm; expected 1.5 to 2.7 mm"):
        choose_prior(narrow, coarse)


def test_the_first_prior_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for names, found in (
        (("nobody", "brain2d"), "brain2d"),
        (("brain2d-coarse", "brain2d"), "brain2d-coarse"),
    ):
        monkeypatch.setitem(PRIORS, "brain", names)
        assert shipped_prior("brain").bundle.config.name == found
    monkeypatch.setitem(PRIORS, "brain", ("nobody", "nothing"))
    with pytest.raises(UsageError, match="prior-nothing"):
        shipped_prior("brain")


def test_a_prior_of_slabs_is_for_grids_with_enough_slices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slab = dataclasses.replace(load_image_prior("brain2d-coarse"), slab=5)
    real = load_image_prior

    def load(name: str, *more: Any, **settings: Any) -> ImagePrior:
        return slab if name == "slab" else real(name, *more, **settings)

    monkeypatch.setattr("betaplus.reconstruction.score.choice.load_image_prior", load)
    monkeypatch.setitem(PRIORS, "brain", ("slab", "brain2d"))
    assert shipped_prior("brain", slices=5) is slab and shipped_prior("brain") is slab
    assert shipped_prior("brain", slices=4).bundle.config.name == "brain2d"
    coarse = dataclasses.replace(FINE, voxel_size=(8.0, 8.0, 2.0), shape=(30, 30, 4))
    with pytest.raises(InputError, match=r"a grid of 4 slices; expected 5 or more"):
        check_voxels(slab, coarse, ((2,),))
