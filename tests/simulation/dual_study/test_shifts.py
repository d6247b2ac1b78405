"""One thing at a time is different; the population and its blood are as they are said to be."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.simulation.dual_study import (
    FIRST_CALIBRATION,
    FIRST_TEST,
    FIRST_TRAIN,
    FIRST_TUNING,
    SHIFTS,
    STANDARD,
    BloodChange,
    Population,
    draw_dual_person,
    draw_dual_study,
    find_dual_protocol,
    shifted,
)
from betaplus.simulation.dual_study.population import infused
from betaplus.simulation.dual_study.shifts import phantom_shift
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.tracers import PROFILES

SEED = 919_502
SMALL = STANDARD.replace(voxel=6.0)
SHAPE = (12, 12, 10)


def test_each_shift_changes_one_thing() -> None:
    base = find_dual_protocol("standard")
    usual = draw_dual_person(SEED, SMALL)
    plain = draw_dual_study(usual, base, shape=SHAPE, lesions=0)
    assert set(SHIFTS) == {
        "counts", "delay", "kinetics", "input", "pair", "phantom", "protocol", "dose",
    }  # fmt: skip
    for name in SHIFTS:
        protocol, population = shifted(name, base, SMALL)
        person = dataclasses.replace(usual, population=population)
        if name == "phantom":
            person = draw_dual_person(SEED, population)
        study = draw_dual_study(person, protocol, shape=SHAPE, lesions=0)
        same_head = np.array_equal(person.phantom.labels, plain.person.phantom.labels)
        same_frames = protocol.frames == base.frames
        same_regions = study.tissue.regions == plain.tissue.regions
        same_blood = np.array_equal(study.blood[0].plasma, plain.blood[0].plasma)
        same_decay = np.array_equal(study.decay, plain.decay)
        same_names = protocol.tracers == base.tracers
        changed = {
            "phantom": not same_head,
            "frames": not same_frames or not same_decay,
            "kinetics": same_names and same_head and not same_regions,
            "pair": not same_names,
            "counts": protocol.counts != base.counts,
            "input": same_frames and same_names and protocol.doses == base.doses
            and not same_blood,
            "dose": protocol.doses != base.doses,
        }  # fmt: skip
        wanted = {"delay": "frames", "protocol": "frames"}.get(name, name)
        assert [k for k, v in changed.items() if v] == [wanted], name
        if name == "counts":
            np.testing.assert_allclose(study.noise_sd(), 2.0 * plain.noise_sd(), rtol=1e-5)
            np.testing.assert_array_equal(study.x, plain.x)
        if name == "dose":
            np.testing.assert_allclose(study.x[0], 2.0 * plain.x[0], rtol=1e-4)
            np.testing.assert_allclose(study.x[1], 0.5 * plain.x[1], rtol=1e-4)
    with pytest.raises(UsageError, match="shift 'weather' is unknown"):
        shifted("weather", base)


def test_kinetics_of_another_population_are_factors_on_this_one() -> None:
    _, population = shifted("kinetics", find_dual_protocol("standard"), SMALL)
    profile = PROFILES["FDG"]
    person = draw_dual_person(SEED, SMALL)
    one = person.kinetics(profile)
    two = dataclasses.replace(person, population=population).kinetics(profile)
    for p, factor in population.factors("FDG").items():
        assert two["Putamen"][p] == pytest.approx(factor * one["Putamen"][p])


def test_an_infusion_brings_as_much_as_a_bolus_and_later() -> None:
    profile = PROFILES["FDG"]
    blood = draw_blood(profile.blood, 4000.0, 3600.0, generator(1))
    slow = infused(blood, 180.0)
    assert slow.plasma is not None and blood.plasma is not None
    assert slow.plasma.max() < 0.5 * blood.plasma.max()
    assert slow.time[np.argmax(slow.plasma)] > blood.time[np.argmax(blood.plasma)] + 60.0
    grid = np.arange(0.0, 3600.0, 1.0)
    at = np.searchsorted(blood.time, 1200.0)
    exact = np.interp(grid[(grid >= 1020) & (grid < 1200)], blood.time, blood.plasma).mean()
    assert blood.time[at] == 1200.0 and slow.plasma[at] == pytest.approx(exact, rel=1e-3)
    assert infused(blood, 0.0) is blood
    changed = BloodChange(metabolism=2.0, rates=(1.0, 1.0, 0.5))(PROFILES["FMZ"].blood)
    parent = PROFILES["FMZ"].blood.parent
    assert changed.parent is not None and parent is not None
    assert changed.parent[2] == 2.0 * parent[2]


def test_a_labelled_head_is_scanned_and_a_body_is_not() -> None:
    labels = np.zeros((40, 40, 30), np.uint8)
    labels[4:36, 4:36, 4:26] = 1
    labels[8:32, 8:32, 6:24] = 2
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    head = Phantom(labels, affine, {1: "GreyMatter", 2: "WhiteMatter"})
    _, population = phantom_shift(find_dual_protocol("standard"), SMALL, head)
    person = draw_dual_person(SEED, population.replace(voxel=2.0))
    assert person.voxel == (2.0, 2.0, 2.0) and person.phantom.labels.shape == (20, 20, 15)
    study = draw_dual_study(person, shape=(12, 12, 10), lesions=0)
    grey = study.region_means(study.x)[:, list(study.names.values()).index("GreyMatter"), -1]
    assert (grey > 1000.0).all()
    body = Phantom(labels, affine, {1: "Liver", 2: "WhiteMatter"})
    with pytest.raises(UsageError, match="no FMZ kinetics for Liver"):
        draw_dual_study(draw_dual_person(1, Population(anatomy=body)), shape=(8, 8, 8))


def test_a_real_head_of_tissue_maps() -> None:
    folder = Path(os.environ.get("BETAPLUS_DATA", "nowhere")) / "brain_icbm152"
    if not folder.is_dir():
        pytest.skip("no $BETAPLUS_DATA/brain_icbm152")
    from betaplus.simulation.labelled import read_tissue_maps

    grey, white = (
        folder / f"mni_icbm152_{t}_tal_nlin_sym_09a_converted.nii.gz" for t in ("gm", "wm")
    )
    person = draw_dual_person(1, Population(anatomy=read_tissue_maps(grey, white), voxel=4.0))
    assert person.voxel == (4.0, 4.0, 4.0)
    ml = 0.064 * np.count_nonzero(person.phantom.labels)
    assert 900 < ml < 2200  # brain of the atlas, which is larger than most
    study = draw_dual_study(person, shape=(56, 64, 1), lesions=0)
    means = dict(zip(study.names.values(), study.region_means(study.x)[0, :, 5], strict=True))
    assert means["GreyMatter"] > 1.4 * means["WhiteMatter"]


def test_people_to_learn_from_are_kept_apart() -> None:
    from betaplus.pipeline.training.corpus import FIRST_TEST as NEVER_TRAINED

    assert FIRST_TRAIN < NEVER_TRAINED <= FIRST_TUNING < FIRST_CALIBRATION < FIRST_TEST
