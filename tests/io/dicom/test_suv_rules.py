"""SUV of DICOM series against hand formulas, for the conventions of three vendors."""

from datetime import timedelta

import numpy as np
import pytest
from tests.io.dicom.cases import (
    DOSE,
    F18,
    HEIGHT,
    INJECTED,
    SCANNED,
    WEIGHT,
    decay_factor,
    dose_of,
    simple,
    stored_numbers,
    tm,
    write_series,
)

from betaplus.core.errors import InputError, UsageError
from betaplus.io.describe import describe
from betaplus.io.open import load
from betaplus.io.suv import from_suv, suv_conversion, to_suv

PHILIPS = "Philips PET Private Group"
AN_HOUR = 2 ** (-3600 / F18)


def suv_of(folder, **options):
    scan = load(folder)
    return np.asarray(to_suv(scan, suv_conversion(scan, **options)).data)


def test_siemens_start(tmp_path):
    folder, values = simple(tmp_path / "s")
    np.testing.assert_allclose(suv_of(folder), values * WEIGHT * 1000 / (DOSE * AN_HOUR), rtol=1e-6)


def test_start_of_the_series_counts_and_not_that_of_a_bed(tmp_path):
    beds = np.array([[30.0], [30.0], [330.0], [330.0], [630.0], [630.0]])
    folder, values = simple(tmp_path / "s", starts=beds)
    np.testing.assert_allclose(suv_of(folder), values * WEIGHT * 1000 / (DOSE * AN_HOUR), rtol=1e-6)


def test_admin(tmp_path):
    folder, values = simple(tmp_path / "s", decay="ADMIN", starts=3600.0, scanned=INJECTED)
    np.testing.assert_allclose(suv_of(folder), values * WEIGHT * 1000 / DOSE, rtol=1e-6)
    assert load(folder).decay_corrected_to == load(folder).injection == -3600.0


def test_none(tmp_path):
    """Without decay correction the frames are brought to injection."""
    stored, slopes = stored_numbers((3, 3, 2, 2))
    write_series(tmp_path / "s", stored, slopes, decay="NONE", starts=[0.0, 900.0], durations=900.0)
    scan = load(tmp_path / "s")
    assert scan.decay_corrected_to is None
    factors = np.array([decay_factor(3600.0, 900.0), decay_factor(4500.0, 900.0)])
    conversion = suv_conversion(scan)
    suv = to_suv(scan, conversion)
    expected = stored * slopes * factors * WEIGHT * 1000 / DOSE
    np.testing.assert_allclose(np.asarray(suv.data), expected, rtol=1e-6)
    assert suv.decay_corrected_to == scan.injection
    back = from_suv(suv.data, scan, conversion)
    np.testing.assert_allclose(np.asarray(back.data), stored * slopes, rtol=1e-6)
    assert back.decay_corrected_to is None


def test_ge_series_processed_again(tmp_path):
    """SeriesTime is that of the processing: the private scan time counts."""

    def edit(data, z, t):
        data.Manufacturer = "GE MEDICAL SYSTEMS"
        block = data.private_block(0x0009, "GEMS_PETD_01", create=True)
        block.add_new(0x0D, "DT", "20240305110000.00")

    folder, values = simple(tmp_path / "s", edit, series_time=SCANNED + timedelta(hours=2))
    np.testing.assert_allclose(suv_of(folder), values * WEIGHT * 1000 / (DOSE * AN_HOUR), rtol=1e-6)
    assert any("GE's scan time" in text for text in load(folder).remarks)


def test_series_processed_again_by_reference_time(tmp_path):
    """Siemens: the reference time leads back to the start of the scan."""
    rate = np.log(2) / F18
    beds = np.array([[60.0], [60.0], [360.0], [360.0], [660.0], [660.0]])

    def edit(data, z, t):
        mean = np.log(rate * 180 / (1 - np.exp(-rate * 180))) / rate
        data.FrameReferenceTime = f"{1e3 * (beds[z, 0] + mean):.3f}"

    folder, values = simple(
        tmp_path / "s", edit, starts=beds, series_time=SCANNED + timedelta(hours=2)
    )
    np.testing.assert_allclose(suv_of(folder), values * WEIGHT * 1000 / (DOSE * AN_HOUR), rtol=1e-6)


def test_reference_times_from_elsewhere_leave_a_doubt(tmp_path):
    folder, _ = simple(
        tmp_path / "s", lambda data, z, t: setattr(data, "FrameReferenceTime", 90e3 + 1.8e6)
    )
    remarks = load(folder).remarks
    assert len(remarks) == 1
    assert "start of the scan at 10:29:59 but SeriesTime (0008,0031) is 11:00:00" in remarks[0]


def philips(to_suv=None, to_activity=None, creator=PHILIPS):
    def edit(data, z, t):
        data.Units, data.Manufacturer = "CNTS", "Philips Medical Systems"
        block = data.private_block(0x7053, creator, create=True)
        for element, value in ((0x00, to_suv), (0x09, to_activity)):
            if value is not None:
                block.add_new(element, "DS", f"{value:.8g}")

    return edit


def test_philips_suv_factor(tmp_path):
    folder, values = simple(tmp_path / "s", philips(to_suv=0.000123))
    scan = load(folder)
    assert (scan.unit, scan.metadata["SUVType"]) == ("SUV", "SUVbw")
    np.testing.assert_allclose(suv_of(folder), values * 0.000123, rtol=1e-6)


def test_philips_activity_factor(tmp_path):
    folder, values = simple(tmp_path / "s", philips(to_suv=0.0, to_activity=1.75))
    assert load(folder).unit == "Bq/mL"
    np.testing.assert_allclose(np.asarray(load(folder).data), values * 1.75, rtol=1e-6)
    np.testing.assert_allclose(
        suv_of(folder), values * 1.75 * WEIGHT * 1000 / (DOSE * AN_HOUR), rtol=1e-6
    )


def test_philips_both_factors(tmp_path):
    right = 1.02 * 1.75 * WEIGHT * 1000 / (DOSE * AN_HOUR)  # 2 %: a residual in the syringe
    folder, values = simple(tmp_path / "s", philips(right, 1.75))
    np.testing.assert_allclose(suv_of(folder), values * right, rtol=1e-6)
    wrong, _ = simple(tmp_path / "w", philips(2 * right, 1.75))
    with pytest.raises(InputError, match=r"SUV factor \(7053,1000\).*dose, weight and times"):
        suv_of(wrong)


@pytest.mark.parametrize("edit", [philips(), philips(0.0, 0.0), philips(1.0, 1.0, "OTHER GROUP")])
def test_counts_without_a_factor(tmp_path, edit):
    folder, _ = simple(tmp_path / "s", edit)
    with pytest.raises(InputError, match=r"Units \(0054,1001\) is CNTS in s and Philips"):
        load(folder)


def test_a_scanner_s_suv(tmp_path):
    def edit(data, z, t):
        data.Units, data.PatientWeight = "GML", None

    folder, values = simple(tmp_path / "s", edit)
    np.testing.assert_allclose(suv_of(folder), values, rtol=1e-6)
    assert any("GML is SUVbw by default" in text for text in load(folder).remarks)
    with pytest.raises(InputError, match=r"PatientWeight \(0010,1030\) is missing in s: no SUV"):
        suv_of(folder, kind="SUL")


def test_a_scanner_s_lean_suv_becomes_suvbw(tmp_path):
    def edit(data, z, t):
        data.Units, data.SUVType = "GML", "LBMJANMA"

    folder, values = simple(tmp_path / "s", edit)
    lean = 9270 * WEIGHT / (8780 + 244 * WEIGHT / HEIGHT**2)
    np.testing.assert_allclose(suv_of(folder), values * WEIGHT / lean, rtol=1e-6)
    np.testing.assert_allclose(suv_of(folder, kind="SUL"), values, rtol=1e-6)


def test_midnight(tmp_path):
    """Injected at 23:40, scanned at 00:40; no date of injection."""
    scanned = SCANNED.replace(hour=0, minute=40)
    folder, values = simple(
        tmp_path / "s",
        lambda data, z, t: setattr(dose_of(data), "RadiopharmaceuticalStartTime", "234000"),
        series_time=scanned,
        scanned=scanned,
    )
    np.testing.assert_allclose(suv_of(folder), values * WEIGHT * 1000 / (DOSE * AN_HOUR), rtol=1e-6)


def missing(*names, of_dose=False):
    def edit(data, z, t):
        for name in names:
            delattr(dose_of(data) if of_dose else data, name)

    return edit


def replaced(name, value, of_dose=False):
    def edit(data, z, t):
        setattr(dose_of(data) if of_dose else data, name, value)

    return edit


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (missing("PatientWeight"), r"PatientWeight \(0010,1030\) is missing in s: no SUV"),
        (replaced("PatientWeight", 0), r"PatientWeight \(0010,1030\) is missing"),
        (replaced("PatientWeight", 72000), r"PatientWeight .* is 72000 in s.*in kg"),
        (
            missing("RadionuclideTotalDose", of_dose=True),
            r"RadionuclideTotalDose \(0018,1074\) is missing",
        ),
        (replaced("RadionuclideTotalDose", 350, True), r"is 350 Bq for 72 kg in s: no SUV; .*MBq"),
        (
            missing("RadiopharmaceuticalStartTime", of_dose=True),
            r"RadiopharmaceuticalStartTime \(0018,1072\) is missing",
        ),
        (replaced("CorrectedImage", ["DECY"]), r"CorrectedImage \(0028,0051\) is DECY.*ATTN"),
    ],
)
def test_no_suv_says_which_element(tmp_path, edit, says):
    folder, values = simple(tmp_path / "s", edit)
    scan = load(folder)  # the activity is there all the same
    np.testing.assert_allclose(np.asarray(scan.data), values, rtol=1e-6)
    with pytest.raises(InputError, match=says):
        suv_conversion(scan)
    about = describe(folder)
    assert "suv_factor" not in about
    assert any(": no SUV" in problem["text"] for problem in about["problems"])


def test_options_fill_and_never_contradict(tmp_path):
    folder, values = simple(tmp_path / "s", missing("PatientWeight"))
    np.testing.assert_allclose(
        suv_of(folder, weight=80.0), values * 80 * 1000 / (DOSE * AN_HOUR), rtol=1e-6
    )
    whole, _ = simple(tmp_path / "w")
    assert suv_conversion(load(whole), weight=WEIGHT).basis.weight == WEIGHT
    with pytest.raises(UsageError, match=r"--weight is 80 but PatientWeight .* is 72 in w"):
        suv_conversion(load(whole), weight=80.0)
    with pytest.raises(UsageError, match="--dose is"):
        suv_conversion(load(whole), dose=100e6)
    with pytest.raises(UsageError, match="--sex is M but"):
        suv_conversion(load(whole), kind="SUL", sex="M")


def test_info_knows_the_series(tmp_path):
    folder, values = simple(tmp_path / "s")
    about = describe(folder)
    assert (about["kind"], about["format"], about["unit"]) == ("image", "DICOM", "Bq/mL")
    assert about["shape"] == [5, 4, 6]
    assert about["voxel_size_mm"] == [2.0, 2.5, 3.0]
    assert about["range"] == pytest.approx([values.min(), values.max()])
    assert about["suv_factor"] == pytest.approx(WEIGHT * 1000 / (DOSE * AN_HOUR))
    assert about["problems"] == []
    assert about["tracer"]["name"] == "FDG"


def test_half_life_tells_a_nuclide_that_has_no_code(tmp_path):
    folder, _ = simple(tmp_path / "s", missing("RadionuclideCodeSequence", of_dose=True))
    assert load(folder).tracer.radionuclide == "F18"
    assert load(folder, radionuclide="F18").tracer.half_life == F18
    with pytest.raises(UsageError, match="--radionuclide"):
        load(folder, radionuclide="C11")


def test_injection_in_two_elements_that_agree(tmp_path):
    full = replaced("RadiopharmaceuticalStartDateTime", "20240305" + tm(INJECTED), True)
    folder, _ = simple(tmp_path / "s", full)
    assert load(folder).injection == -3600.0
