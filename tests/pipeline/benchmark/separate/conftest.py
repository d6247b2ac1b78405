"""A small scan of two tracers, shared by the tests."""

import pytest

from betaplus.pipeline.benchmark.separate.cases import Scene, Subject, draw_subject


@pytest.fixture(scope="session")
def scene():
    """The standard scene."""
    return Scene()


@pytest.fixture(scope="session")
def simulated(scene):
    """A box of a person that settings are chosen on."""
    return draw_subject(scene, Subject(number=0, tuning=True), (16, 16, 12))
