"""Real curves arranged as images, against least squares written out on a fine grid."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputFunction
from betaplus.core.tracer import Tracer
from betaplus.patlak.study import make_study

DECAY = np.log(2) / 6584.04


def total_body(data, name):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    rows = pandas.read_hdf(data / "tacs_pettracer" / f"{name}_TAC.h5").to_numpy()
    return FrameTiming.from_durations(rows[:, 0] * 60), rows[:, 3], rows[:, 1] * 60, rows[:, 2]


def kmap(data, name, column):
    from scipy.io import loadmat

    file = loadmat(data / "tacs_kmap" / f"demo_{name}_realdata.mat")
    frames = FrameTiming.from_durations(file["dt"].ravel().astype(float))
    return frames, file[column].ravel().astype(float), frames.mid, file["Cp"].ravel().astype(float)


def study(frames, curve, time, blood, **options):
    """Of an image whose voxels are the curve times 1 to 12."""
    times = np.arange(1.0, 13).reshape(3, 2, 2, 1)
    image = PetImage(
        data=(times * curve).astype(np.float32),
        affine=np.eye(4),
        unit="Bq/mL",
        frames=frames,
        tracer=Tracer.of("F18"),
        decay_corrected_to=0.0,
    )
    samples = InputFunction(time=time, whole_blood=blood, plasma_kind="whole-blood")
    made = make_study(image, samples, **options)
    found = made.problem.least_squares() * made.problem.scale.reshape(2, 1, 1, 1)
    return made, found.numpy() / times[..., 0]


def written_out(frames, curve, time, blood, first, weighted):
    """Ki and V0: trapezia on 0.1 s, 0 at injection, straight lines and a log-linear tail."""
    fine = np.arange(0, frames.end[-1] + 0.05, 0.1)
    plasma = np.interp(fine, np.r_[0, time], np.r_[0, blood])
    slope = np.polyfit(time[-3:], np.log(blood[-3:]), 1)[0]
    end = blood[-1] * np.exp(min(slope, 0) * (frames.end[-1] - time[-1]))
    late = fine > time[-1]
    plasma[late] = np.interp(fine[late], [time[-1], frames.end[-1]], [blood[-1], end])
    integral = np.r_[0, np.cumsum(0.05 * (plasma[1:] + plasma[:-1]))] / 60
    rows = []
    for start, stop in zip(frames.start[first:], frames.end[first:], strict=True):
        inside = (fine >= start - 0.01) & (fine <= stop + 0.01)
        t, weight = fine[inside], np.exp(-DECAY * fine[inside])
        total = np.trapezoid(weight, t)
        rows.append([np.trapezoid(weight * c[inside], t) / total for c in (integral, plasma)])
    y, root = curve[first:], np.ones(len(rows))
    if weighted:
        root = np.sqrt((frames.duration / frames.decay_factors(np.log(2) / DECAY))[first:] / y)
    return np.linalg.lstsq(np.array(rows) * root[:, None], y * root, rcond=None)[0]


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("name", ["brain", "liverInferiorRight", "myocardium"])
def test_total_body_voxels(reference_data, name, weighted):
    """Within 0.1 % of an independent least squares at the same t*."""
    curves = total_body(reference_data, name)
    made, found = study(*curves, t_star=1500.0, weighted=weighted)
    expected = written_out(*curves, int(made.used[0]), weighted)
    np.testing.assert_allclose(found, expected.reshape(2, 1, 1, 1) * np.ones((3, 2, 2)), rtol=1e-3)
    chosen, again = study(*curves, weighted=weighted)
    expected = written_out(*curves, int(chosen.used[0]), weighted)
    np.testing.assert_allclose(again[:, 0, 0, 0], expected, rtol=1e-3)


def test_grey_matter(reference_data):
    """KMAP's grey matter: about .0372 by least squares of the last 10 frames."""
    curves = kmap(reference_data, "2tcm", "GM")
    made, found = study(*curves, t_star=float(curves[0].start[-10]), weighted=False)
    assert len(made.used) == 10
    np.testing.assert_allclose(found[0], 0.0372, atol=4e-4)
    expected = written_out(*curves, len(curves[0]) - 10, False)
    np.testing.assert_allclose(found[:, 0, 0, 0], expected, rtol=1e-3)
