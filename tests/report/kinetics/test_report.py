from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import betaplus
from betaplus.core.errors import UsageError
from betaplus.report.kinetics import kinetics_report

RUN = {"date": "2025-03-01 12:00", "command": "betaplus kinetics <in> -o out", "seed": 3}
HEADINGS = [
    "Summary",
    "Regions",
    "Input function",
    "Diagnostics",
    "Limits",
    "Citations",
    "Settings",
]


def headings(read) -> list[str]:
    return [t for where, t in read.texts if where[-1] == "h2" and "section" in where]


@pytest.fixture(scope="module")
def image_page(tmp_path_factory, synthetic, read_page):
    """The report of an image with regions, draws and blood."""
    image, posterior, maps = synthetic.image_posterior()
    image = replace(image, source=Path("sub-<1>_pet.nii.gz"), remarks=("TimeZero & co",))
    regions, region_posterior = synthetic.region_posterior(10, draws=200)
    blood = replace(synthetic.blood(), source=Path("sub-1_blood.tsv"))
    path = kinetics_report(
        tmp_path_factory.mktemp("report") / "r.html",
        title="sub <1>",
        posterior=posterior,
        data=image,
        maps=maps,
        regions=regions,
        region_posterior=region_posterior,
        input_curve=blood.curve(3000.0),
        input_function=blood,
        run=RUN,
        remarks=("the lead's <remark>", "TimeZero & co"),
    )
    return path, read_page(path.read_text(encoding="utf-8"))


def test_image_report_is_whole_and_small(image_page) -> None:
    path, read = image_page
    assert path.stat().st_size < 6e6
    assert headings(read) == ["Summary", "Maps", *HEADINGS[1:]]
    assert len(read.images) == 7 + 2  # maps, status, chi-square
    assert read.tags.count("svg") == 8 + 4 + 1 + 1  # curves, draws, input, histograms


def test_images_decode(image_page) -> None:
    from PIL import Image

    for source in image_page[1].images:
        image = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
        image.load()
        assert min(image.size) > 300
        assert len(np.unique(np.asarray(image.convert("L")))) > 3


def test_header_says_what_was_run(image_page) -> None:
    read = image_page[1]
    strip = read.text("header")
    for part in ("kinetics", "2TCM", "exact", "2025-03-01 12:00", betaplus.__version__):
        assert part in strip
    assert "sub-<1>_pet.nii.gz" in strip and "sub-1_blood.tsv" in strip


def test_summary_numbers_are_those_of_the_posterior(image_page, synthetic) -> None:
    read = image_page[1]
    _, posterior, _ = synthetic.image_posterior()
    found = posterior.diagnostics
    mask = found["status"] > 0
    facts = [t for where, t in read.texts if where[-1] == "dd" and "section" in where][:4]
    assert facts[0] == f"{mask.sum():,}"
    assert facts[1] == f"{100 * (found['status'] == 4).sum() / mask.sum():.3g} %"
    assert float(facts[2]) == pytest.approx(np.median(found["ess"][mask]), rel=5e-3)
    assert float(facts[3]) == pytest.approx(np.median(found["chi2"][mask]), rel=5e-3)
    assert f"{mask.sum():,} voxels" in read.text("header")
    assert "35 frames from 0 to 50 min" in read.text("main")


def test_remarks_are_gathered_once(image_page) -> None:
    listed = [t for where, t in image_page[1].texts if "aside" in where and where[-1] == "li"]
    assert listed.count("TimeZero & co") == 1
    assert "the lead's <remark>" in listed
    assert "FrameDuration of frame 3 is <odd>" in listed  # of the posterior
    assert "parent fraction 1 at injection" in listed  # of the input curve
    warnings = [t for t in listed if "isfit" in t]
    assert any("voxels" in t for t in warnings)
    assert "Misfit: thalamus and region 8." in warnings


def test_settings_and_limits_are_there(image_page) -> None:
    read = image_page[1]
    assert "betaplus kinetics <in> -o out" in read.text("details")
    assert "Maps are marginal" in read.text()


def test_curves_alone(tmp_path: Path, synthetic, read_page) -> None:
    table, posterior = synthetic.region_posterior(3)
    table = replace(table, names=None)
    path = kinetics_report(
        tmp_path / "c.html",
        title="curves",
        posterior=posterior,
        data=table,
        input_curve=synthetic.blood().curve(3000.0),
    )
    read = read_page(path.read_text(encoding="utf-8"))
    assert headings(read) == [h if h != "Regions" else "Curves" for h in HEADINGS]
    assert "Maps are marginal" not in read.text()
    assert read.images == []
    assert "curve 3" in read.text("table") and "3 curves" in read.text("header")
    assert "draws" not in read.text("figcaption")


def test_the_worst_fits_are_drawn(tmp_path: Path, synthetic, read_page) -> None:
    table, posterior = synthetic.region_posterior(20)
    chi2 = np.ones(20)
    chi2[[11, 17]] = 9.0, np.inf
    chi2[13] = np.nan
    posterior = replace(posterior, diagnostics={**posterior.diagnostics, "chi2": chi2})
    path = tmp_path / "r.html"
    given = {"title": "t", "posterior": posterior, "data": table}
    drawn = read_page(kinetics_report(path, **given).read_text()).text("figcaption")
    assert "region 12" in drawn and "region 18" in drawn and "region 14" not in drawn
    chosen = kinetics_report(path, **given, chosen=("region 9", "thalamus")).read_text()
    assert read_page(chosen).text("figcaption").startswith("region 9")
    path.unlink()
    with pytest.raises(UsageError, match="'liver' is not in the table"):
        kinetics_report(path, **given, chosen=("liver",))
    assert not path.exists()


def test_values_that_are_no_numbers_are_reported(tmp_path: Path, synthetic, read_page) -> None:
    image, posterior, maps = synthetic.image_posterior()
    maps = {
        "K1": (np.full(image.shape[:3], np.nan), np.full(image.shape[:3], np.nan)),
        "Ki": (np.ones(image.shape[:3]), np.zeros(image.shape[:3]), np.ones(image.shape[:3])),
    }
    bad = replace(posterior["K1"], mean=maps["K1"][0])
    posterior = replace(posterior, parameters={**posterior.parameters, "K1": bad})
    path = kinetics_report(
        tmp_path / "r.html", title="t", posterior=posterior, data=image, maps=maps
    )
    read = read_page(path.read_text(encoding="utf-8"))
    assert "K1: some means are not finite where voxels were analysed." in read.text("aside")
    assert "Regions" not in headings(read)


def test_nothing_analysed_is_said(tmp_path: Path, synthetic, read_page) -> None:
    table, posterior = synthetic.region_posterior(2)
    nothing = np.zeros(2)
    posterior = replace(
        posterior, diagnostics={"status": nothing, "ess": nothing, "chi2": nothing}, prediction={}
    )
    path = kinetics_report(tmp_path / "r.html", title="t", posterior=posterior, data=table)
    read = read_page(path.read_text(encoding="utf-8"))
    assert "No curves were analysed." in read.text("aside")


def test_few_effective_samples_are_a_warning(tmp_path: Path, synthetic, read_page) -> None:
    table, posterior = synthetic.region_posterior(20)
    ess = np.full(20, 500.0)
    ess[:3] = 20
    posterior = replace(posterior, diagnostics={"ess": ess})
    path = kinetics_report(
        tmp_path / "r.html", title="t", posterior=posterior, data=table, chosen=()
    )
    text = read_page(path.read_text()).text("aside")
    assert "3 of 20 posteriors rest on fewer than 100 effective samples." in text


def test_a_chi_square_that_says_nothing_is_not_drawn(tmp_path, synthetic, read_page) -> None:
    """With the noise level fitted it is 1 in every voxel."""
    image, posterior, maps = synthetic.image_posterior()
    noise = np.random.default_rng(0).normal(0, 1e-4, posterior.diagnostics["chi2"].shape)
    found = {**posterior.diagnostics, "chi2": 1.0 + noise}
    path = kinetics_report(
        tmp_path / "r.html", title="s", posterior=replace(posterior, diagnostics=found),
        data=image, maps=maps, run=RUN,
    )  # fmt: skip
    read = read_page(path.read_text(encoding="utf-8"))
    assert len(read.images) == 7 + 1  # maps, status
    assert "so that chi-square is 1 everywhere" in path.read_text(encoding="utf-8")
