"""Reports of every verb, made from small studies, and a Chromium that looks at them offline."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.cli import patlak_study, separate_study
from tests.cli.study import CHEAP, save_nifti, write_study
from tests.cli.test_denoise import FIELDS
from tests.cli.test_reconstruct import BASIC
from tests.cli.test_reconstruct import scan as raw_scan
from tests.denoising.cases import image, noisy
from tests.pipeline.bids.data_set import write_data_set

from betaplus.cli.main import run
from betaplus.io.derivatives import write_image
from betaplus.io.raw.store import write_raw

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = ("--quiet", "--workers", "1")


def call(*arguments: object) -> None:
    assert run([str(a) for a in arguments]) == 0


def kinetics(folder: Path) -> Path:
    write_study(folder, shape=(10, 9, 7), voxels=630)
    call(
        *("kinetics", folder / "sub-01_pet.nii.gz", "--blood", folder / "sub-01_blood.tsv"),
        *("--regions", folder / "labels.nii.gz", "-o", folder / "out", *CHEAP, *QUIET),
    )
    return folder / "out" / "sub-01_kinetics_report.html"


def curves(folder: Path) -> Path:
    write_study(folder, shape=(4, 4, 4), voxels=30)
    call(
        *("kinetics", folder / "sub-01_tacs.tsv", "--blood", folder / "sub-01_blood.tsv"),
        *("-o", folder / "out", *CHEAP, *QUIET),
    )
    return folder / "out" / "sub-01_kinetics_report.html"


def patlak(folder: Path) -> Path:
    patlak_study.write_study(folder)
    call(*patlak_study.arguments(folder, folder / "out", "--method", "kernel", *QUIET))
    return folder / "out" / "sub-01_patlak_report.html"


def denoise(folder: Path) -> Path:
    scan = image(noisy() * 4000, unit="Bq/mL", metadata=FIELDS, decay_corrected_to=0.0)
    write_image(folder / "sub-01_pet.nii.gz", scan)
    call(
        *("denoise", folder / "sub-01_pet.nii.gz", "-o", folder / "out", "--weight", 75),
        *("--method", "gaussian", *QUIET),
    )
    return folder / "out" / "sub-01_denoise_report.html"


def separate(folder: Path) -> Path:
    separate_study.write_study(folder)
    call(*separate_study.arguments(folder, folder / "out", "--method", "linear", *QUIET))
    return folder / "out" / "sub-01_separate_report.html"


def reconstruct(folder: Path) -> Path:
    write_raw(folder / "sub-01_raw.zarr", raw_scan())
    call(
        *("reconstruct", folder / "sub-01_raw.zarr", "-o", folder / "out", *BASIC),
        *("--method", "osem", "--iterations", 2, *QUIET),
    )
    return folder / "out" / "sub-01_reconstruct_report.html"


def evaluate(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    truth = rng.uniform(1.0, 2.0, (20, 18, 16)).astype(np.float32)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    save_nifti(folder / "truth.nii.gz", truth, affine)
    save_nifti(folder / "image.nii.gz", truth + rng.normal(0, 0.1, truth.shape), affine)
    call(
        "evaluate",
        folder / "truth.nii.gz",
        folder / "image.nii.gz",
        "-o",
        folder / "out",
        "--quiet",
    )
    return next((folder / "out").glob("*.html"))


def group(folder: Path) -> Path:
    data, out = write_data_set(folder / "raw"), folder / "out"
    regions = ("--regions", folder / "labels.nii.gz")
    save_nifti(folder / "labels.nii.gz", 1 + np.indices((8, 8, 8))[0].astype(np.uint8) // 4)
    call(
        "bids",
        data,
        out,
        "participant",
        "--verb",
        "kinetics",
        "--method",
        "logan",
        *regions,
        *QUIET,
    )
    call("bids", data, out, "group", "--verb", "kinetics", "--quiet")
    return next((folder / "out").glob("*group*report.html"))


MAKERS: dict[str, Callable[[Path], Path]] = {
    one.__name__: one
    for one in (kinetics, curves, patlak, denoise, separate, reconstruct, evaluate, group)
}


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the report of a verb; each is made once."""
    made: dict[str, Path] = {}

    def find(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            made[name] = MAKERS[name](folder)
        return made[name]

    return find


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium, of the system; its tests are skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = os.environ.get("BETAPLUS_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), ""
    )
    if not program:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    with sync_api.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., SimpleNamespace]]:
    """Open a page; requests for anything but the page itself are refused and kept."""
    opened = []

    def open_page(path: Path, width: int = 1280, scheme: str = "light") -> SimpleNamespace:
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        opened.append(page)
        seen = SimpleNamespace(page=page, said=[], asked=[])
        own = path.as_uri()

        def decide(route: Any) -> None:
            if route.request.url == own:
                route.continue_()
            else:
                seen.asked.append(route.request.url)
                route.abort()

        page.route("**/*", decide)
        page.on("console", lambda message: seen.said.append(message.text))
        page.on("pageerror", lambda error: seen.said.append(str(error)))
        page.goto(own)
        for kind in ("slices", "curves"):
            for one in page.query_selector_all(f'[data-widget="{kind}"]'):
                page.wait_for_function("node => node.dataset.ready", arg=one)
        return seen

    yield open_page
    for page in opened:
        page.close()
