"""Nouns in a notebook: facts, pictures, the viewer and xarray, imported when asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from betaplus.core import FrameTiming, PetImage, Posterior, TacTable, Tracer, UsageError
from betaplus.core.posterior import Marginal
from betaplus.denoising import DenoiseResult

FRAMES = FrameTiming.from_durations([10.0, 20.0, 30.0, 60.0])
AFFINE = np.array([[2.0, 0, 0, -9], [0, 3.0, 0, 5], [0, 0, 4.0, 0], [0, 0, 0, 1]])
SHAPE = (7, 6, 5)


def image(**fields: Any) -> PetImage:
    data = np.random.default_rng(0).uniform(1.0, 9.0, (*SHAPE, 4)).astype(np.float32)
    given = {"data": data, "affine": AFFINE, "unit": "kBq/mL", "frames": FRAMES,
             "tracer": Tracer.of("C11", name="PBR28"), "remarks": ("a <tag>",)}  # fmt: skip
    return PetImage(**{**given, **fields})


def marginal(shape: tuple[int, ...], draws: int = 0) -> Marginal:
    drawn = np.random.default_rng(1).normal(0.05, 0.01, (*shape, draws or 50))
    quantiles = {q: np.quantile(drawn, q, axis=-1) for q in (0.05, 0.5, 0.95)}
    return Marginal(drawn.mean(-1), drawn.std(-1), quantiles, drawn if draws else None)


def posterior(shape: tuple[int, ...], draws: int = 0, **fields: Any) -> Posterior:
    names = ("K1", "Ki")
    status = np.ones(shape, np.uint8)
    return Posterior(
        model="2TCM", method="exact", parameters={n: marginal(shape, draws) for n in names},
        diagnostics={"status": status}, remarks=("a remark",), **fields,
    )  # fmt: skip


CURVES = TacTable(values=np.outer([1, 2, 3], [1.0, 4, 3, 2]), frames=FRAMES, unit="Bq/mL",
                  names=("a", "b", "c"))  # fmt: skip
REGIONS = posterior((3,), regions=("a", "b", "c"))
MAPS = posterior(SHAPE, affine=AFFINE)


def test_facts_of_an_image_read_no_voxel() -> None:
    class Unread:
        shape, ndim, dtype = (*SHAPE, 4), 4, np.dtype(np.float32)

        def __getitem__(self, key: Any) -> np.ndarray:
            raise AssertionError("voxels were read")

    text = image(data=Unread())._repr_html_()
    for said in ("7 \u00d7 6 \u00d7 5 of 2 \u00d7 3 \u00d7 4 mm", "kBq/mL", "4 from 0 to 2 min",
                 "PBR28, C11, half-life 20.36 min", "not corrected", "a &lt;tag&gt;"):  # fmt: skip
        assert said in text, said


def test_facts_of_curves_and_posteriors() -> None:
    assert "3: a, b, c" in CURVES._repr_html_()
    text = REGIONS._repr_html_()
    assert "2TCM" in text and "3 ok" in text and "Ki [mL/cm\u00b3/min]" in text
    q = REGIONS["Ki"].quantiles
    assert f"{q[0.5][1]:.3g}"[:5] in text and ">b<" in text
    text = MAPS._repr_html_()
    assert f"{np.prod(SHAPE):,} curves" in text and "a remark" in text
    assert f"{np.median(MAPS['Ki'].median):.3g}"[:6] in text
    result = DenoiseResult(
        image=image(), std=None, noise=(), guard=(), settings={"method": "mmse"}, remarks=("r",)
    )
    assert "mmse" in result._repr_html_() and "PBR28" in result._repr_html_()


def test_a_parameter_knows_its_name_and_place() -> None:
    assert REGIONS["Ki"].name == "Ki" and REGIONS["Ki"].regions == ("a", "b", "c")
    assert MAPS["K1"].affine is AFFINE and REGIONS["K1"].mean is REGIONS.parameters["K1"].mean


def test_pictures(tmp_path: Path) -> None:
    lines = CURVES.plot("b")
    assert lines.kind == "svg" and "activity [Bq/mL]" in lines.data and ">a<" not in lines.data
    with pytest.raises(UsageError, match="no region 'z'; expected one of a, b, c"):
        CURVES.plot("z")
    bars = REGIONS["Ki"].plot()
    assert "Ki [mL/cm\u00b3/min], median and 5 to 95 %" in bars._repr_html_()
    single = posterior((1,), draws=400, regions=("a",))["K1"].plot()
    assert "draws" in str(single.caption)
    for slices in (MAPS["Ki"].plot(), image().plot(), image().plot(frame=2)):
        assert slices.kind == "png" and "<img" in slices._repr_html_()
    with pytest.raises(UsageError, match="frame 4; expected 0 to 3"):
        image().plot(frame=4)
    svg = bars.save(tmp_path / "bars.svg").read_text()
    assert svg.startswith("<svg xmlns=")
    assert image().plot().save(tmp_path / "slices.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(UsageError, match=r"expected a name in \.svg"):
        bars.save(tmp_path / "bars.pdf")


def test_the_mean_over_time_is_weighted_by_the_frames() -> None:
    from betaplus.report.notebook.plots import mean_of

    scan = image()
    volume, title = mean_of(scan, None)
    np.testing.assert_allclose(volume, np.average(scan.data, axis=3, weights=[10, 20, 30, 60]),
                               rtol=1e-6)  # fmt: skip
    assert title == "mean over time"


def test_the_viewer_is_a_page_of_its_own() -> None:
    text = image().view()._repr_html_()
    assert text.startswith("<iframe srcdoc=") and text.endswith("</iframe>")
    assert "allow-scripts" in text and "&quot;" in text and "<script" not in text


def test_xarray_of_images_and_curves() -> None:
    pytest.importorskip("xarray", reason="needs the notebook extra")
    scan = image()
    array = scan.to_xarray()
    assert array.dims == ("x", "y", "z", "time") and array.attrs["units"] == "kBq/mL"
    np.testing.assert_array_equal(array.x, AFFINE[0, 0] * np.arange(7) + AFFINE[0, 3])
    np.testing.assert_array_equal(array.time, [5, 20, 45, 90])
    nearest = array.sel(x=-4.8, y=8.1, z=12.0, method="nearest").sel(time=45)
    assert float(nearest) == scan.data[2, 1, 3, 2]
    turned = image(affine=AFFINE[[1, 0, 2, 3]]).to_xarray()
    np.testing.assert_array_equal(turned.x, np.arange(7))
    table = CURVES.to_xarray()
    assert float(table.sel(region="b", time=45)) == 6.0
    assert image(data=scan.data[..., 0], frames=None).to_xarray().dims == ("x", "y", "z")


def test_xarray_of_posteriors() -> None:
    pytest.importorskip("xarray", reason="needs the notebook extra")
    drawn = posterior((3,), draws=20, regions=("a", "b", "c"))
    found = drawn.to_xarray()
    q = drawn.parameters["Ki"].quantiles
    assert float(found.Ki.sel(region="b", statistic="q05")) == q[0.05][1]
    assert found.Ki.attrs["units"] == "mL/cm3/min" and found.attrs["model"] == "2TCM"
    assert found.K1_draws.dims == ("region", "draw") and found.status.dims == ("region",)
    maps = MAPS.to_xarray()
    assert maps.Ki.dims == ("x", "y", "z", "statistic") and maps.status.dims == ("x", "y", "z")
    assert (
        float(MAPS["Ki"].to_xarray().sel(x=-5.0, y=5.0, z=8.0, statistic="sd"))
        == (MAPS.parameters["Ki"].std[2, 0, 2])
    )


def test_without_xarray_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(UsageError, match=r"pip install 'betaplus\[notebook\]'"):
        image().to_xarray()


def test_nouns_import_no_pictures() -> None:
    code = "import sys, betaplus.core; print({'matplotlib', 'xarray', 'jinja2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
