from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from betaplus.core.posterior import Marginal
from betaplus.report.kinetics.tables import (
    ROW_LIMIT,
    region_table,
    same_decimals,
    status_table,
    voxel_table,
)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.0512, 0.0034], ["0.0512", "0.0034"]),
        ([0.0512, 0.0034, 0.05, 0.0449, 0.06], ["0.0512", "0.0034", "0.0500", "0.0449", "0.0600"]),
        ([12.3, 4.0], ["12.3", "4.0"]),
        ([123.4, 45.0], ["123", "45"]),
        ([0.5, float("nan")], ["0.50", "n/a"]),
        ([float("nan")] * 5, ["n/a"] * 5),
        ([0.0, 0.0], ["0", "0"]),
        ([2.0e-9, 1.0e-9], ["2.00e-09", "1.00e-09"]),
    ],
)
def test_decimals_follow_the_smallest(values: list[float], text: list[str]) -> None:
    assert same_decimals(values) == text


def test_region_table_holds_the_posterior(synthetic, read_page) -> None:
    regions, posterior = synthetic.region_posterior(5)
    (rows,) = read_page(region_table(posterior, regions.names)).tables
    header = [cell[0] for cell in rows[0]]
    assert header == ["region", *synthetic.TYPICAL, "fit"]
    assert [cell[1:] for cell in rows[0]][1:4] == [["mL/cm\u00b3/min"], ["1/min"], ["1/min"]]
    assert [row[0] for row in rows[1:]] == [[name] for name in regions.names]
    for i, row in enumerate(rows[1:]):
        for name, cell in zip(synthetic.TYPICAL, row[1:], strict=False):
            marginal = posterior[name]
            mean, sd = map(float, cell[0].split(" \u00b1 "))
            low, high = map(float, cell[2].split(" to "))
            shown = np.array([mean, sd, float(cell[1]), low, high])
            quantiles = (marginal.quantiles[q][i] for q in (0.5, 0.05, 0.95))
            true = np.array([marginal.mean[i], marginal.std[i], *quantiles])
            decimals = len(cell[1].partition(".")[2])
            np.testing.assert_allclose(shown, true, atol=0.501 * 10.0**-decimals)
            assert 10.0**-decimals < 0.11 * marginal.std[i]
        status, chi2, ess = row[-1]
        assert (
            status == {1: "ok", 3: "refined", 4: "misfit"}[int(posterior.diagnostics["status"][i])]
        )
        assert float(chi2.split()[1]) == pytest.approx(posterior.diagnostics["chi2"][i], rel=5e-3)
        assert float(ess.split()[1].replace(",", "")) == pytest.approx(
            posterior.diagnostics["ess"][i], rel=5e-3
        )


def test_long_tables_are_cut_and_say_so(synthetic, read_page) -> None:
    regions, posterior = synthetic.region_posterior(ROW_LIMIT + 7)
    read = read_page(region_table(posterior, regions.names))
    assert len(read.tables[0]) == ROW_LIMIT + 1
    assert f"The first {ROW_LIMIT} of {ROW_LIMIT + 7} regions" in read.text("caption")


def test_what_a_method_lacks_is_not_invented(synthetic, read_page) -> None:
    regions, posterior = synthetic.region_posterior(2)
    bare = {"K1": Marginal(np.array([0.1, np.nan]), np.array([0.01, np.nan]), {})}
    posterior = replace(posterior, parameters=bare, diagnostics={})
    (rows,) = read_page(region_table(posterior, regions.names)).tables
    assert rows[1][1] == ["0.100 \u00b1 0.010", "n/a", "n/a to n/a"]
    assert rows[2][1] == ["n/a \u00b1 n/a", "n/a", "n/a to n/a"]


def test_voxel_table_counts_voxels_of_the_mask(synthetic, read_page) -> None:
    _, posterior, maps = synthetic.image_posterior()
    mask = posterior.diagnostics["status"] > 0
    maps["K1"][0][tuple(np.argwhere(mask)[0])] = np.nan
    (rows,) = read_page(voxel_table(maps, mask)).tables
    assert [row[0][0] for row in rows[1:]] == list(maps)
    for row, (name, (mean, sd)) in zip(rows[1:], maps.items(), strict=True):
        keep = mask & np.isfinite(mean)
        middle, low, high = np.quantile(mean[keep].astype(float), (0.5, 0.05, 0.95))
        assert float(row[2][0]) == pytest.approx(middle, rel=6e-3)
        shown = [float(v) for v in row[3][0].split(" to ")]
        assert shown == pytest.approx([low, high], rel=6e-3)
        assert float(row[4][0]) == pytest.approx(np.median(sd[keep]), rel=6e-3)
        share = 100 * np.median(sd[keep] / mean[keep])
        assert float(row[5][0].removesuffix(" %")) == pytest.approx(share, rel=6e-3)
        assert int(row[6][0].replace(",", "")) == mask.sum() - (name == "K1")
    empty = {"K1": (np.full((2, 2, 2), np.nan), np.zeros((2, 2, 2)))}
    (rows,) = read_page(voxel_table(empty, None)).tables
    assert rows[1][2] == ["n/a"] and rows[1][6] == ["0"]


def test_status_table_counts_codes(read_page) -> None:
    status = np.repeat([0, 1, 3, 4, 7], [50, 60, 30, 9, 1])
    (rows,) = read_page(status_table(status)).tables
    found = {row[0][0]: (row[1][0], row[3][0], *row[4]) for row in rows[1:]}
    assert found == {
        "0": ("outside", "50"),
        "1": ("ok", "60", "60.00 %"),
        "2": ("re-weighted", "0", "0.00 %"),
        "3": ("refined", "30", "30.00 %"),
        "4": ("misfit", "9", "9.00 %"),
        "7": ("unknown", "1", "1.00 %"),
    }
