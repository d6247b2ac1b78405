"""Logan's plot: compartments with known volumes, noise, and a real study."""

from __future__ import annotations

import csv
import functools

import numpy as np
import pytest
import torch

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputFunction
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer
from betaplus.kinetics import fit
from betaplus.kinetics.graphical.frame_integral import arrival, frame_integral
from betaplus.kinetics.graphical.logan import Logan
from betaplus.physics.response import InputResponse

from .scans import (
    FRAMES,
    HALF_LIFE,
    K2_REF,
    check_bits,
    check_spread,
    noisy,
    one_tissue,
    plasma,
    reference,
    reference_task,
    run,
    target,
    task,
    two_tissue,
)


@pytest.mark.parametrize("rates", [(0.1, 0.05), (0.4, 0.1), (0.1, 0.02), (0.3, 0.6)])
@pytest.mark.parametrize("weights", ["none", "noise"])
def test_one_tissue_is_exact(rates, weights):
    K1, k2 = rates
    out = run("logan", task("Logan", t_star=600.0), one_tissue(K1, k2), weights=weights)
    assert out["VT"][0] == pytest.approx(K1 / k2, rel=0.0005)
    assert out["intercept"][0] == pytest.approx(-1 / k2, rel=0.002)
    assert out["status"][0] == 1


@pytest.mark.parametrize("rates", [(0.1, 0.13, 0.1, 0.1), (0.3, 0.5, 0.2, 0.15)])
def test_two_tissues(rates):
    K1, k2, k3, k4 = rates
    out = run("logan", task("Logan", t_star=2400.0), two_tissue(*rates))
    assert out["VT"][0] == pytest.approx(K1 / k2 * (1 + k3 / k4), rel=0.01)


def test_blood_in_the_tissue():
    blood = InputResponse(plasma(), FRAMES, HALF_LIFE).blood().numpy()
    y = 0.93 * one_tissue(0.1, 0.05) + 0.07 * blood
    work = task("Logan", t_star=1200.0, predict=True)
    out = run("logan", work, y, VB=0.07)
    assert out["VT"][0] == pytest.approx(2.0, rel=0.0005)
    assert abs(run("logan", work, y)["VT"][0] / 2.0 - 1) > 0.005
    used = FRAMES.start >= 1200
    np.testing.assert_allclose(out["fit"][0, used], y[used], rtol=1e-4)
    assert np.isnan(out["fit"][0, ~used]).all()


@pytest.mark.parametrize(("R1", "BPND"), [(1.1, 1.7), (0.8, 0.0), (1.3, 4.0)])
def test_reference_region(R1, BPND):
    """With k2' exact for SRTM from early on; without it once its term is a constant share."""
    y = target(R1, BPND)
    early = reference_task("RefLogan", t_star=600.0)
    out = run("logan", early, y, k2_ref=K2_REF)
    assert out["DVR"][0] == pytest.approx(1 + BPND, rel=0.001)
    np.testing.assert_allclose(out["BPND"], out["DVR"] - 1, atol=1e-6)
    np.testing.assert_array_equal(out["BPND_sd"], out["DVR_sd"])
    late = run("logan", reference_task("RefLogan", t_star=3600.0), y)
    assert late["DVR"][0] == pytest.approx(1 + BPND, rel=0.05)


@functools.cache
def replicates(kind, level):
    if kind == "plasma":
        clean, work = one_tissue(0.1, 0.05), task("Logan", t_star=1200.0, predict=True)
        return clean, run("logan", work, noisy(work, clean, level, 1200))
    if kind == "weighted":
        clean, work = one_tissue(0.1, 0.05), task("Logan", t_star=1200.0, predict=True)
        return clean, run("logan", work, noisy(work, clean, level, 1200), weights="noise")
    clean, work = target(1.1, 1.7), reference_task("RefLogan", t_star=1200.0, predict=True)
    return clean, run("logan", work, noisy(work, clean, level, 1200), k2_ref=K2_REF)


@pytest.mark.parametrize("kind", ["plasma", "weighted", "reference"])
def test_spread(kind):
    clean, out = replicates(kind, 0.5)
    for name in ("DVR", "BPND", "intercept") if kind == "reference" else ("VT", "intercept"):
        check_spread(out, name, 0.08)
    assert np.sqrt(np.mean(out["noise"].astype(float) ** 2)) == pytest.approx(0.5, rel=0.04)
    assert (out["status"] == 1).mean() > 0.99
    used = FRAMES.start >= 1200
    claimed = np.sqrt(np.mean(out["fit_std"][:, used].astype(float) ** 2, 0))
    np.testing.assert_allclose(claimed, out["fit"][:, used].std(0), rtol=0.12)
    np.testing.assert_allclose(out["fit"][:, used].mean(0), clean[used], rtol=0.01)


def test_noise_weights_are_the_frames_precision():
    """Weights (C / sigma)^2 of the fitted curve: the regression written out, at the fixed point."""
    work = task("Logan", t_star=1200.0, predict=True, noise=10.0 + 3.0 * np.arange(len(FRAMES)))
    y = two_tissue(0.1, 0.13, 0.1, 0.05)
    out = run("logan", work, y, weights="noise", reweightings=30)
    used = FRAMES.start >= 1200
    zero = torch.zeros((), dtype=torch.float64)
    total = InputResponse(plasma(), FRAMES, HALF_LIFE).tissue(zero).numpy()[used]
    integral = (frame_integral(FRAMES, HALF_LIFE, arrival(plasma(), 0.0)) @ y)[used]
    root = out["fit"][0, used] / out["sigma"][0, used]
    design = np.stack([total / y[used], np.ones(used.sum())], 1) * root[:, None]
    expected = np.linalg.lstsq(design, integral / y[used] * root)[0]
    np.testing.assert_allclose(out["mean"][0], expected, rtol=1e-5)
    plain = run("logan", work, y)
    assert abs(plain["VT"][0] / out["VT"][0] - 1) > 1e-3


def test_noise_biases_VT_down():
    """The known bias, several per cent in noisy voxels; little where noise is low."""
    low, high = (replicates("plasma", level)[1]["VT"].mean() / 2.0 - 1 for level in (0.5, 15.0))
    assert -0.005 < low < 0.002
    assert high < -0.02


def test_frames_without_activity_have_no_point():
    y = one_tissue(0.1, 0.05).copy()
    work = task("Logan", t_star=1200.0)
    whole = run("logan", work, y)
    y[-3] = -5.0
    out = run("logan", work, y)
    assert out["frames_used"][0] == whole["frames_used"][0] - 1
    assert np.isfinite(out["VT"]).all()
    y[-12:] = 0.0
    few = run("logan", work, y)
    assert few["status"][0] == 4


def test_bits(monkeypatch):
    module = "betaplus.kinetics.graphical.fitter"
    work = task("Logan", samples=3, predict=True)
    curves = noisy(work, two_tissue(0.1, 0.13, 0.1, 0.05), 3.0, 20)
    check_bits("logan", work, curves, module, monkeypatch, weights="noise", VB=0.03)
    check_bits("logan", reference_task("RefLogan", samples=3), curves, module, monkeypatch)


def test_missing_frames_are_refused():
    late = task("Logan", frames=FRAMES.select(np.arange(5, len(FRAMES))))
    with pytest.raises(InputError, match="the first frame starts at 25 s, the input at 8 s"):
        Logan().prepare(late)
    gap = task("Logan", frames=FRAMES.select(np.delete(np.arange(len(FRAMES)), [28, 29])))
    with pytest.raises(InputError, match="600 s without counts"):
        Logan().prepare(gap)
    keep = np.delete(np.arange(len(FRAMES)), 27)
    short = task("Logan", frames=FRAMES.select(keep), t_star=1500.0)
    out = run("logan", short, one_tissue(0.1, 0.05)[keep])
    assert out["VT"][0] == pytest.approx(2.0, rel=0.002)


def test_settings():
    with pytest.raises(UsageError, match="weights='some'"):
        Logan.Settings(weights="some")
    with pytest.raises(UsageError, match=r"setting VB=0.05 with a reference region"):
        Logan(Logan.Settings(VB=0.05)).prepare(reference_task("RefLogan"))
    with pytest.raises(UsageError, match=r"k2_ref=0.1 without a reference region"):
        Logan(Logan.Settings(k2_ref=0.1)).prepare(task("Logan"))
    with pytest.raises(UsageError, match="delay 5 s with model RefLogan"):
        Logan().prepare(reference_task("RefLogan", delay=5.0))
    bad = reference().copy()
    bad[3] = np.nan
    with pytest.raises(InputError, match="1 of them NaN"):
        Logan().prepare(task("RefLogan", reference=bad))


def test_pbr28(reference_data):
    """[11C]PBR28: VT near that of the 2TCM posterior in regions of both genotypes."""
    regions = ("FC", "TC", "THA", "CBL")
    with (reference_data / "tacs_pbr28" / "pbr28_blooddata.csv").open() as stream:
        blood_rows = list(csv.DictReader(stream))
    with (reference_data / "tacs_pbr28" / "pbr28_tacdata.csv").open() as stream:
        tac_rows = list(csv.DictReader(stream))
    for scan in ("jdcs_1", "rwrd_1"):
        rows = [r for r in tac_rows if r["PET"] == scan and float(r["Duration"]) > 0]
        samples = [r for r in blood_rows if r["PET"] == scan]
        frames = FrameTiming(
            *(np.array([float(r[k]) for r in rows]) for k in ("StartTime", "Duration"))
        )
        values = np.array([[float(r[name]) for r in rows] for name in regions])
        tracer = Tracer.of("C11")
        tacs = TacTable(values=values, frames=frames, unit="kBq/mL", names=regions, tracer=tracer)
        blood = InputFunction(
            time=np.array([float(r["Time"]) for r in samples]),
            plasma=np.array([float(r["Cpl_metabcorr"]) for r in samples]),
            whole_blood=np.array([float(r["Cbl_dispcorr"]) for r in samples]),
            plasma_kind="parent",
            unit="kBq/mL",
        )
        post = fit(tacs, blood, model="2TCM", method="exact", delay="fit")
        work = task(
            "Logan",
            curve=blood.curve(float(frames.end[-1])).converted("Bq/mL"),
            frames=frames,
            half_life=tracer.half_life,
            delay=float(np.median(post["delay"].median)),
            t_star=2000.0,
        )
        out = run("logan", work, 1000 * values, VB=0.05)
        np.testing.assert_allclose(out["VT"], post["VT"].median, rtol=0.08)
        assert (out["status"] == 1).all()
