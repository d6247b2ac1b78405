"""The run record: versions as installed, stages that add up."""

from __future__ import annotations

import json
import time

import numpy

import betaplus
from betaplus.pipeline.run_record import Stopwatch, run_record, versions


def test_versions_are_those_installed() -> None:
    found = versions(("numpy", "no-such-package"))
    assert found == {
        "betaplus": betaplus.__version__,
        "numpy": numpy.__version__,
        "no-such-package": "not installed",
    }


def test_stages_add_up_and_fit_in_the_total() -> None:
    watch = Stopwatch()
    for _ in range(2):
        with watch.stage("sleep"):
            time.sleep(0.03)
    assert 0.06 <= watch.seconds["sleep"] <= watch.total + 2e-3


def test_record_is_json() -> None:
    record = json.loads(json.dumps(run_record("kinetics", "betaplus kinetics x", 3, Stopwatch())))
    assert record["seed"] == 3 and record["command"] == "betaplus kinetics x"
    assert record["peak_memory_bytes"]["process"] > 0
