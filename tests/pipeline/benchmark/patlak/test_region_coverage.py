"""Intervals of region means against the noise-free truth of a simulated scan."""

from __future__ import annotations

import numpy as np

from betaplus.patlak.fitting import fit_study
from betaplus.patlak.linear import Wls
from betaplus.pipeline.benchmark.patlak.cases import make_case
from betaplus.pipeline.benchmark.patlak.coverage.regions import regions_of
from betaplus.pipeline.patlak.regions import region_columns

DRAWS = 6
DOSES = (1.0, 1 / 10)


def test_90_percent_intervals_hold_about_90_percent_of_region_means(simulated) -> None:
    regions = regions_of(simulated, simulated.body, 3)
    drawings = []  # those of a kind, none over another
    for kind in ("organ", "sphere"):
        labels = np.zeros(simulated.shape, int)
        for i, region in enumerate((r for r in regions if r.kind == kind), start=1):
            labels[region.inside] = i
        drawings.append(labels)
    away: dict[float, list[float]] = {dose: [] for dose in DOSES}
    for draw in range(DRAWS):
        for dose in DOSES:  # one noise
            study = make_case(simulated, dose, draw).study
            fit = fit_study(study, method="wls", settings=Wls.Settings(), prior=None)
            for labels in drawings:
                names = {i: str(i) for i in range(1, labels.max() + 1)}
                columns = region_columns(fit, labels, names)
                for name, clean in zip(("Ki", "V0"), simulated.noise_free, strict=True):
                    truth = [clean[labels == int(i)].mean() for i in columns["region"]]
                    half = 0.5 * (columns[f"{name}-q95"] - columns[f"{name}-q05"])
                    away[dose] += list((columns[name] - truth) / half)
    for values in away.values():
        assert len(values) > 200
        assert 0.85 < np.mean(np.abs(values) < 1.0) < 0.98
        # A normal distribution of which 90 % lie within 1 has an SD of 0.61.
        assert 0.75 < np.sqrt(np.mean(np.square(values))) * 1.6449 < 1.1
