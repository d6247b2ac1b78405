"""Boxes and what is made of them: noise, doses, corrections."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from betaplus.denoising.noise import noise_width
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.denoiser.batches import ItemBatches, make_item, scan_width
from betaplus.pipeline.training.denoiser.corpus import make_boxes
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.simulation.fields import sigma_of_fwhm

PLAN = DenoiserPlan(
    voxel=8.0, people=2, paints=1, boxes=2, box=24, margin=4, edge=16, widths=(4, 4)
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("boxes")
    assert list(make_boxes(folder, PLAN, range(2), 0, 1)) == [0, 1, 2]
    assert list(make_boxes(folder, PLAN, range(2), 0, 1)) == [2]
    return Corpus.of(folder)


def _box(seed=0, edge=24):
    rng = np.random.default_rng(seed)
    mean = gaussian_filter(rng.random((edge,) * 3), 2.0) * 4.0 + 1.0
    sd = np.full_like(mean, 0.1)
    return np.stack([mean, sd, *rng.standard_normal((2, edge, edge, edge))]).astype(np.float16)


def test_boxes_hold_a_mean_its_relative_noise_and_two_draws(corpus):
    boxes = np.concatenate([corpus.volume(i) for i in range(2)]).astype(np.float32)
    assert boxes.shape == (4, 4, 24, 24, 24)
    inside = boxes[:, 0] > 0.3
    assert inside.any()
    for draw in (2, 3):
        assert boxes[:, draw][inside].std() == pytest.approx(1.0, abs=0.25)
    both = np.corrcoef(boxes[:, 2][inside], boxes[:, 3][inside])[0, 1]
    assert abs(both) < 0.1


def test_noise_rises_as_the_dose_falls_and_the_mean_stays():
    box = _box()
    item = {dose: make_item(box, dose, 0.0, 0, 3.0) for dose in (1.0, 0.25)}
    sd = {dose: float(((i.noisy - i.clean) / i.clean).std()) for dose, i in item.items()}
    assert sd[1.0] == pytest.approx(0.1, rel=0.05)
    assert sd[0.25] / sd[1.0] == pytest.approx(2.0, rel=0.05)
    assert torch.equal(item[1.0].clean, item[0.25].clean)


def test_the_post_filter_is_a_gaussian():
    box = _box(edge=40)
    sharp, soft = (make_item(box, 0.1, fwhm, 1, 3.0) for fwhm in (0.0, 6.0))
    sigma = sigma_of_fwhm(6.0) / 3.0
    for name in ("noisy", "clean"):
        expected = gaussian_filter(getattr(sharp, name).numpy(), sigma, mode="mirror")
        assert np.allclose(getattr(soft, name), expected, atol=2e-3)


def test_the_correction_leads_from_noisy_to_clean(corpus):
    """The means that the network is shown lead from the noisy image towards the clean one."""
    item = ItemBatches(corpus, PLAN)._draw(np.random.default_rng(3))
    assert item["images"].shape == (1, 19, 16, 16, 16)
    assert float(item["sd"].square().mean()) == pytest.approx(1.0, rel=1e-4)
    # Noise goes in units of the noise, and is not far from 1 of them.
    assert 0.2 < float(item["z"].std()) < 5.0
    # z is what is missing: it goes where the means lead.
    finest = (item["basis"][:, :1] * item["z"]).mean()
    assert float(finest) > 0.0


def test_the_noise_of_a_scan_is_correlated_little_further_than_that_of_its_parts():
    rng = np.random.default_rng(0)
    white = np.random.default_rng(1).standard_normal((32, 32, 32))
    noise = torch.from_numpy(gaussian_filter(white, 0.8, mode="wrap").astype(np.float32))
    noise = noise[None, None]
    noisy = 4.0 + noise
    own = float(noise_width(noisy, noise))
    drawn = torch.cat([scan_width(noisy, noise, rng) for _ in range(50)])
    assert own == pytest.approx(0.8, abs=0.08)
    assert -0.04 < float(drawn.min()) - own < 0.02
    assert 0.15 < float(drawn.max()) - own < 0.21


def test_two_processes_share_a_batch(corpus):
    batches = ItemBatches(corpus, PLAN)
    whole = batches(4, torch.Generator().manual_seed(5))
    halves = [batches(4, torch.Generator().manual_seed(5), rank, 2) for rank in range(2)]
    for name, values in whole.items():
        for rank in range(2):
            assert torch.equal(values[rank::2], halves[rank][name])
