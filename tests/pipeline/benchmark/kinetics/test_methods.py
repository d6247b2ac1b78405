"""The comparison of methods: its scores, its curves, what it keeps, and a small run of it all."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from betaplus.core.errors import InputError
from betaplus.core.progress import Silent
from betaplus.core.settings import make_settings
from betaplus.kinetics.method import find_method
from betaplus.pipeline.benchmark.kinetics.cases import LEVELS, QUANTITIES
from betaplus.pipeline.benchmark.kinetics.methods import run as part
from betaplus.pipeline.benchmark.kinetics.methods.cases import (
    SIMULATED,
    draw_batch,
    draw_batches,
    spread,
    unseen_scans,
)
from betaplus.pipeline.benchmark.kinetics.methods.entries import ENTRIES, Entry, run_entry
from betaplus.pipeline.benchmark.kinetics.methods.limits import judged
from betaplus.pipeline.benchmark.kinetics.methods.reference import (
    NutsStore,
    chosen_batches,
    curve_key,
)
from betaplus.pipeline.benchmark.kinetics.methods.scores import (
    TAILS,
    accuracy,
    coverage_by_level,
    held,
)
from betaplus.pipeline.benchmark.kinetics.methods.shifts import LONG_FRAMES
from betaplus.pipeline.benchmark.kinetics.methods.table import methods_table
from betaplus.pipeline.benchmark.kinetics.methods.timing import abc_entry, crossing
from betaplus.simulation.dynamic import frame_means


@pytest.fixture(autouse=True)
def without_data(tmp_path, monkeypatch):
    monkeypatch.setenv("BETAPLUS_DATA", str(tmp_path / "absent"))


@pytest.fixture(scope="module")
def scan():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BETAPLUS_DATA", "absent")
        return unseen_scans(1)[0]


def test_accuracy_is_in_units_of_the_reference():
    rng = np.random.default_rng(0)
    reference, sd = rng.normal(size=(50, 6)), rng.uniform(0.5, 2.0, (50, 6))
    found = accuracy(reference - 0.3 * sd, 1.25 * sd, reference, sd)
    for name in (*QUANTITIES, "all"):
        assert found[name]["error"] == pytest.approx(0.3)
        assert found[name]["ratio"] == pytest.approx(1.25)
        assert found[name]["uncertainty"] == pytest.approx(0.25)
    std = sd.copy()
    std[:10, 2] = np.nan
    found = accuracy(reference, std, reference, sd)
    assert found["absent"] == pytest.approx(10 / 300)
    assert found["k3"]["ratio"] == pytest.approx(1.0)


def test_coverage_of_right_intervals_is_nominal_and_of_narrow_ones_is_not():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(6000, 6))
    level = np.resize(LEVELS, 6000)
    quantiles = np.broadcast_to(ndtri(np.array(TAILS)), (6000, 6, len(TAILS)))
    found = coverage_by_level(held(quantiles, truth), level)
    for group in ("all", "3 %", "15 %", "40 %"):
        for values in found[group]["coverage"].values():
            np.testing.assert_allclose(values, (0.5, 0.8, 0.9, 0.95), atol=0.05)
    narrow = coverage_by_level(held(0.8 * quantiles, truth), level, level > 0.1)
    assert narrow["all"]["ends"][1] < 0.85  # 2 Phi(.8 x 1.645) - 1 = .81
    assert narrow["all"]["share"] == pytest.approx(2 / 3)
    assert narrow["3 %"] == {"count": 0, "share": 0.0}


def test_time_to_equal_error_is_read_off_a_power_law():
    measured = [(t, 0.4 * t**-0.5) for t in (1.0, 10.0, 100.0)]
    found = crossing(measured, 0.5, 0.4 * 30.0**-0.5)
    assert found["reached"] and found["times"] == pytest.approx(60.0)
    assert crossing(measured, 0.5, 0.01) == {"times": 200.0, "reached": False}
    assert crossing(measured, 0.5, 1.0) == {"times": 2.0, "reached": True}


@pytest.mark.parametrize("sampler", ["smc", "rejection"])
def test_every_budget_of_abc_is_one_that_it_takes(sampler):
    for budget in (800, 2000, 8000, 65_537, 1 << 17):
        entry = abc_entry(sampler, budget)
        settings = make_settings(find_method("abc").Settings, entry.settings)
        assert settings.simulations == budget


def test_entries_are_settings_that_the_methods_take_and_leave_refinement_off():
    for entry in ENTRIES:
        for chosen in (entry.settings, {**entry.settings, **entry.cheaper}):
            settings = make_settings(find_method(entry.method).Settings, chosen)
            assert not getattr(settings, "refine", False)


def test_input_functions_are_simulated_where_the_data_are_absent():
    scans = unseen_scans()
    assert all(scan.source.startswith(SIMULATED) for scan in scans)
    seeds = [int(scan.source.split()[-1]) for scan in scans]
    assert min(seeds) >= 900_000 and len(set(seeds)) == len(scans) > 4
    assert len({float(scan.curve.plasma.max()) for scan in scans}) == len(scans)
    long = unseen_scans(2, frames=LONG_FRAMES, radionuclide="C11")
    assert len(long) == 2 and long[0].half_life == pytest.approx(1221.8, rel=2e-3)
    assert len(LONG_FRAMES) == 28 and LONG_FRAMES.end[-1] == 5400.0


def test_spread_is_even():
    assert spread(10, 5).tolist() == [1, 3, 5, 7, 9]
    assert spread(3, 9).tolist() == [0, 1, 2]


def test_curves_are_spread_over_inputs_and_levels_and_noise_is_as_called(scan):
    batches = draw_batches([scan, unseen_scans()[1]], 100, 3)
    assert np.concatenate([b.items for b in batches]).tolist() == list(range(100))
    assert len(batches) == 6 and {len(b) for b in batches} <= {16, 17}
    for level in LEVELS:
        mine = draw_batches([scan], 400, 4, levels=(level,))[0]
        task = mine.task
        clean = scan.response(float(task.curve.plasma.max() / scan.curve.plasma.max()))
        rows = dict(zip(QUANTITIES, mine.truth.T, strict=True))
        rows.pop("Ki")
        means = frame_means(clean, rows, 0.0)
        away = (mine.curves - means)[:, -4:] / means[:, -4:]
        assert np.median(np.abs(away)) / 0.6745 == pytest.approx(level, rel=0.1)


def test_a_delay_is_in_the_curves_and_known_or_not(scan):
    at, late, free = (
        draw_batch(scan, 0.15, 1.0, 2, 5, delay=d, known=k)
        for d, k in ((0.0, True), (20.0, True), (20.0, False))
    )
    assert (at.task.delay, late.task.delay, free.task.delay) == (0.0, 20.0, None)
    np.testing.assert_array_equal(late.curves, free.curves)
    assert np.abs(late.curves - at.curves).max() > 0


def test_chains_are_kept_and_known_again(tmp_path, scan):
    batch = draw_batch(scan, 0.15, 1.0, 3, 5)
    keys = [curve_key(batch.task, c, i) for c, i in zip(batch.curves, batch.items, strict=True)]
    assert len(set(keys)) == 3
    other = draw_batch(scan, 0.15, 1.0, 3, 5, known=False)
    assert curve_key(other.task, batch.curves[0], 0) != keys[0]
    row = {
        "mean": np.arange(6.0),
        "std": np.ones(6),
        "samples": np.zeros((6, 5), dtype=np.float32),
        "ess": np.float64(4000),
        "rhat": np.float64(1.001),
        "converged": np.bool_(True),
    }
    store = NutsStore(tmp_path / "kept")
    store.add(keys[0], row)
    store.add(keys[1], {**row, "mean": np.arange(6.0) + 1})
    again = NutsStore(tmp_path / "kept")
    assert keys[0] in again and keys[2] not in again
    np.testing.assert_array_equal(again[keys[1]]["mean"], np.arange(6.0) + 1)
    assert sum(len(b) for b in chosen_batches([batch], 2)) == 2


def test_a_run_with_two_methods(monkeypatch, scan):
    """Large sets agree with `exact`, least squares do not; what has no weights says so."""
    entries = (
        Entry(label="exact", method="exact", points="fine"),
        Entry(label="nlls", method="nlls", draws=False),
        Entry(label="flow, raw", method="flow", settings={"bundle": "nowhere"}, calls=1),
    )

    def absent(*given):
        raise InputError("no bundle")

    monkeypatch.setattr(part, "ENTRIES", entries)
    for name in ("shifts", "equal_time", "network_time"):
        monkeypatch.setattr(part, name, absent)
    found = part.methods(
        None, curves=12, inputs=1, draws=200, few_curves=3, few_draws=40, directions=16,
        nuts_curves=0, covered=60, timed=(0.15,), timed_draws=(50,), budgets=(800,),
    )  # fmt: skip
    exact, nlls, flow = found["rows"]
    assert found["reference"]["least_ess"] >= 1000
    assert exact["accuracy"]["all"]["error"] < 0.05 < nlls["accuracy"]["all"]["error"]
    assert exact["accuracy"]["all"]["ratio"] == pytest.approx(1.0, abs=0.03)
    assert exact["sliced"] < 2.5 * found["sliced_floor"] and nlls["sliced"] is None
    assert "nowhere" in flow["skipped"]
    covered = found["coverage"]["methods"]["exact"]["all"]
    assert covered["count"] == 60 and covered["ends"][0] > 0.75
    text = methods_table(found)
    assert "refinement off" in text and "simulated" in text and "NUTS was not run" in text
    assert "| flow, raw | skipped" in text and "Skipped: no bundle" in text
    assert judged(found) == found["meets"]


def test_results_do_not_depend_on_how_batches_are_cut(scan):
    entry = next(entry for entry in ENTRIES if entry.label == "exact")
    batch = draw_batch(scan, 0.15, 1.0, 6, 5)
    whole = run_entry(entry, [batch], 64, keep=True, progress=Silent())
    some = run_entry(entry, [batch.some(2)], 64, keep=True, progress=Silent())
    np.testing.assert_array_equal(whole.samples[:2], some.samples)
