"""Sums of real curves with known parts: C-11 of one person, then FDG of another.

The parts are measured, so that no model holds exactly; [11C]PBR28 and [11C]MC1 are of regions, FDG
of a voxel of a total-body scan. `pytest -s` prints the errors.
"""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
import torch

import betaplus
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputFunction
from betaplus.core.tracer import Tracer
from betaplus.physics.dual import Mixing
from betaplus.physics.frame_curve import curve_through_means
from betaplus.physics.response import InputResponse
from betaplus.separation.compartment import Compartment, shapes_for
from betaplus.separation.extrapolation import Extrapolation
from betaplus.separation.parallel_fit import fit_parallel
from betaplus.separation.problem import SeparationProblem

FDG_END = 3000.0
NANOCURIE = 37.0  # Bq: by their size, what the PBR28 tables are in
SETTINGS = Compartment.Settings(shared_volume=False)  # the parts are of two people


def fdg(data):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    rows = pandas.read_hdf(data / "tacs_pettracer" / "brain_TAC.h5").to_numpy()
    frames = FrameTiming.from_durations(rows[:, 0] * 60)
    blood = InputFunction(
        time=rows[:, 1] * 60, whole_blood=np.maximum(rows[:, 2], 0.0), plasma_kind="whole-blood"
    )
    return Tracer.of("F18", name="FDG"), frames, rows[:, 3], blood


def pbr28(data, scan="jdcs_1", region="THA"):
    with (data / "tacs_pbr28" / "pbr28_blooddata.csv").open() as stream:
        samples = [r for r in csv.DictReader(stream) if r["PET"] == scan]
    with (data / "tacs_pbr28" / "pbr28_tacdata.csv").open() as stream:
        rows = [r for r in csv.DictReader(stream) if r["PET"] == scan and float(r["Duration"]) > 0]

    # a sample a second: every 4th at first, then one in a minute, bends no line between them
    times = np.array([float(r["Time"]) for r in samples])
    keep = np.searchsorted(times, np.r_[np.arange(0, 240, 4), np.arange(240, times[-1], 60)])
    samples = [samples[k] for k in np.unique(np.r_[keep, len(samples) - 1])]

    def column(table, name, factor=1.0):
        return factor * np.array([float(r[name]) for r in table])

    blood = InputFunction(
        time=column(samples, "Time"),
        plasma=column(samples, "Cpl_metabcorr", NANOCURIE),
        whole_blood=column(samples, "Cbl_dispcorr", NANOCURIE),
        plasma_kind="parent",
    )
    frames = FrameTiming(column(rows, "StartTime"), column(rows, "Duration"))
    return Tracer.of("C11", name="PBR28"), frames, column(rows, region, NANOCURIE), blood


def mc1(data):
    path = sorted((data / "bids_mc1" / "derivatives").rglob("sub-04_ses-baseline*_tacs.tsv"))[0]
    table = betaplus.load_tacs(
        path, unit="Bq/mL", radionuclide="C11", decay_corrected_to="injection"
    )
    samples = next((data / "bids_mc1" / "sub-04").rglob("*ses-baseline*_blood.tsv"))
    blood = betaplus.load_blood(samples)
    factor = 1000.0 if blood.unit == "kBq/mL" else 1.0
    series = {
        name: None if values is None else factor * values
        for name, values in (("plasma", blood.plasma), ("whole_blood", blood.whole_blood))
    }
    blood = dataclasses.replace(blood, unit="Bq/mL", **series)
    return Tracer.of("C11", name="MC1"), table.frames, table.values.mean(0), blood


def sum_of(first, second, delay):
    """Put both curves into the frames of one scan; return the problem and the true pair."""
    before = FrameTiming.from_durations([*[10.0] * 6, *[30.0] * 4, *[60.0] * 5, *[240.0] * 20])
    before = before.select(before.end <= delay + 1)
    gap = delay - before.end[-1]
    left = [gap] if gap > 1 else []
    after = second[1].duration[second[1].end <= FDG_END]
    frames = FrameTiming.from_durations([*before.duration, *left, *after])
    tracers, injections = (first[0], second[0]), (0.0, delay)
    mixing = Mixing(frames, tracers, injections)
    x = np.zeros((2, len(frames)))
    for i, (tracer, own, values, _) in enumerate((first, second)):
        curve = curve_through_means(own, np.maximum(values, 0.0), tracer.half_life)
        response = InputResponse(curve, mixing.own_frames(i), tracer.half_life)
        x[i, mixing.seen[i]] = response.plasma_mean().numpy()
    mixture = mixing.forward(x[:, None])
    scale = float(mixture.max())
    weights = frames.duration / (mixture[0] + 0.02 * scale)
    problem = SeparationProblem(
        mixture=torch.from_numpy((mixture / scale).astype(np.float32)).reshape(1, 1, 1, -1),
        scale=scale,
        decay=mixing.decay,
        frames=frames,
        weights=weights / weights.mean(),
        noise=torch.full((1, 1, 1), 0.01),
        voxel=(2.0, 2.0, 2.0),
        mask=torch.ones((1, 1, 1), dtype=torch.bool),
        tracers=tracers,
        injections=injections,
        blood=(first[3], second[3]),
        arrivals=(0.0, 4.0),
    )
    return problem, x / scale


def errors(problem, found, truth):
    out = []
    for i in range(2):
        seen, d = problem.seen[i], problem.frames.duration[problem.seen[i]]
        off = found[i].reshape(-1)[seen] - truth[i, seen]
        out.append(float(np.sqrt(np.sum(d * off**2) / np.sum(d * truth[i, seen] ** 2))))
    return out


@pytest.mark.parametrize("which", [pbr28, mc1])
@pytest.mark.parametrize("delay", [600.0, 1200.0, 1800.0])
def test_sums_of_real_curves(reference_data, which, delay):
    """From 20 min on both parts are found to a fifth or better; the errors are printed."""
    problem, truth = sum_of(which(reference_data), fdg(reference_data), delay)
    joint = errors(problem, Compartment(SETTINGS).fit(problem).x.numpy(), truth)
    carried = errors(problem, Extrapolation().fit(problem).x.numpy(), truth)
    shapes = [shapes_for(problem, i) for i in range(2)]
    alone = []
    for i in range(2):  # what the model of one tracer leaves of its own curve
        d = problem.decay.copy()
        d[1 - i] = 0.0
        order = (shapes[i], None)
        own = fit_parallel((d[i] * truth[i])[None], order, d[[i, 1 - i]], problem.weights)
        pair = np.zeros_like(truth)
        pair[i] = own.x[0, 0]
        alone.append(errors(problem, pair, truth)[i])
    print(f"{problem.tracers[0].name} then FDG at {delay / 60:g} min:", end=" ")
    print(
        "joint {:.3f} {:.3f}, carried on {:.3f} {:.3f}, alone {:.3f} {:.3f}".format(
            *joint, *carried, *alone
        )
    )
    assert max(alone) < 0.1
    assert max(joint) < (0.5 if delay < 1000 else 0.2)
