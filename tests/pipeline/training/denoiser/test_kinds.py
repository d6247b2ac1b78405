"""Networks of draws: what they learn from, how they are judged, and that a run resumes."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.pipeline.training.denoiser.test_train_denoiser import CONFIG, _stops_at

from betaplus.core.errors import UsageError
from betaplus.denoising.bundle import load_denoiser
from betaplus.denoising.draw_network import LEVELS
from betaplus.denoising.draw_network import SPREAD as SPREAD_OF_R
from betaplus.denoising.inputs import BASIS, CHANNELS, Shown
from betaplus.generative.denoiser import leading
from betaplus.generative.image_denoiser import NoiseLevels
from betaplus.pipeline.training.denoiser.distillation import distillation_loss
from betaplus.pipeline.training.denoiser.draw_validation import (
    DrawValidation,
    draw_by_consistency,
    draw_by_solver,
    fair_crps,
)
from betaplus.pipeline.training.denoiser.kinds import KINDS
from betaplus.pipeline.training.denoiser.loss import draw_loss
from betaplus.pipeline.training.denoiser.train import train_denoiser

MEAN, SPREAD, LOWEST = 3.0, 0.25, LEVELS[0]


def posterior(z, sigma):
    """The denoiser of N(MEAN, SPREAD^2)."""
    return MEAN + SPREAD**2 / (SPREAD**2 + leading(sigma, z) ** 2) * (z - MEAN)


def distilled(z, sigma):
    """The D whose `ode_end` is where the probability-flow ODE of N(MEAN, SPREAD^2) ends."""
    level = leading(sigma, z)
    end = MEAN + (z - MEAN) * ((SPREAD**2 + LOWEST**2) / (SPREAD**2 + level**2)).sqrt()
    share = 1.0 - LOWEST / level
    return torch.where(share > 1e-5, z + (end - z) / share, z)


def wider(share):
    """The same, but what it adds to the mean is a share of what it should be."""
    return lambda z, sigma: MEAN + share * (distilled(z, sigma) - MEAN)


class _Network(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
        self.anchor = torch.nn.Parameter(torch.zeros(()))

    def forward(self, z, sigma, shown, told):
        assert torch.equal(shown.mean, torch.full_like(z, MEAN))
        return self.function(z, sigma)

    def mean(self, shown, told):
        return torch.full_like(shown.images[:, :1], MEAN)


def _batch(n):
    z = torch.randn((n, 1, 8, 8, 8), generator=torch.Generator().manual_seed(0))
    return {"z": MEAN + SPREAD * z, "images": z, "basis": z, "told": torch.zeros(n, 2)}


def test_what_ends_where_the_ode_does_has_the_least_loss():
    batch, teacher = _batch(16), _Network(posterior)

    def loss(function, done):
        generator = torch.Generator().manual_seed(1)
        return float(distillation_loss(_Network(function), teacher, batch, done, generator))

    for done in (0.0, 1.0):
        exact = loss(distilled, done)
        for share in (0.9, 1.1):
            assert exact < 0.7 * loss(wider(share), done)
        assert exact < 0.3 * loss(posterior, done)
    # What is left is the error of the teacher's steps, which shorten as a run goes on.
    assert loss(distilled, 1.0) < loss(distilled, 0.0)


def test_networks_see_z_and_all_levels_in_their_own_units():
    seen = {"network": [], "teacher": []}

    def watch(name, function):
        def watched(x, sigma):
            seen[name].append((x, sigma))
            return function(x, sigma)

        return _Network(watched)

    generator = torch.Generator().manual_seed(1)
    for _ in range(8):
        network, teacher = watch("network", distilled), watch("teacher", posterior)
        distillation_loss(network, teacher, _batch(64), 0.0, generator)
    for name, calls in seen.items():
        levels = torch.cat([sigma for _, sigma in calls])
        assert float(levels.min()) == pytest.approx(LOWEST, rel=1e-5), name
        assert float(levels.max()) == pytest.approx(LEVELS[1], rel=1e-5), name
        for x, sigma in calls:
            ratio = (x - MEAN).square().mean((1, 2, 3, 4)) / (SPREAD**2 + sigma**2)
            assert float(ratio.mean()) == pytest.approx(1.0, abs=0.1), name


def test_the_denoiser_of_the_posterior_has_the_least_loss_of_draws():
    levels = NoiseLevels(low=LEVELS[0], high=LEVELS[1], mean=-0.2, sd=1.3)

    def loss(function, n=32):
        generator = torch.Generator().manual_seed(2)
        return float(draw_loss(_Network(function), _batch(n), levels, generator))

    def beside(mean, spread):
        return lambda z, sigma: mean + spread**2 / (spread**2 + leading(sigma, z) ** 2) * (z - mean)

    best = loss(posterior)
    for other in (
        beside(MEAN + 0.1, SPREAD),
        beside(MEAN - 0.1, SPREAD),
        beside(MEAN, 0.7 * SPREAD),
        beside(MEAN, 1.4 * SPREAD),
    ):
        assert loss(other) > 1.01 * best
    # Errors of a posterior variance count one where noise is little, and all of r where it hides r.
    generator, weight = torch.Generator().manual_seed(2), 2.0 / MEAN**2
    sigma = levels.draw(32, generator)
    left = SPREAD**2 * sigma**2 / (SPREAD**2 + sigma**2)
    weights = (sigma**2 + SPREAD_OF_R**2) / (sigma * SPREAD_OF_R) ** 2
    assert best == pytest.approx(weight * float((weights * left).mean()), rel=0.03)


def test_the_score_is_least_for_draws_of_the_right_spread():
    rng = np.random.default_rng(0)
    truth = torch.from_numpy(rng.standard_normal(20_000))
    draws = torch.from_numpy(rng.standard_normal((4, 20_000)))
    score = {s: float(fair_crps(s * draws, truth).mean()) for s in (0.0, 0.5, 1.0, 1.5)}
    assert score[1.0] == pytest.approx(np.pi**-0.5, rel=0.02)
    assert score[0.0] == pytest.approx((2 / np.pi) ** 0.5, rel=0.02)
    assert score[1.0] < min(score[0.5], score[1.5])


def _boxes():
    """Boxes whose noise is N(-MEAN, SPREAD^2) times its SD, of which the mean is known."""
    generator = torch.Generator().manual_seed(100)
    shape, cases = (1, 1, 24, 24, 24), []
    for _ in range(8):
        noisy, sd = torch.full(shape, 4.0), torch.full(shape, 0.5)
        clean = noisy + sd * (MEAN + SPREAD * torch.randn(shape, generator=generator))
        shown = Shown(
            images=torch.zeros(1, CHANNELS, *shape[2:]), basis=torch.zeros(1, BASIS, *shape[2:])
        )
        cases.append((0.1, noisy, clean, sd, shown))
    return SimpleNamespace(voxel=3.0, cases=cases, inner=(..., *[slice(2, 22)] * 3))


@pytest.mark.parametrize(
    ("draw", "function"), [(draw_by_solver, posterior), (draw_by_consistency, distilled)]
)
def test_exact_draws_lose_what_theory_says_and_spread_right(draw, function):
    found = DrawValidation(_boxes(), draw).measure(_Network(function), bf16=False)
    mean = 10 * np.log10((MEAN**2 + SPREAD**2) / SPREAD**2)
    assert found["gain of the mean [dB]"] == pytest.approx(mean, abs=0.1)
    assert found["gain of a draw [dB]"] == pytest.approx(mean - 10 * np.log10(2), abs=0.15)
    four = mean - 10 * np.log10(1.25)
    assert found["gain of the mean of 4 draws [dB]"] == pytest.approx(four, abs=0.1)
    assert found["spread over error"] == pytest.approx(1.0, abs=0.06)
    # A draw of four and the truth are alike: 1 / sqrt(pi) of an SD, at voxels and at blocks of 64.
    assert found["score"] == pytest.approx(SPREAD * np.pi**-0.5 * (1 + 1 / 8), rel=0.03)


def test_draws_that_do_not_spread_have_the_better_mean_and_the_worse_score():
    boxes = _boxes()
    right = DrawValidation(boxes, draw_by_solver).measure(_Network(posterior), bf16=False)
    flat = DrawValidation(boxes, draw_by_solver).measure(
        _Network(lambda z, sigma: torch.full_like(z, MEAN)), bf16=False
    )
    mean = "gain of the mean of 4 draws [dB]"
    assert flat[mean] > right[mean] and flat["score"] > right["score"]
    assert flat[mean] == pytest.approx(flat["gain of the mean [dB]"], abs=1e-3)
    assert flat["spread over error"] < 0.1


@pytest.fixture(autouse=True, scope="module")
def few():
    """One box at each dose validates, few tell the range of the noise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("betaplus.pipeline.training.denoiser.train._VALIDATION", 1)
        patch.setattr("betaplus.pipeline.training.denoiser.train._LEVELS", 4)
        yield


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> dict[str, Path]:
    """All three, each from the one before; a folder for all."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("chain")
    (out / "plan.toml").write_text("version = 1\n" + CONFIG.format(steps=3))
    made: dict[str, Path] = {}
    for kind in KINDS.values():
        before = {"draws": made.get("mean"), "fast": made.get("draws")}.get(kind.name)
        made[kind.name] = train_denoiser(
            out, kind=kind.name, bundle=before, config=out / "plan.toml", workers=1, resume=True
        )
    return made


@pytest.mark.parametrize("kind", ["draws", "fast"])
def test_a_run_cut_short_ends_with_the_bits_of_one_that_was_not(chain, kind, tmp_path):
    out = chain[kind].parents[1]
    (tmp_path / "corpus").symlink_to(out / "corpus")
    start = chain["mean" if kind == "draws" else "draws"]
    again = {"kind": kind, "bundle": start, "config": out / "plan.toml", "workers": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("betaplus.generative.training._Loop._share_done", _stops_at(2))
        with pytest.raises(KeyboardInterrupt):
            train_denoiser(tmp_path, **again, resume=True)
    bundle = train_denoiser(tmp_path, **again, resume=True)
    first, second = (load_file(folder / "model.safetensors") for folder in (chain[kind], bundle))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_bundles_say_what_they_are_and_where_they_came_from(chain):
    names = {"mean": "body", "draws": "draws", "fast": "fast"}
    for kind, name in names.items():
        assert chain[kind].name == f"denoiser-{name}-v1"
        gives = load_denoiser(name, chain[kind]).bundle.config.settings["gives"]
        assert gives == (["mean", "draws"] if kind == "draws" else [kind])
        training = json.loads((chain[kind] / "training.json").read_text())
        if kind != "mean":
            start = load_denoiser(
                *{"draws": ("body", chain["mean"]), "fast": ("draws", chain["draws"])}[kind]
            )
            assert training["data"]["start"] == start.bundle.checksum
            assert np.isfinite(training["metrics"]["spread over error"])
    card = (chain["fast"] / "README.md").read_text()
    assert "1 to 4 calls" in card and "3 simulated bodies" in card


def test_the_mean_goes_along_and_stays_and_the_rest_learns(chain):
    body, draws, fast = (
        load_file(chain[kind] / "model.safetensors") for kind in ("mean", "draws", "fast")
    )
    for name, weights in body.items():
        assert torch.equal(draws[f"center.{name}"], weights), name
        assert torch.equal(fast[f"center.{name}"], weights), name
    learned = [name for name in draws if not name.startswith("center.")]
    assert len(learned) + len(body) == len(draws)
    assert not all(torch.equal(draws[name], fast[name]) for name in learned)


def _other(tmp_path: Path, chain: dict[str, Path]) -> Path:
    """A network for the mean with other weights."""
    (tmp_path / "corpus").symlink_to(chain["mean"].parents[1] / "corpus")
    short = tmp_path / "short.toml"
    short.write_text(CONFIG.format(steps=1))
    return train_denoiser(tmp_path, config=short, workers=1)


def test_what_is_refused(chain, tmp_path, monkeypatch):
    config = chain["mean"].parents[1] / "plan.toml"
    with pytest.raises(UsageError, match="expected one of mean, draws, fast"):
        train_denoiser(tmp_path / "new", kind="slow")
    with pytest.raises(UsageError, match="is trained for mean"):
        train_denoiser(tmp_path / "new", kind="fast", bundle=chain["mean"], config=config)
    with pytest.raises(UsageError, match="network that the earlier run started from"):
        train_denoiser(
            chain["fast"].parents[1], kind="draws", bundle=_other(tmp_path, chain), resume=True,
            config=config,
        )  # fmt: skip
    other = tmp_path / "other.toml"
    other.write_text("widths = [8, 8]\n")
    with pytest.raises(UsageError, match=r"widths is \(8, 8\); expected \(4, 4\)"):
        train_denoiser(tmp_path / "new", kind="draws", bundle=chain["mean"], config=other)
    monkeypatch.setenv("BETAPLUS_BUNDLES", str(tmp_path))
    monkeypatch.setattr("betaplus.generative.bundle._PACKAGE", tmp_path)
    with pytest.raises(UsageError, match="betaplus train denoiser --kind draws"):
        train_denoiser(tmp_path / "new", kind="fast")
    assert not (tmp_path / "new").exists()
