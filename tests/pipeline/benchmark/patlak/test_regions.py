"""Regions of small studies: what they are."""

import numpy as np

from betaplus.pipeline.benchmark.patlak.coverage.regions import regions_of


def test_regions_are_organs_spheres_in_one_organ_and_lesions(simulated) -> None:
    mask = simulated.body
    found = regions_of(simulated, mask, 3)
    organs = [r for r in found if r.kind == "organ"]
    spheres = [r for r in found if r.kind == "sphere"]
    assert organs and spheres
    assert not {"BowelGas", "Airways"} & {r.name for r in found}
    assert np.sum([r.inside for r in organs], axis=0).max() == 1
    for region in spheres:
        at = np.argwhere(region.inside) * 8.0
        assert np.linalg.norm(at[:, None] - at[None], axis=-1).max() <= 24.0
        assert len(np.unique(simulated.labels[region.inside])) == 1
    volume = 0.512
    assert all(r.inside.sum() * volume >= 1.0 for r in found)
    again = regions_of(simulated, mask, 3)
    assert all((a.inside == b.inside).all() for a, b in zip(found, again, strict=True))
