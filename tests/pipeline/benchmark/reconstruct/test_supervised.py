"""A U-Net on OSEM learns what is left to learn, and is read back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.pipeline.benchmark.reconstruct.test_reconstruct import small_case

from betaplus.core.progress import Silent
from betaplus.physics.blur import GaussianBlur
from betaplus.pipeline.benchmark.reconstruct.supervised import (
    OsemNetwork,
    inputs_of,
    load_network,
    pairs_of,
    save_network,
    train_network,
)
from betaplus.pipeline.benchmark.result_files import read_arrays
from betaplus.reconstruction.osem import Osem

WIDTHS = (8, 16)


def test_without_training_it_is_osem_with_a_filter() -> None:
    data = small_case("small", 0.1, 0).data(5)
    osem = Osem(Osem.Settings(iterations=1, subsets=5)).run(data, None, Silent())
    smooth = GaussianBlur(data.grid.shape, data.grid.voxel_size, 5.0).forward(osem)
    found = OsemNetwork(WIDTHS).image(data)
    assert np.allclose(found[data.mask], smooth[data.mask], rtol=1e-4, atol=1e-5 * smooth.max())


def test_it_sees_a_slice_and_its_neighbours_in_units_of_their_level() -> None:
    data = small_case("small", 0.1, 0).data(5)
    inputs, unit = inputs_of(data)
    assert inputs.shape == (8, 9, 14, 14)
    for below, here, above in ((0, 1, 2), (3, 4, 5), (6, 7, 8)):
        assert np.array_equal(inputs[1:, below], inputs[:-1, here])
        assert np.array_equal(inputs[:-1, above], inputs[1:, here])
    smooth = inputs[:, 1].astype(float)
    assert (smooth**2).sum() / smooth.sum() == pytest.approx(1.0, rel=1e-4) and unit > 0.0


def test_training_keeps_what_is_best_on_other_heads(tmp_path: Path) -> None:
    paths = [tmp_path / f"{seed}.npz" for seed in (20, 21)]
    for seed, path in zip((20, 21), paths, strict=True):
        pairs_of(small_case("small", 0.01, seed), 5, 2, path)
    arrays = read_arrays(paths[0])
    assert arrays["inputs"].shape == (16, 9, 14, 14) and arrays["truth"].shape == (16, 14, 14)
    network, rows = train_network(paths[:1], paths[1:], 0.05, checks=3, widths=WIDTHS)
    assert [row["steps"] for row in rows] == sorted(row["steps"] for row in rows)
    before, _ = train_network(paths[:1], paths[1:], 1e-9, checks=1, widths=WIDTHS)
    held = read_arrays(paths[1])
    errors = []
    for each in (before, network):
        with torch.no_grad():
            clean = each(torch.from_numpy(held["inputs"].astype(np.float32)))[:, 0].numpy()
        errors.append(np.linalg.norm((clean.clip(0) - held["truth"])[held["mask"]]))
    assert errors[1] < errors[0]

    save_network(tmp_path / "network.npz", network)
    again = load_network(tmp_path / "network.npz")
    data = small_case("small", 0.01, 3).data(5)
    assert np.array_equal(again.image(data), network.image(data))
