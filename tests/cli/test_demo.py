"""The demo ends with maps, a picture and a report, and its posteriors meet the truth."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from tests.cli.conftest import RunCli


@pytest.mark.slow
def test_quick_demo(tmp_path: Path, run_cli: RunCli) -> None:
    out = tmp_path / "demo"
    code, text, err = run_cli("demo", "-o", out, "--quick")
    assert code == 0, err
    assert str(out / "report.html") in text
    with Image.open(out / "demo.png") as picture:
        assert min(picture.size) > 400
    page = (out / "report.html").read_text()
    for section in (
        "Maps",
        "Against the truth",
        "Methods side by side",
        "C-11 curves",
        "DICOM in, DICOM out",
        "A data set of two people",
        "Timings",
        "Limits",
    ):
        assert f">{section}<" in page
    links = re.findall(r'href="((?:kinetics|curves|methods|dicom|bids)/[^"]+)"', page)
    assert len(links) == 6 and all((out / link).is_file() for link in links)
    assert len(list((out / "kinetics").glob("*_mimap.nii.gz"))) == 43
    for method in ("exact", "nlls"):
        assert (out / "curves" / method / "sub-01_model-2TCM_kinpar.tsv").is_file()
    for method in ("exact", "consistency", "flow"):
        assert (out / "methods" / method / "sub-01_model-2TCM_kinpar.tsv").is_file()
    run = json.loads((out / "demo_run.json").read_text())
    assert run["quick"] is True and run["command"].endswith("--quick")
    # The intervals hold the truth about as often as they say, for well-determined parameters.
    shares = dict(re.findall(r"(K1|Ki|VB) (\d+) %", text))
    assert len(shares) == 3 and all(80 <= int(share) <= 98 for share in shares.values())

    code, _, err = run_cli("demo", "-o", out)
    assert code == 2 and "exists already" in err
