"""`tissues`: what its prior is drawn from, and the method on simulated heads."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from tests.separation.small_study import small_problem, small_study

from betaplus.core.errors import UsageError
from betaplus.generative.bundle_config import BundleConfig
from betaplus.separation.bundle import DELAY
from betaplus.separation.bundle import PAIR as PAIR_NAME
from betaplus.separation.linear import Linear
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.study_tracers import parse_tracers
from betaplus.separation.tissue_curves import tissue_curves
from betaplus.separation.tissue_kinetics import draw_tissues
from betaplus.separation.tissue_prior import TissuePrior, nearest
from betaplus.separation.tissues import Tissues, near_weights, tissue_mixture
from betaplus.separation.usual_method import usual_method
from betaplus.simulation.tracers import find_profile

PAIR = (find_profile("FMZ"), find_profile("FDG"))


def test_voxels_of_a_region_share_blood_volume_and_some_perfusion():
    drawn = draw_tissues(PAIR, 60, 3)
    ratio = [
        {p: np.log(v[p] / r[p]) for p in ("K1", "k2", "VB")}
        for r, v in zip(drawn.regions, drawn.voxels, strict=True)
    ]
    assert np.corrcoef(ratio[0]["K1"], ratio[1]["K1"])[0, 1] == pytest.approx(0.6, abs=0.06)
    assert abs(np.corrcoef(ratio[0]["k2"], ratio[1]["k2"])[0, 1]) < 0.08
    free = (drawn.voxels[0]["VB"] < 0.9) & (drawn.voxels[1]["VB"] < 0.9)
    np.testing.assert_allclose(ratio[0]["VB"][free], ratio[1]["VB"][free], atol=1e-12)
    assert np.exp(ratio[0]["K1"]).mean() == pytest.approx(1.0, abs=0.01)
    assert ratio[0]["K1"].std() == pytest.approx(0.10, abs=0.01)
    people = [r["K1"].reshape(60, -1)[:, 4] for r in drawn.regions]
    assert abs(np.corrcoef(*people)[0, 1]) < 0.4  # each tracer has people of its own
    hosts = [drawn.names[r] for r in drawn.hosts]
    assert "Putamen" in hosts and "WhiteMatter" in hosts and "Skull" not in hosts
    fmz, fdg = (
        {p: np.log(a[p] / r[p]) for p in ("K1", "k2", "k3", "k4")}
        for r, a in zip(drawn.regions, drawn.altered, strict=True)
        if (r["k3"] > 0).all()
    )
    assert (fmz["k3"] == 0).all() and (fdg["k2"] == 0).all()  # one tissue and two
    uptake = np.exp(fdg["K1"] + fdg["k3"])
    assert 0.1 < uptake.min() < 0.4 and 3.0 < uptake.max() < 9.0


def test_tracers_known_in_other_regions_are_refused():
    fewer = {k: v for k, v in PAIR[1].regions.items() if k != "Putamen"}
    with pytest.raises(UsageError, match="other regions"):
        draw_tissues((PAIR[0], dataclasses.replace(PAIR[1], regions=fewer)), 2, 0)


def test_the_prior_is_the_mean_and_covariance_of_people():
    problem, _ = small_problem()
    prior = TissuePrior.of_curves(problem.tissues, problem.spaces, problem.decay, problem.weights)
    regions, size = prior.mean.shape
    assert size == 12 and prior.regions == regions == len(problem.tissues.names)
    first = []
    for i, space in enumerate(problem.spaces):
        root = np.sqrt(problem.weights) * problem.decay[i]
        curves = problem.tissues.regions[i]
        off = (curves - space.mean) * root
        c = np.linalg.lstsq(root[:, None] * space.basis, off.reshape(-1, len(root)).T, rcond=None)
        first.append(c[0].T.reshape(*curves.shape[:2], -1))
        again = off / np.where(root > 0, root, 1.0) @ nearest(space, root**2)
        np.testing.assert_allclose(again, first[i], atol=1e-7)
    both = np.concatenate(first, -1)
    np.testing.assert_allclose(prior.mean, both.mean(0), atol=1e-7)
    cov = np.cov(first[0].reshape(len(both), -1).T)
    found = prior.between[:, :6, :, :6].reshape(cov.shape)
    np.testing.assert_allclose(found, cov, atol=1e-5 * np.abs(cov).max())
    assert (prior.between[:, :6, :, 6:] == 0).all()
    assert np.linalg.eigvalsh(prior.between.reshape(regions * size, -1)).min() > 0
    shared = prior.within[2][:6, 6:]
    assert np.abs(shared).max() > 0.01 * np.abs(prior.within[2]).max()


def test_population_blood_is_one_for_a_person():
    mixing = small_study().protocol.mixing
    kinetics = draw_tissues(PAIR, 3, 0)
    same = {p: np.tile(v[:17], 3) for p, v in kinetics.regions[0].items()}  # one person thrice
    kinetics = dataclasses.replace(kinetics, regions=(same, kinetics.regions[1]))
    curves = tissue_curves(PAIR, mixing, kinetics=kinetics).regions[0]
    late = [mixing.seen[0].nonzero()[0][-1]]
    assert np.ptp(curves[:, 3, late]) > 1e-3 * curves[:, 3, late].mean()
    assert curves.shape == (3, 17, len(mixing.frames))


@pytest.mark.parametrize("delay", [0.0, 1200.0])
def test_it_is_better_than_one_gaussian_and_knows_how_well(delay):
    problem, x = small_problem(delay)
    found, linear = Tissues().fit(problem), Linear().fit(problem)
    assert found.x.dtype == torch.float32 and (found.x[:, ~problem.mask] == 0).all()
    seen = torch.as_tensor(problem.seen)
    for i in range(2):
        true = x[i][problem.mask][:, seen[i]]
        ours, theirs = (f.x[i][problem.mask][:, seen[i]] - true for f in (found, linear))
        assert ours.square().mean() < 0.8 * theirs.square().mean()
        sd = found.std[i][problem.mask][:, seen[i]]
        assert 0.5 < float((ours / sd.clamp_min(1e-6)).square().mean().sqrt()) < 2.0
        assert (found.x[i][..., ~seen[i]] == 0).all()
    again = Tissues().fit(problem, threads=2)
    assert torch.equal(again.x, found.x)


def test_neighbours_tell_the_tissue_of_a_voxel():
    problem, _ = small_problem()
    mixture = tissue_mixture(problem)
    estimate = LinearEstimate(problem.spaces, problem.decay, problem.weights)
    white = estimate.whitened(problem.mixture[problem.mask].double()).float()
    noise = problem.noise[problem.mask]
    alone, _ = mixture.responsibilities(white, noise)
    thin = near_weights(mixture, problem, 0.5, rounds=1)  # a filter of one voxel
    floor = 0.02 * torch.exp(torch.as_tensor(mixture.log_weight)).float()
    torch.testing.assert_close(thin.exp(), alone + floor, atol=1e-4, rtol=1e-3)
    wide = near_weights(mixture, problem, 400.0, rounds=1)
    torch.testing.assert_close(wide.exp().mean(0), alone.mean(0) + floor, atol=2e-3, rtol=0.05)
    together, _ = mixture.responsibilities(white, noise, near_weights(mixture, problem, 10.0))

    def unsure(shares):
        return float(-(shares * (shares + 1e-9).log()).sum(1).mean())

    assert unsure(together) < 0.9 * unsure(alone)


def test_what_is_refused():
    problem, _ = small_problem()
    with pytest.raises(UsageError, match="no tissues"):
        Tissues().fit(dataclasses.replace(problem, tissues=None))
    for wrong in ({"neighbours": -1.0}, {"steps": -1}, {"broad": 0.0}, {"alike": 200.0}):
        with pytest.raises(UsageError):
            Tissues.Settings(**wrong)
    with pytest.raises(UsageError, match="fwhm"):
        Tissues(Tissues.Settings(fwhm=-2.0)).fit(problem)


def test_the_usual_method(tmp_path, monkeypatch):
    pair = parse_tracers("FMZ,FDG")
    monkeypatch.setenv("BETAPLUS_BUNDLES", str(tmp_path))
    assert usual_method(pair, 1200.0, tmp_path) == ("inn", "")
    monkeypatch.setattr("betaplus.generative.bundle._PACKAGE", tmp_path / "nothing")
    method, why = usual_method(pair, 1200.0)
    assert method == "tissues" and "no weights" in why
    folder = tmp_path / "separation-inn-v1"
    folder.mkdir()
    config = BundleConfig(
        task="separation", name="inn", version=1, architecture={}, settings={}, sha256="0" * 64,
        validity={PAIR_NAME: ["FMZ+FDG"], DELAY: [0.0, 40.0]},
    )  # fmt: skip
    (folder / "config.json").write_text(json.dumps(dataclasses.asdict(config)))
    assert usual_method(pair, 1200.0) == ("inn", "")
    for other, delay in ((pair, 2700.0), (parse_tracers("FDG,FMZ"), 1200.0)):
        method, why = usual_method(other, delay)
        assert method == "tissues" and "outside what its network is for" in why
    monkeypatch.setenv("BETAPLUS_BUNDLES", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="not a folder"):
        usual_method(pair, 1200.0)
