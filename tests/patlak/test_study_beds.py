"""Scans of several beds: a and b of every slice, and times that are missing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from betaplus.core.bed_times import BedTimes
from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.io.bed_times import load_bed_times
from betaplus.patlak.study import make_study
from betaplus.physics.patlak import frame_weights

from .scans import FRAMES, HALF_LIFE, basis, bed_scan, blood, maps, scan

PASSES, BEDS, DEPTH = 6, 5, 2
TRUTH = maps((5, 4, BEDS * DEPTH), seed=3)


def rows():
    bed = np.tile(np.arange(BEDS), PASSES)
    return {
        "slice_first": bed * DEPTH,
        "slice_last": bed * DEPTH + DEPTH - 1,
        "pass": np.repeat(np.arange(PASSES), BEDS) + 1,
        "start": 1200 + 70.0 * np.arange(PASSES * BEDS),
        "duration": np.full(PASSES * BEDS, 60.0),
    }


def times() -> BedTimes:
    return BedTimes.of_rows(*rows().values(), shape=(PASSES, BEDS * DEPTH))


def found(study):
    return (study.problem.least_squares() * study.problem.scale.reshape(2, 1, 1, 1)).numpy()


def test_maps_come_back_and_times_of_passes_would_not_give_them():
    image = bed_scan(TRUTH, times())
    study = make_study(image, blood(), t_star=0.0, bed_times=times())
    np.testing.assert_allclose(found(study), TRUTH, rtol=1e-4)
    assert "slices are seen at 5 sets of times: a and b are those of each slice" in study.remarks
    once = BedTimes.at_once(image.frames, BEDS * DEPTH)
    wrong = found(make_study(image, blood(), t_star=0.0, bed_times=once))
    assert np.abs(wrong[0] / TRUTH[0] - 1).max() > 0.1


def test_statistics_of_every_slice():
    image = bed_scan(TRUTH, times(), noise=0.02)
    study = make_study(image, blood(), t_star=0.0, bed_times=times())
    mean = image.data.mean((0, 1, 2), dtype=float)
    decay = times().decay_factors(HALF_LIFE)
    weight = frame_weights(times().duration, decay, mean)
    np.testing.assert_allclose(study.weights, weight, rtol=1e-6)
    assert study.weights.mean() == pytest.approx(1.0)
    left = np.zeros(PASSES)
    for z in range(BEDS * DEPTH):
        root = np.sqrt(weight[:, z])
        b = basis(times().start[:, z], times().duration[:, z]) * root[:, None]
        y = image.data[:, :, z].reshape(-1, PASSES).T * root[:, None]
        values = np.linalg.lstsq(b, y, rcond=None)[0]
        np.testing.assert_allclose(found(study)[..., z].reshape(2, -1), values, rtol=3e-3)
        residual = (y - b @ values) ** 2 / study.suv**2
        np.testing.assert_allclose(study.problem.misfit[..., z].ravel(), residual.sum(0), rtol=3e-4)
        left += residual.sum(1)
    expected = np.sqrt(left / study.problem.mask.sum().item())
    u = study.problem.least_squares()
    np.testing.assert_allclose(study.residual(u), expected, rtol=1e-3)


def test_t_star_by_the_rule():
    """Two bent passes: the mean curves of beds, each with its own a and b, tell."""
    image = bed_scan(TRUTH, times())
    bend = np.array([1.6, 1.0, 1.0, 1.0, 1.0, 1.0])
    bent = dataclasses.replace(image, data=(image.data * bend).astype(np.float32))
    study = make_study(bent, blood(), bed_times=times())
    assert study.t_star == times().start[1, 0] and len(study.used) == 5
    assert make_study(image, blood(), bed_times=times()).t_star == 1200
    np.testing.assert_allclose(found(study), TRUTH, rtol=1e-4)


def test_a_single_bed_in_the_table_is_the_plain_study():
    image = scan()
    shape = image.n_frames, image.shape[2]
    n = np.arange(shape[0])
    table = BedTimes.of_rows(
        0 * n, 0 * n + shape[1] - 1, n + 1, FRAMES.start, FRAMES.duration, shape=shape
    )
    one, other = (make_study(image, blood(), bed_times=t) for t in (None, table))
    assert torch.equal(one.problem.h, other.problem.h) and one.rule == other.rule


def test_times_from_a_table_and_from_the_sidecar(tmp_path):
    image = bed_scan(TRUTH, times())
    columns = {name: [f"{v:g}" for v in values] for name, values in rows().items()}
    lines = ["\t".join(columns), *("\t".join(row) for row in zip(*columns.values(), strict=True))]
    (tmp_path / "beds.tsv").write_text("\n".join(lines) + "\n")
    read = load_bed_times(tmp_path / "beds.tsv", image)
    np.testing.assert_array_equal(read.start, times().start)
    listed = {name: values.tolist() for name, values in rows().items()}
    dicom = {
        "SliceTimesStart": times().start.tolist(),
        "SliceDuration": times().duration.tolist(),
    }
    for fields in ({"betaplus": {"BedTimes": listed}}, dicom):
        study = make_study(dataclasses.replace(image, metadata=fields), blood(), t_star=0.0)
        np.testing.assert_allclose(found(study), TRUTH, rtol=1e-4)
    (tmp_path / "short.tsv").write_text("\n".join(line.rsplit("\t", 1)[0] for line in lines))
    with pytest.raises(InputError, match=r"duration missing in short.tsv"):
        load_bed_times(tmp_path / "short.tsv", image)
    (tmp_path / "half.tsv").write_text("\n".join([*lines[:3], lines[3].replace("4", "4.5")]))
    with pytest.raises(InputError, match=r"slice_first is 4.5 in row 3 .*whole number"):
        load_bed_times(tmp_path / "half.tsv", image)
    del listed["pass"]
    with pytest.raises(InputError, match="BedTimes holds 30 slice_first"):
        spoilt = dataclasses.replace(image, metadata={"betaplus": {"BedTimes": listed}})
        make_study(spoilt, blood())
    with pytest.raises(InputError, match="SliceDuration is not 6 x 10 numbers"):
        lacking = {"SliceTimesStart": dicom["SliceTimesStart"]}
        make_study(dataclasses.replace(image, metadata=lacking), blood())


@pytest.mark.parametrize(
    ("fields", "found_"),
    [
        ({"NumberOfBedPositions": 5}, "NumberOfBedPositions is 5"),
        ({"AcquisitionMode": "Step-and-shoot, 5 beds"}, "AcquisitionMode is Step-and-shoot"),
        ({"SeriesType": ["WHOLE BODY", "IMAGE"]}, "SeriesType is WHOLE BODY IMAGE"),
    ],
)
def test_times_that_are_missing(fields, found_):
    image = bed_scan(TRUTH, times(), metadata=fields)
    with pytest.raises(InputError, match=f"{found_}.* no times of its slices.*--bed-times FILE"):
        make_study(image, blood())
    once = BedTimes.at_once(image.frames, BEDS * DEPTH)
    make_study(image, blood(), bed_times=once)  # said by the user


def test_a_long_image_with_gaps_is_one_of_several_beds():
    """90 cm seen for 60 s every 350 s; 90 cm seen all the time is a long scanner, and remarked."""
    tall = np.diag([4.0, 4, 90, 1])
    start = times().start.min(1)
    gaps = FrameTiming(start, np.full(PASSES, 60.0))
    image = dataclasses.replace(bed_scan(TRUTH, times(), affine=tall), frames=gaps)
    with pytest.raises(InputError, match=r"90 cm were seen for 17 % of the time.*--bed-times"):
        make_study(image, blood())
    study = make_study(scan(affine=np.diag([4.0, 4, 120, 1])), blood())
    assert "96 cm taken as seen at once: no times of beds are given" in study.remarks


def test_times_of_another_image():
    with pytest.raises(InputError, match=r"times of 6 passes and 10 slices.* 23 frames"):
        make_study(scan(), blood(), bed_times=times())
