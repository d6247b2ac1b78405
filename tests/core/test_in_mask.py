"""Maps that are kept for their voxels."""

import numpy as np
import pytest

from betaplus.core.in_mask import InMask


@pytest.mark.parametrize("more", [(), (3,)])
def test_it_is_the_volume_that_was_cut_out(more):
    rng = np.random.default_rng(0)
    mask = rng.random((4, 5, 6)) < 0.4
    volume = rng.normal(size=(4, 5, 6, *more)).astype(np.float32)
    volume[~mask] = 0.0
    kept = InMask(volume[mask], mask)
    assert (kept.shape, kept.ndim, kept.size) == (volume.shape, volume.ndim, volume.size)
    assert np.array_equal(np.asarray(kept), volume) and np.asarray(kept).dtype == np.float32
    assert np.array_equal(kept[mask], volume[mask])
    assert np.array_equal(kept[mask.copy()], volume[mask])
    assert np.array_equal(kept[1], volume[1])
    for scaled in (2 * kept, kept * 2.0):
        assert isinstance(scaled, InMask) and scaled.dtype == np.float32
        assert np.array_equal(np.asarray(scaled), 2 * volume)
    assert np.array_equal(kept + 1, volume + 1) and np.isnan(kept * np.nan).all()
    assert np.array_equal(kept != 0, volume != 0)
    assert kept.max() == volume.max() and np.median(kept) == np.median(volume)
