"""The family against organ labels of a real CT: does the patient fit among its bodies?

One patient says little of a spread: each figure must lie within 3.5 SD of the family's mean, and
most within 2.5. Left out are his pancreas (19 mL, shrunken) and his colon (1.6 L).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from betaplus.simulation.body.make import make_body
from betaplus.simulation.body.regions import BODY_LABELS

_PATH = Path(os.environ.get("BETAPLUS_DATA", "")) / "body_totalsegmentator"
_FILE = _PATH / "example_seg_fast_force_split.nii.gz"
# Region of the phantom to labels of TotalSegmentator's task "total".
_SAME = {
    "Liver": (5,),
    "Gallbladder": (4,),
    "Stomach": (6,),
    "SmallBowel": (18, 19),
    "Bladder": (21,),
    "Aorta": (52, 65, 66),
}
_INDEX = {name: index for index, name in BODY_LABELS.items()}


def _points(labels: np.ndarray, affine: np.ndarray, wanted: tuple[int, ...]) -> np.ndarray:
    return np.argwhere(np.isin(labels, wanted)) @ affine[:3, :3].T + affine[:3, 3]


def _figures(
    right: np.ndarray, left: np.ndarray, organ: Callable[[str], np.ndarray]
) -> dict[str, float]:
    """Distances [mm] from the middle of the kidneys, between the planes that the CT has."""
    middle = 0.5 * (right.mean(axis=0) + left.mean(axis=0))
    out = {
        "kidneys apart": float(right[:, 0].mean() - left[:, 0].mean()),
        "right kidney lower": float(left[:, 2].mean() - right[:, 2].mean()),
        "kidney length": float(np.ptp(np.percentile(right[:, 2], [1, 99]))),
    }
    for name in _SAME:
        p = organ(name) - middle
        p = p[(p[:, 2] > -250.0) & (p[:, 2] < 70.0)]
        for axis, direction in ((0, "right"), (2, "up")):
            out[f"{name} {direction}"] = float(p[:, axis].mean())
    return out


@pytest.mark.slow
@pytest.mark.skipif(not _FILE.exists(), reason="BETAPLUS_DATA has no body_totalsegmentator")
def test_a_patient_fits_among_the_bodies() -> None:
    import nibabel as nib

    image = nib.as_closest_canonical(nib.load(_FILE))
    labels, affine = np.asarray(image.dataobj).astype(int), image.affine
    real = _figures(
        _points(labels, affine, (2,)),
        _points(labels, affine, (3,)),
        lambda name: _points(labels, affine, _SAME[name]),
    )
    family: list[dict[str, float]] = []
    for seed in range(200, 216):
        p = make_body(seed, voxel=6.0)
        kidneys = _points(p.labels, p.affine, (_INDEX["KidneyCortex"],))
        family.append(
            _figures(
                kidneys[kidneys[:, 0] > 0],
                kidneys[kidneys[:, 0] < 0],
                lambda name, p=p: _points(p.labels, p.affine, (_INDEX[name],)),  # type: ignore
            )
        )
    scores = {}
    for key, value in real.items():
        own = [figures[key] for figures in family]
        scores[key] = (value - np.mean(own)) / np.std(own)
    far = np.abs(list(scores.values()))
    assert (far < 3.5).all(), scores
    assert (far < 2.5).mean() >= 0.8, scores
