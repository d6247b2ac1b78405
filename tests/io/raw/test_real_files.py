"""The real mMR files: list mode, normalisation, Interfile headers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.io.raw.cases import MMR, brute_planes

from betaplus.core.errors import InputError
from betaplus.io.raw.histogram import histogram
from betaplus.io.raw.interfile_image import read_interfile_image
from betaplus.io.raw.interfile_projections import read_interfile_projections
from betaplus.io.raw.listmode import ListMode
from betaplus.io.raw.listmode_open import open_listmode
from betaplus.io.raw.norm import read_norm
from betaplus.io.raw.norm_file import read_norm_file


@pytest.fixture(scope="module")
def folder(reference_data: Path) -> Path:
    found = reference_data / "raw_mmr"
    if not found.is_dir():
        pytest.skip("no raw_mmr in the reference data")
    return found


@pytest.fixture(scope="module")
def scan(folder: Path) -> ListMode:
    return open_listmode(folder / "small_listmode_file.l")


@pytest.fixture(scope="module")
def efficiency(folder: Path) -> np.ndarray:
    return read_norm(folder / "norm.n.hdr", MMR)


def test_the_michelogram_of_the_mmr():
    michelogram = MMR.michelogram
    sizes = [127, 115, 115, 93, 93, 71, 71, 49, 49, 27, 27]
    assert [s.planes for s in michelogram.segments] == sizes
    assert michelogram.planes == 837 and len(michelogram.pairs) == 4084
    assert set(michelogram.multiplicity.tolist()) == {1, 2, 3, 4, 5, 6}
    by_number = {s.number: s.first for s in michelogram.segments}
    for (a, b), (segment, axial) in brute_planes(64, 11, 60).items():
        assert michelogram.plane_of_pair[a, b] == by_number[segment] + axial


def test_list_mode(scan):
    assert scan.scanner == MMR and scan.words == 254816
    assert (scan.first, scan.last) == (0, 612) and scan.end == pytest.approx(0.613)
    assert scan.tracer is not None and scan.tracer.radionuclide == "F18"
    assert scan.injection == -3215.0
    assert any("254816 words" in r and "331257106" in r for r in scan.remarks)
    assert any("0.613 s" in r and "900 s" in r for r in scan.remarks)
    events = scan.events()
    assert int(events.prompt.sum()) == 218881 and int((~events.prompt).sum()) == 35320
    assert not events.on_gap.any()
    prompts, delayeds = histogram(scan)
    assert prompts.sum() == 218881 and delayeds.sum() == 35320
    assert not prompts[~MMR.live].any()


def test_single_crystals_count_as_the_norm_says(scan, folder):
    """Signs: the crystal with the higher efficiency counts more, only if rings are not swapped."""
    events = scan.events()
    stored = read_norm_file(folder / "norm.n.hdr", MMR).crystals
    rings, detectors = events.rings[events.prompt], events.detectors[events.prompt]

    def sigmas(swapped: bool, shift: int) -> float:
        ends = detectors[:, ::-1] if swapped else detectors
        counts = np.zeros((64, 504))
        np.add.at(counts, (rings, ends), 1.0)
        a, b = _deviations(counts), _deviations(np.roll(stored, shift, axis=1))
        return float(np.corrcoef(a.ravel(), b.ravel())[0, 1] * np.sqrt(a.size))

    assert sigmas(False, 1) > 4.0
    assert max(sigmas(True, s) for s in range(-2, 4)) < sigmas(False, 1)
    assert max(sigmas(False, s) for s in (-2, -1, 0, 2, 3)) < sigmas(False, 1)


def _deviations(crystals: np.ndarray) -> np.ndarray:
    """Return how single crystals differ from those around them and from their place in blocks."""
    from scipy.ndimage import gaussian_filter

    live = crystals[:, np.arange(504) % 9 != 0].reshape(8, 8, 56, 8)
    flat = (live / live.mean((0, 2), keepdims=True)).reshape(64, 448)
    return flat / gaussian_filter(flat, (3, 12), mode=("nearest", "wrap")) - 1.0


def test_oblique_prompts_agree_with_the_direct_ones(scan):
    """Sign: where oblique lines cross the axis and lean must fit the image of direct planes."""
    events = scan.events()
    rings, detectors = events.rings[events.prompt], events.detectors[events.prompt]
    xy, z = MMR.detector_xy[detectors], MMR.ring_z[rings]
    lean = rings[:, 1] - rings[:, 0]
    direct, oblique = np.abs(lean) <= 3, np.abs(lean) >= 30
    edge, n = 8.0, 40
    along = np.linspace(0.3, 0.7, 41)[:, None]

    def voxels(chosen: np.ndarray, heights: np.ndarray) -> np.ndarray:
        ends = xy[chosen]
        x, y = (ends[:, 0, i] + (ends[:, 1, i] - ends[:, 0, i]) * along for i in (0, 1))
        up = heights[chosen][:, 0] + (heights[chosen][:, 1] - heights[chosen][:, 0]) * along
        index = [np.clip(np.rint(c / edge + n / 2).astype(int), 0, n - 1) for c in (x, y, up)]
        return np.ravel_multi_index(tuple(index), (n, n, n))

    ours = voxels(direct, z)
    image = np.ones(n**3)
    for _ in range(3):
        share = image[ours] / image[ours].sum(0)
        image = np.bincount(ours.ravel(), share.ravel(), n**3)
    image += 0.3 * image.mean()
    as_read = np.log(image[voxels(oblique, z)].sum(0))
    swapped = np.log(image[voxels(oblique, z[:, ::-1])].sum(0))
    gain = as_read - swapped
    assert gain.sum() / (gain.std() * np.sqrt(gain.size)) > 5.0


def test_normalisation(efficiency):
    assert efficiency.shape == MMR.shape and efficiency.dtype == np.float32
    assert np.array_equal(efficiency.any(-1), MMR.live)
    planes = efficiency[MMR.live].mean(0)
    assert np.corrcoef(planes, MMR.michelogram.multiplicity)[0, 1] > 0.95
    assert (planes / MMR.michelogram.multiplicity).min() > 0.5


def test_prompts_follow_the_normalisation(scan, folder):
    """Corrections or sensitivities: interference goes with the prompts, axial effects against."""
    norm = read_norm_file(folder / "norm.n.hdr", MMR)
    events = scan.events()
    prompt = events.prompt
    counts = np.zeros((344, 9))
    np.add.at(counts, (events.radial[prompt], events.view[prompt] % 9), 1.0)
    lines = np.zeros((344, 9))
    view, radial = np.nonzero(MMR.live)
    np.add.at(lines, (radial, view % 9), 1.0)
    rate = np.where(lines > 0, counts / np.maximum(lines, 1), np.nan)[60:284]
    known = np.where(lines > 0, norm.interference, np.nan)[60:284]
    a = (rate / np.nanmean(rate, 1, keepdims=True) - 1.0).ravel()
    b = (known / np.nanmean(known, 1, keepdims=True) - 1.0).ravel()
    good = np.isfinite(a) & np.isfinite(b)
    assert 0.6 < np.polyfit(b[good], a[good], 1)[0] < 1.4

    michelogram = MMR.michelogram
    planes = np.bincount(events.bins[prompt] % 837, minlength=837) / michelogram.multiplicity
    slopes = []
    for segment in michelogram.segments:
        part, axial = planes[segment.slice], norm.axial[segment.slice]  # of either sign: alike
        place = np.linspace(-1, 1, part.size)
        smooth = [np.polyval(np.polyfit(place, values, 6), place) for values in (part, axial)]
        slopes.append(np.sum((part / smooth[0] - 1) * (axial / smooth[1] - 1)))
    assert np.sum(slopes) < 0.0


def test_interfile_headers(folder, tmp_path):
    header = (folder / "mMR_template_span11.hs").read_text()
    (tmp_path / "a.hs").write_text(header.replace("mMR_template_span11.s", "a.s"))
    size = 4 * int(np.prod(MMR.shape))
    with (tmp_path / "a.s").open("wb") as file:
        file.truncate(size)
        file.seek(4 * (252 * 344 * 27))  # the first number of the second segment
        file.write(np.float32(5.0).tobytes())
    found = read_interfile_projections(tmp_path / "a.hs")
    assert found.scanner == MMR
    (place,) = np.argwhere(found.data)
    segment = next(s for s in MMR.michelogram.segments if (s.lowest, s.highest) == (-49, -39))
    assert tuple(place) == (0, 0, segment.first)
    with (tmp_path / "a.s").open("r+b") as file:
        file.truncate(size - 4)
    with pytest.raises(InputError, match=r"a\.s holds \d+ bytes; expected \d+ as a\.hs says"):
        read_interfile_projections(tmp_path / "a.hs")


def test_mu_map(folder):
    found = read_interfile_image(folder / "mu_map.hv", MMR)
    assert found.data.shape == (57, 57, 127)
    assert np.allclose(found.grid.centre, 0.0, atol=1e-9)
    assert 0.09 < np.median(found.data[found.data > 0.05]) < 0.11  # water [1/cm]
    assert read_interfile_image(folder / "mu_map.hv").grid.centre == (0.0, 0.0, 0.0)
