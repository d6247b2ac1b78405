"""The image quality phantom's part: what a method that does nothing, or blurs, is said to do."""

import json

import numpy as np
import pytest

from betaplus.denoising.nlm import NlmSettings
from betaplus.pipeline.benchmark.denoise import methods, nema
from betaplus.pipeline.benchmark.denoise.baselines import Baselines


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """With a network that gives the image back, and a filter of 8 mm."""
    out = tmp_path_factory.mktemp("nema")
    filters = Baselines(fwhm=8.0, nlm=NlmSettings(strength=1.0), gains={})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "apply_mmse", lambda denoiser, volume, threads: volume.data)
        patch.setattr(nema.Scans, "tune", lambda self, group, doses: dict.fromkeys(doses, filters))
        patch.setattr(nema, "_DOSES", (1 / 20,))
        result = nema.benchmark_nema(out, draws=2)
    return out, result


def test_methods_do_what_they_do(found):
    rows = {row["method"]: row for row in found[1]["rows"]}
    assert rows["mmse"]["recovery"] == rows["noisy"]["recovery"]
    for n in range(6):
        assert rows["gaussian"]["variability"][n] < rows["noisy"]["variability"][n]
        assert rows["gaussian"]["recovery"][n] < rows["without noise"]["recovery"][n]
        assert rows["without noise"]["variability"][n] < 0.2
    assert rows["without noise"]["recovery"] == sorted(
        rows["without noise"]["recovery"], reverse=True
    )
    # Six spheres from 37 to 10 mm: noise of the means of circles rises as they shrink.
    noise = rows["noisy"]["variability"]
    assert noise == sorted(noise)


def test_files_are_written(found):
    out, result = found
    stored = json.loads((out / "benchmark_denoise_nema.json").read_text())
    assert stored == result
    text = (out / "benchmark_denoise_nema.md").read_text()
    assert text.count("| 1/20 |") == 4 and "| 37 mm |" in text
    with np.load(out / "benchmark_denoise_nema.npz") as images:
        plane = images["without noise"]
        assert plane.max() > 3.0 * np.median(plane[plane > 0.5])  # the spheres' slice
