"""Parts of a body are imaged as they are in the whole."""

import numpy as np
import pytest

from betaplus.pipeline.benchmark.denoise.cases import groups, make_scan
from betaplus.pipeline.benchmark.denoise.trunk import cut_scan, trunk_box, trunk_in
from betaplus.pipeline.training.corpus import FIRST_TEST


@pytest.fixture(scope="module")
def scans():
    whole = make_scan(groups()[0], FIRST_TEST, 8.0, lesions=15)
    box = trunk_box(whole.scan)
    part, low = cut_scan(whole.scan, box)
    return whole, box, trunk_in(whole.group, whole.person, whole.scan, part, low)


def test_the_mean_and_the_noise_are_those_of_the_whole(scans):
    whole, box, part = scans
    assert part.scan.activity.shape[2] == 30
    inner = (slice(None), slice(None), slice(6, -6))  # blur reaches across what was cut
    known = whole.reference[box][inner]
    body = part.body[inner]
    np.testing.assert_allclose(part.reference[inner][body], known[body], rtol=0.03, atol=0.02)
    sds = [s.surrogate.linear_sd for s in (whole, part)]
    ratio = sds[1][inner][body] / sds[0][box][inner][body]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.02)


def test_labels_places_and_lesions_move_along(scans):
    whole, _, part = scans
    label = next(k for k, n in part.scan.phantom.names.items() if n == "Liver")
    first, old = (np.argwhere(s.scan.phantom.labels == label)[0] for s in (part, whole))
    places = [s.scan.phantom.affine @ [*at, 1.0] for s, at in ((part, first), (whole, old))]
    np.testing.assert_allclose(*places)
    known = {lesion.centre: lesion for lesion in whole.scan.lesions}
    assert part.scan.lesions
    for lesion in part.scan.lesions:
        before = known[lesion.centre]
        np.testing.assert_array_equal(
            part.scan.activity.ravel()[lesion.voxels], whole.scan.activity.ravel()[before.voxels]
        )
