"""Checks that all verbs share."""

from __future__ import annotations

from pathlib import Path

import pytest

from betaplus.core.errors import OutputError, UsageError
from betaplus.pipeline.denoise import DenoiseRequest
from betaplus.pipeline.evaluate import EvaluateRequest, run_evaluate
from betaplus.pipeline.kinetics import KineticsRequest
from betaplus.pipeline.patlak import PatlakRequest
from betaplus.pipeline.reconstruct import ReconstructRequest
from betaplus.pipeline.run_request import RunRequest, check_cpu, check_out, check_run
from betaplus.pipeline.separation import SeparateRequest

REQUESTS = (
    DenoiseRequest,
    KineticsRequest,
    PatlakRequest,
    ReconstructRequest,
    SeparateRequest,
)


@pytest.mark.parametrize("request_of", REQUESTS)
def test_options_of_a_run_are_the_same_everywhere(request_of: type[RunRequest]) -> None:
    asked = request_of(source=Path("a.nii.gz"), out=Path("out"), resume=True, overwrite=True)
    assert (asked.seed, asked.workers, asked.device, asked.settings) == (0, None, "auto", ())
    with pytest.raises(UsageError, match="--resume and --overwrite are both given"):
        check_run(asked)
    with pytest.raises(TypeError):
        request_of(source=Path("a.nii.gz"), out=Path("out"), sede=1)


def test_folders_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file; expected a folder"):
        check_out(tmp_path / "file")
    check_out(tmp_path / "new")
    (tmp_path / "dataset_description.json").write_text("not JSON")
    with pytest.raises(OutputError, match="choose another -o"):
        check_out(tmp_path)
    request = EvaluateRequest(reference=Path("a.nii"), images=(Path("b.nii"),), out=tmp_path)
    with pytest.raises(OutputError, match="choose another -o"):
        run_evaluate(request)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("cuda", "--device is cuda; it runs on the CPU; give --device auto or cpu"),
        ("cuda:1", "--device is cuda:1"),
        ("gpu", "--device is 'gpu'; expected auto or cpu"),
    ],
)
def test_devices_other_than_the_cpu(device: str, words: str) -> None:
    check_cpu("auto", "")
    check_cpu("cpu", "")
    with pytest.raises(UsageError, match=words):
        check_cpu(device, "it runs on the CPU")
