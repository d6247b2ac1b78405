"""Blood without plasma, or with metabolites in it, is refused unless it is meant."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.core.input_function import InputFunction
from betaplus.core.plasma import check_plasma
from betaplus.core.tracer import Tracer

TIME, VALUES = np.array([0.0, 30, 60, 600]), np.array([0.0, 10, 5, 1])
PLASMA = InputFunction(time=TIME, plasma=VALUES)
WHOLE = InputFunction(time=TIME, whole_blood=VALUES)


@pytest.mark.parametrize(
    ("blood", "tracer"),
    [
        (PLASMA, Tracer.of("F18", name="[18F]FDG")),
        (PLASMA, Tracer.of("O15")),
        (dataclasses.replace(PLASMA, plasma_kind="parent"), Tracer.of("C11", name="PBR28")),
        (dataclasses.replace(PLASMA, parent_fraction=VALUES / 10), Tracer.of("C11", name="PBR28")),
        (dataclasses.replace(WHOLE, plasma_kind="whole-blood"), Tracer.of("C11", name="PBR28")),
    ],
)
def test_what_can_be_used(blood, tracer):
    check_plasma(blood, tracer)


def test_what_cannot():
    with pytest.raises(InputError, match=r"total plasma and no parent fraction.*PBR28"):
        check_plasma(PLASMA, Tracer.of("C11", name="PBR28"))
    with pytest.raises(InputError, match="whole blood but no plasma"):
        check_plasma(WHOLE, Tracer.of("F18", name="FDG"))
