"""Items of training: whoever makes them they are the same, and what they hold is what it says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.separation.small_study import small_problem, small_study

from betaplus.generative.training_step import stream_key
from betaplus.pipeline.training.prefetch import Prefetched
from betaplus.pipeline.training.separation.batches import StudyBatches
from betaplus.pipeline.training.separation.items import error_metric
from betaplus.pipeline.training.separation.plan import SeparationPlan
from betaplus.pipeline.training.separation.studies import (
    study_problem,
    true_coefficients,
    with_noise,
)
from betaplus.pipeline.training.separation.validation import Validation
from betaplus.separation.canonical import canonical
from betaplus.separation.features import features
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.network import SeparationNetwork, SeparationSize
from betaplus.separation.network_loss import metric_loss
from betaplus.separation.tissue_curves import tissue_curves
from betaplus.simulation.dual_study import FIRST_TRAIN, FIRST_TUNING

PLAN = SeparationPlan(
    people=2, subjects=8, voxels=(5.0,), widths=(4,), edge=12, studies=2, boxes=2, noises=1,
    inverse=0.1, mixing=0.1, held=1,
)  # fmt: skip


def made(seed: int, plan: SeparationPlan = PLAN, rank: int = 0, world: int = 1):
    generator = torch.Generator().manual_seed(seed)
    return StudyBatches(plan)(plan.items, generator, rank, world)


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_items_follow_from_the_seed_alone():
    torch.set_num_threads(1)
    batch = made(1)
    assert batch["linear"].shape == (4, 12, 12, 12, 12)
    assert batch["condition"].shape[:2] == (4, 64) and batch["condition"].dtype == torch.float16
    assert all(torch.isfinite(value.float()).all() for value in batch.values())
    assert same(batch, made(1)) and not same(batch, made(2))
    start = metric_loss(batch["linear"], batch["truth"], batch["metric"], batch["where"])
    assert float(start) == pytest.approx(1.0, rel=1e-3)  # no scan outweighs the others
    parts = [made(1, rank=rank, world=2) for rank in (0, 1)]
    assert same(batch, {k: torch.cat([part[k] for part in parts]) for k in batch})
    makes = StudyBatches(PLAN)
    for seed in (5, 2):  # what was made before, and for whom, does not count
        makes(PLAN.items, torch.Generator().manual_seed(seed))
    assert same(batch, makes(PLAN.items, torch.Generator().manual_seed(1)))


def test_scans_that_are_used_again_are_mirrored():
    torch.set_num_threads(1)
    plan = dataclasses.replace(PLAN, scans=1, studies=1, boxes=1, inverse=0.0, mixing=0.0)
    makes = StudyBatches(plan)
    batches = [makes(1, torch.Generator().manual_seed(seed), 0, 1) for seed in range(6)]
    first = batches[0]
    assert same(first, StudyBatches(plan)(1, torch.Generator().manual_seed(0), 0, 1))
    voxels = [batch["linear"].flatten(2).sort(2).values for batch in batches]
    assert all(torch.equal(one, voxels[0]) for one in voxels)
    assert len({batch["linear"].numpy().tobytes() for batch in batches}) > 2
    for batch in batches:  # images are mirrored together
        where = batch["where"].bool().expand(-1, 12, -1, -1, -1)
        assert (batch["truth"][~where] == 0).all()
        assert (batch["truth"][where] != 0).float().mean() > 0.99


def test_processes_make_what_one_does():
    torch.set_num_threads(1)
    plan = dataclasses.replace(PLAN, studies=1, boxes=1, noises=2)

    def key(step: int) -> int:
        return stream_key(3, "batch", step)

    found = []
    for workers in (0, 1):
        with Prefetched(StudyBatches(plan), plan.items, key, workers) as batches:
            generators = [torch.Generator().manual_seed(key(step)) for step in (0, 1)]
            found.append([batches(step, 0, 1, g) for step, g in enumerate(generators)])
    assert all(same(one, other) for one, other in zip(*found, strict=True))


def test_parts_of_a_scan_differ_in_place_and_draws_of_a_part_in_noise():
    parts = made(4, dataclasses.replace(PLAN, studies=1))
    assert torch.equal(parts["context"][0, 12:15], parts["context"][1, 12:15])  # one protocol
    assert not torch.equal(parts["where"][0], parts["where"][1])
    draws = made(4, dataclasses.replace(PLAN, studies=1, boxes=1, noises=2))
    assert torch.equal(draws["where"][0], draws["where"][1])
    assert not torch.equal(draws["linear"][0], draws["linear"][1])
    assert torch.equal(draws["where"][0], parts["where"][0])


def test_the_spaces_and_tissues_are_those_of_the_exact_response():
    study, problem = small_study(), small_problem()[0]
    protocol = study.protocol
    exact = tissue_curves(
        protocol.tracers, protocol.mixing, blood=study.blood, arrivals=study.arrivals, subjects=12
    ).scaled((1.0 / problem.scale,) * 2)
    for i in (0, 1):
        space = exact.space(protocol.mixing, i, weights=problem.weights)
        turned = canonical(space, study.frames, protocol.injections[i])
        size = np.abs(turned.basis).max()
        np.testing.assert_allclose(problem.spaces[i].mean, turned.mean, atol=1e-5 * size)
        np.testing.assert_allclose(
            problem.spaces[i].basis[:, 0], turned.basis[:, 0], atol=1e-3 * size
        )
        for name in ("regions", "voxels", "altered"):
            one, other = getattr(problem.tissues, name)[i], getattr(exact, name)[i]
            np.testing.assert_allclose(one, other, atol=2e-6 * np.abs(other).max())


def test_what_the_network_sees_and_makes_is_of_order_1():
    plan = dataclasses.replace(PLAN, studies=6, level=(2.0, 20.0))
    batch = made(7, plan)
    inside = batch["where"].bool().expand(-1, 12, -1, -1, -1)
    start, truth = (batch[name][inside] for name in ("linear", "truth"))
    assert 0.3 < start.std() < 2.0 and start.abs().quantile(0.999) < 8.0
    assert 0.3 < (truth - start).std() < 2.0 and (truth - start).abs().quantile(0.999) < 8.0


def test_true_coefficients_make_the_true_images():
    problem, x = small_problem()
    c = true_coefficients(problem, x)
    assert (c[:, ~problem.mask] == 0).all()
    estimate = LinearEstimate(problem.spaces, problem.decay, problem.weights)
    curves = estimate.curves(c[:, problem.mask].T)
    for i in range(2):
        true = x[i][problem.mask]
        error = (curves[i] - true).square().mean() / true.square().mean()
        assert float(error.sqrt()) < 0.05
    assert 0.3 < float(c[:, problem.mask].std()) < 2.0


def test_the_linear_estimate_is_expected_a_loss_of_1():
    """Coefficients from the prior, noise as told: the metric is normalised for this."""
    problem, _ = small_problem()
    shown = features(problem)
    sigma = float(problem.noise[problem.mask].median())
    generator = torch.Generator().manual_seed(0)
    c = torch.randn((20000, 12), generator=generator, dtype=torch.float64)
    d, w = (torch.as_tensor(a) for a in (problem.decay, problem.weights))
    pair = shown.estimate.curves(c)
    noise = sigma * torch.randn(pair[0].shape, generator=generator, dtype=torch.float64)
    mixture = d[0] * pair[0] + d[1] * pair[1] + noise / w.sqrt()
    z = shown.estimate.coefficients(mixture, sigma)
    metric = error_metric(problem, shown).double()
    loss = metric_loss(z.T[None, :, :, None, None], c.T[None, :, :, None, None], metric)
    assert float(loss) == pytest.approx(1.0, rel=0.03)
    halves = [metric_loss(e[None, :, :, None, None], torch.zeros(1), part) for e, part in (
        ((z - c).T, _only(metric, 0)), ((z - c).T, _only(metric, 1)))]  # fmt: skip
    assert [float(half) for half in halves] == pytest.approx([0.5, 0.5], rel=0.05)


def _only(metric: torch.Tensor, tracer: int) -> torch.Tensor:
    part = slice(6 * tracer, 6 * tracer + 6)
    own = torch.zeros_like(metric)
    own[part, part] = metric[part, part]
    return own


def test_other_noise_is_of_the_same_scan():
    study = small_study()
    problem = study_problem(study, subjects=8)
    other = with_noise(problem, study, 4.0, 1)
    clean = torch.from_numpy(study.clean / np.float32(problem.scale))
    one, two = (p.mixture - clean for p in (problem, other))
    assert float(two.std() / one.std()) == pytest.approx(0.5, rel=0.05)
    assert float(other.noise.mean() / problem.noise.mean()) == pytest.approx(0.5, rel=1e-4)
    assert abs(float(np.corrcoef(one.flatten(), two.flatten())[0, 1])) < 0.05
    assert other.spaces is problem.spaces
    found = one.square().mean((0, 1, 2)).numpy() * problem.weights
    inside = problem.noise[problem.mask].square().mean()
    assert found.mean() == pytest.approx(float(inside), rel=0.4)
    assert study_problem(study, population=True, subjects=8).blood == (None, None)


def test_validation_is_of_people_that_are_not_learned_from():
    assert FIRST_TRAIN + SeparationPlan().people < FIRST_TUNING
    held = Validation(PLAN)
    size = SeparationSize(
        dimensions=3, first=6, second=6, condition=64, context=18, widths=(4,), stem=1
    )
    with torch.no_grad():
        figures = held.measure(SeparationNetwork(size).eval(), False)
    assert figures.pop("score") == pytest.approx(0.0, abs=1e-6)
    assert len(figures) == 16
    for name, value in figures.items():
        other = figures[name.replace("NRMSE,", "NRMSE of tissues,")]
        assert value == pytest.approx(other, rel=1e-6) and 0.0 < value < 1.0
    assert figures["NRMSE, FDG at 0 min"] > 1.5 * figures["NRMSE, FDG at 20 min"]


@pytest.mark.parametrize(("delay", "judged"), [((5.0, 20.0), {10, 20}), ((5.0, 5.0), {5})])
def test_delays_are_judged_that_are_learned(delay, judged):
    figures = Validation(dataclasses.replace(PLAN, delay=delay, held=1)).cases
    assert {case.delay for case in figures} == judged


def test_the_noise_of_training_is_known():
    makes = StudyBatches(PLAN)
    low, high = makes.noise_range(3, torch.Generator().manual_seed(0))
    assert 0.001 < low < high < 1.0
    assert makes.noise_range(3, torch.Generator().manual_seed(0)) == (low, high)
