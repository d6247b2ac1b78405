"""Draws of an image to draws of its maps, and what is said of an image that holds a prior."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import betaplus as bp
from betaplus.core.errors import InputError, UsageError
from betaplus.denoising import method as denoising
from betaplus.patlak.past import WITH_PRIOR, past_remarks
from betaplus.reconstruction import method as reconstruction

from . import scans


def drawn(noise: float = 0.02) -> list:
    return [scans.scan(noise=noise, seed=seed) for seed in range(4)]


def test_maps_of_draws_are_those_of_each() -> None:
    images = drawn()
    found = bp.patlak.fit_draws(images, scans.blood(), t_star=1800.0)
    for n, image in enumerate(images):
        alone = bp.patlak.fit(image, scans.blood(), method="ls", t_star=1800.0)
        np.testing.assert_array_equal(found.draws["Ki"][n], alone.Ki)
    np.testing.assert_allclose(found.std["V0"], found.draws["V0"].std(0, ddof=1), rtol=1e-5)
    mask = np.zeros(scans.SHAPE, bool)
    mask[1:4, 2, 3:6] = True
    np.testing.assert_allclose(
        found.region(mask), [x[mask].mean(dtype=np.float64) for x in found.draws["Ki"]], rtol=1e-6
    )


def test_draws_without_spread_have_none() -> None:
    truth = scans.maps()
    found = bp.patlak.fit_draws(iter([scans.scan(truth)] * 2), scans.blood(), t_star=1200.0)
    np.testing.assert_allclose(found.mean["Ki"], truth[0], rtol=2e-3)
    assert not found.std["Ki"].any()


def test_t_star_is_that_of_the_first_draw() -> None:
    images = drawn()
    first = bp.patlak.fit(images[0], scans.blood(), method="ls")
    assert bp.patlak.fit_draws(images, scans.blood()).t_star == first.study.t_star


@pytest.mark.parametrize("method", ["hqs", "gibbs", "tv", "nlm", "nothing"])
def test_a_prior_on_draws_is_refused(method: str) -> None:
    with pytest.raises(UsageError, match="hold a prior already"):
        bp.patlak.fit_draws(drawn(), scans.blood(), method=method)


def test_draws_that_are_none_are_refused() -> None:
    images = drawn()
    with pytest.raises(InputError, match="1 draws"):
        bp.patlak.fit_draws(images[:1], scans.blood(), t_star=1800.0)
    moved = dataclasses.replace(images[1], affine=np.diag([4.0, 4, 5, 1]))
    with pytest.raises(InputError, match="elsewhere in space"):
        bp.patlak.fit_draws([images[0], moved], scans.blood(), t_star=1800.0)
    frames = dataclasses.replace(scans.FRAMES, start=scans.FRAMES.start + 1.0)
    late = dataclasses.replace(images[1], frames=frames)
    with pytest.raises(InputError, match="other frame times"):
        bp.patlak.fit_draws([images[0], late], scans.blood(), t_star=1800.0)


@pytest.mark.parametrize("method", ["dds", "map-em", "mmse"])
def test_an_image_with_a_prior_is_remarked_on(method: str) -> None:
    image = scans.scan(noise=0.02, metadata={"betaplus": {"method": method}})
    found = bp.patlak.fit(image, scans.blood(), method="wls", t_star=1800.0)
    assert any(f"with a prior ({method})" in text for text in found.remarks)


@pytest.mark.parametrize("about", [{}, {"betaplus": {"method": "osem"}}, {"betaplus": "text"}])
def test_other_images_are_not(about: dict) -> None:
    assert not past_remarks(scans.scan(metadata=about))


def test_names_are_those_of_the_verbs() -> None:
    known = {*reconstruction.METHODS, *reconstruction.SCORE_METHODS} - {"osem"}
    known |= {*denoising.METHODS} - {"gaussian", "nlm"}
    assert set(WITH_PRIOR) == known
