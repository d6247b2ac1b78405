"""Which prior a scan gets, and what is said of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.core.tracer import Tracer
from betaplus.patlak.prior_choice import choose_prior, prior_configs
from betaplus.patlak.study import make_study

from .scans import blood, scan

SHAPE = (40, 12, 12)


def study(length: float, edge: float = 8.0, name: str = "FDG", **metadata):
    """A scan that has activity over a length along x [mm], and little beyond."""
    Ki = np.full(SHAPE, 1e-4)
    Ki[: round(length / edge)] = 0.02
    image = scan(np.stack([Ki, 10 * Ki]), tracer=Tracer.of("F18", name=name), metadata=metadata)
    image = dataclasses.replace(image, affine=np.diag([edge, edge, edge, 1.0]))
    return make_study(image, blood(), t_star=1200)


@pytest.mark.parametrize(
    ("length", "edge", "name"),
    [
        (80, 2.0, "brain2d"),
        (104, 2.7, "brain2d"),
        (232, 8.0, "body3d"),
        (288, 8.0, "body3d"),
        (320, 8.0, "body3d"),
    ],
)
def test_by_the_extent_of_the_activity(length, edge, name):
    found = choose_prior(study(length, edge))
    assert found.prior.bundle.config.name == name
    assert found.remarks[0] == found.why and "26 cm" in found.why
    assert ("too coarse for the prior of brains" in found.why) == (length == 232)
    assert found.record["sha256"] == found.prior.bundle.checksum


def test_as_said():
    scanned = study(320)
    found = choose_prior(scanned, anatomy="brain")
    assert found.prior.bundle.config.name == "brain2d" and found.why.endswith("as said")
    given = choose_prior(scanned, found.prior.bundle.path)
    assert "as given" in given.why and given.prior.bundle.checksum == found.prior.bundle.checksum
    with pytest.raises(UsageError, match="anatomy 'arm'"):
        choose_prior(scanned, anatomy="arm")


def test_the_sidecar_says_otherwise():
    found = choose_prior(study(320, BodyPart="BRAIN"))
    assert any("give --anatomy brain" in text for text in found.remarks)
    assert not any("--anatomy" in text for text in choose_prior(study(320)).remarks)


def test_what_it_was_not_trained_on():
    found = choose_prior(study(288, edge=4.0, name="[18F]FDG"), anatomy="body")
    assert not any("outside" in text for text in found.remarks)
    found = choose_prior(study(320, name="FES"))
    said = [text for text in found.remarks if text.startswith("outside")]
    assert any("tracer is FES" in text for text in said)
    assert any("voxel size [mm] is 8" in text and "at 4 mm" in text for text in said)


def test_the_level_of_a_head_does_not_matter():
    found = choose_prior(study(80, edge=2.0))
    assert any("of images over their own level" in text for text in found.remarks)


def test_checksums_are_those_that_are_loaded():
    both = [config.sha256 for config in prior_configs(None, "auto")]
    one = choose_prior(study(320)).prior.bundle
    assert len(both) == 2 and both[0] == one.checksum
    assert [config.sha256 for config in prior_configs(one.path, "auto")] == [one.checksum]
