"""The published layout: what is read, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from scipy.io import savemat
from tests.pipeline.training.separation.mat_cases import FRAMES, write_sequences

from betaplus.core.errors import InputError
from betaplus.pipeline.training.separation.mat_files import find_mat_files, read_mat
from betaplus.pipeline.training.separation.slices import FileSlices, SliceBatches

PAIR = ("FMZ", "FDG")


def test_slices_are_read_frames_first(tmp_path):
    files = find_mat_files(write_sequences(tmp_path / "data"), PAIR)
    assert len(files) == 3 and files.frames == FRAMES
    mixed, pair = files.slice(1)
    assert mixed.shape == (FRAMES, 14, 11) and pair.shape == (2 * FRAMES, 14, 11)
    assert mixed.dtype == pair.dtype == np.float32
    assert np.abs(mixed - pair[:FRAMES] - pair[FRAMES:]).max() < 0.06
    assert np.abs(pair[FRAMES]).max() == 0 and pair[0].max() == 1  # FMZ first, as in the pair
    turned = find_mat_files(tmp_path / "data", PAIR[::-1]).slice(1)[1]
    assert np.array_equal(turned[:FRAMES], pair[FRAMES:])


def test_people_cannot_be_told_apart_but_files_are(tmp_path):
    files = find_mat_files(write_sequences(tmp_path / "data", 14), PAIR)
    training, held = files.split()
    assert len(held) == 1 and len(training) == 13
    assert not set(held.names) & set(training.names)
    assert files.checksum() != training.checksum()
    with pytest.raises(InputError, match=r"1 slice in .*; expected two or more"):
        held.split()


def test_batches_are_in_the_scale_of_the_mixture(tmp_path):
    files = find_mat_files(write_sequences(tmp_path / "data"), PAIR)
    batches = SliceBatches(FileSlices(files), 8)
    batch = batches(4, torch.Generator().manual_seed(1))
    assert batch["mixture"].shape == (4, FRAMES, 8, 8)
    assert batch["sequences"].shape == (4, 2 * FRAMES, 8, 8)
    assert float(batch["mixture"].max()) <= 1.0
    one, two = batch["sequences"].chunk(2, 1)
    assert float((batch["mixture"] - one - two).abs().max()) < 0.06
    again = batches(4, torch.Generator().manual_seed(1))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    whole = SliceBatches(FileSlices(files), None)(2, torch.Generator().manual_seed(1))
    assert whole["mixture"].shape == (2, FRAMES, 14, 11)
    assert whole["mixture"].amax((1, 2, 3)).tolist() == pytest.approx([1.0, 1.0])
    larger = SliceBatches(FileSlices(files), 16)(2, torch.Generator().manual_seed(1))
    assert larger["mixture"].shape == (2, FRAMES, 16, 16)


def no_folder(data):
    (data / "fdg").rename(data / "fdopa")


def unequal(data):
    (data / "fdg" / "slice001.mat").unlink()


def other_names(data):
    (data / "fmz" / "slice001.mat").rename(data / "fmz" / "slice009.mat")


def empty(data):
    for path in data.rglob("*.mat"):
        path.unlink()


def other_frames(data):
    savemat(data / "fmz" / "slice000.mat", {"data": np.zeros((14, 11, FRAMES + 1))})


def other_shape(data):
    savemat(data / "fmz" / "slice000.mat", {"data": np.zeros((14, 12, FRAMES))})


def other_key(data):
    savemat(data / "hybrid" / "slice000.mat", {"img": np.zeros((14, 11, FRAMES))})


def flat(data):
    savemat(data / "hybrid" / "slice000.mat", {"data": np.zeros((14, 11))})


def not_finite(data):
    savemat(data / "fdg" / "slice000.mat", {"data": np.full((14, 11, FRAMES), np.nan)})


def damaged(data):
    (data / "fdg" / "slice000.mat").write_bytes(b"nothing of the kind")


def new_version(data):
    text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512)
    (data / "hybrid" / "slice000.mat").write_bytes(text + b"\x89HDF")


WRONG = {
    no_folder: "has no folder fdg; expected hybrid, fmz and fdg; name the tracers' folders",
    unequal: r"slice001.mat is in hybrid alone of hybrid and fdg \(2 and 3 files\)",
    other_names: "slice001.mat is in hybrid alone of hybrid and fmz",
    empty: "no .mat files in .*hybrid",
    other_frames: "fmz/slice000.mat has 6 frames; expected 5 as the first file has",
    other_shape: "fmz/slice000.mat is 14 x 12 x 5; expected 14 x 11 x 5 as in hybrid",
    other_key: r"hybrid/slice000.mat has no array 'data'; expected numbers \(H, W, T\)",
    flat: "has float64 of 2 axes as 'data'; expected numbers",
    not_finite: "fdg/slice000.mat holds NaN or infinite values",
    damaged: "fdg/slice000.mat cannot be read as a MATLAB file",
    new_version: "is a MATLAB file of version 7.3; .* save it with the option -v7",
}


@pytest.mark.parametrize("spoil", WRONG, ids=lambda f: f.__name__)
def test_what_is_refused(tmp_path, spoil):
    data = write_sequences(tmp_path / "data")
    spoil(data)
    with pytest.raises(InputError) as refused:
        find_mat_files(data, PAIR)
    assert re.search(WRONG[spoil], str(refused.value)), refused.value
    assert "\n" not in str(refused.value)


def test_numbers_of_any_kind_are_read(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"data": np.arange(24, dtype=np.uint16).reshape(2, 3, 4)})
    assert read_mat(path).dtype == np.float32 and read_mat(path)[1, 2, 3] == 23
