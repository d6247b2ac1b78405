"""MRTM and MRTM2 against curves of an ODE with known binding."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from betaplus.core.errors import InputError, UsageError
from betaplus.kinetics.graphical.mrtm2 import Mrtm2, choose_k2_ref

from .scans import (
    FRAMES,
    K2_REF,
    check_bits,
    check_spread,
    noisy,
    reference,
    reference_task,
    run,
    target,
    task,
    two_tissue,
)


@pytest.mark.parametrize(("R1", "BPND"), [(1.1, 1.7), (0.8, 0.3), (1.3, 4.0)])
@pytest.mark.parametrize("k2_ref", [0.0, K2_REF])
@pytest.mark.parametrize("t_star", [300.0, 1500.0])
def test_known_binding(R1, BPND, k2_ref, t_star):
    y = target(R1, BPND)
    work = reference_task("MRTM2", t_star=t_star, predict=True)
    out = run("mrtm2", work, y, k2_ref=k2_ref)
    assert out["R1"][0] == pytest.approx(R1, rel=0.005)
    assert out["k2"][0] == pytest.approx(R1 * K2_REF, rel=0.005)
    assert out["BPND"][0] == pytest.approx(BPND, rel=0.002)
    used = FRAMES.start >= t_star
    np.testing.assert_allclose(out["fit"][0, used], y[used], rtol=1e-3)
    if k2_ref:
        assert "k2_ref" not in out
    else:
        assert out["k2_ref"][0] == pytest.approx(K2_REF, rel=0.005)


def test_two_tissues_in_fast_exchange():
    """The full model behind SRTM: k3 / k4 = BPND, exchange faster than the scan sees."""
    k2 = 1.1 * K2_REF
    y = two_tissue(1.1 * 0.09, k2, 2.0, 1.0)
    out = run("mrtm2", reference_task("MRTM2", t_star=1200.0), y)
    assert out["BPND"][0] == pytest.approx(2.0, rel=0.03)


@functools.cache
def replicates(k2_ref, level=1.0):
    work = reference_task("MRTM2", t_star=600.0, predict=True)
    clean = target(1.1, 1.7)
    return clean, run("mrtm2", work, noisy(work, clean, level, 1200), k2_ref=k2_ref)


@pytest.mark.parametrize("k2_ref", [0.0, K2_REF])
def test_spread(k2_ref):
    clean, out = replicates(k2_ref)
    for name in ("R1", "k2", "BPND"):
        check_spread(out, name, 0.08)
    assert out["BPND"].mean() == pytest.approx(1.7, rel=0.01)
    assert np.sqrt(np.mean(out["noise"].astype(float) ** 2)) == pytest.approx(1.0, rel=0.04)
    assert (out["status"] == 1).mean() > 0.99
    used = FRAMES.start >= 600
    claimed = np.sqrt(np.mean(out["fit_std"][:, used].astype(float) ** 2, 0))
    np.testing.assert_allclose(claimed, out["fit"][:, used].std(0), rtol=0.12)
    np.testing.assert_allclose(out["fit"][:, used].mean(0), clean[used], rtol=0.01)
    if not k2_ref:
        check_spread(out, "k2_ref", 0.08)


def test_a_shared_k2_ref_gains_precision():
    own, shared = (replicates(k2_ref)[1] for k2_ref in (0.0, K2_REF))
    assert shared["R1"].std() < 0.5 * own["R1"].std()
    assert shared["BPND"].std() < own["BPND"].std()


def test_k2_ref_of_regions():
    """Regions of every kind, also one that does not bind, and noise."""
    work = reference_task("MRTM2", t_star=60.0)
    regions = [(1.0, 0.05), (1.1, 0.3), (1.05, 0.8), (1.2, 1.7), (0.95, 3.0)]
    clean = np.stack([target(*r) for r in regions])
    assert choose_k2_ref(work, None, clean) == pytest.approx(K2_REF, rel=0.005)
    ignored = Mrtm2.Settings(k2_ref=0.7)
    found = []
    for i in range(20):
        curves = [noisy(work, c, 1.0, 1, seed=10 * i + j) for j, c in enumerate(clean)]
        found.append(choose_k2_ref(work, ignored, np.concatenate(curves)))
    assert np.mean(found) == pytest.approx(K2_REF, rel=0.02)
    assert np.std(found) < 0.1 * K2_REF


def test_k2_ref_of_the_reference_region_itself():
    """Its own curve, or nothing at all, says nothing about k2'."""
    with pytest.raises(InputError, match="none of 2 curves has a k2' above 0"):
        choose_k2_ref(reference_task("MRTM2"), None, np.stack([reference(), 0 * reference()]))
    out = run("mrtm2", reference_task("MRTM2", t_star=600.0), reference())
    assert out["status"][0] == 4


def test_draws():
    work = reference_task("MRTM2", t_star=600.0, samples=4000)
    curves = noisy(work, target(1.1, 1.7), 1.0, 4)
    for k2_ref in (0.0, K2_REF):
        out = run("mrtm2", work, curves, k2_ref=k2_ref)
        draws = out["samples"]
        np.testing.assert_allclose(draws.std(2), out["std"], rtol=0.06)
        np.testing.assert_allclose(draws.mean(2), out["mean"], rtol=0.01)
        if k2_ref:
            np.testing.assert_allclose(draws[:, 1], draws[:, 0] * K2_REF, rtol=1e-4)


def test_bits(monkeypatch):
    work = reference_task("MRTM2", samples=3, predict=True)
    curves = noisy(work, target(1.1, 1.7), 3.0, 20)
    for k2_ref in (0.0, K2_REF):
        check_bits(
            "mrtm2", work, curves, "betaplus.kinetics.graphical.fitter", monkeypatch, k2_ref=k2_ref
        )


def test_bad_input():
    with pytest.raises(UsageError, match="model MRTM2 without a reference region"):
        Mrtm2().prepare(task("MRTM2"))
    with pytest.raises(UsageError, match="k2_ref=-1"):
        Mrtm2.Settings(k2_ref=-1.0)
    left = float(FRAMES.start[-3])
    with pytest.raises(UsageError, match=r"leaves 3 of 40 frames.*at least 4 for MRTM2"):
        Mrtm2().prepare(reference_task("MRTM2", t_star=left))
    Mrtm2(Mrtm2.Settings(k2_ref=0.1)).prepare(reference_task("MRTM2", t_star=left))
