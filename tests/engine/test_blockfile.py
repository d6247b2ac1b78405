"""Block files give back the bits they were given, or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from betaplus.engine.blockfile import load_arrays, save_arrays

ANY = npst.arrays(
    st.one_of(npst.floating_dtypes(), npst.integer_dtypes(), npst.boolean_dtypes()),
    npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.sampled_from(["mean", "file", "Ki", "std"]), ANY))
def test_arrays_come_back_bit_for_bit(tmp_path, arrays):
    path = tmp_path / "block_0-1.npz"
    save_arrays(path, arrays)
    loaded = load_arrays(path)
    assert loaded is not None and list(loaded) == list(arrays)
    for name, array in arrays.items():
        assert (loaded[name].dtype, loaded[name].shape) == (array.dtype, array.shape)
        assert loaded[name].tobytes() == array.tobytes()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_every_torn_or_altered_file_is_ignored(tmp_path):
    path = tmp_path / "block_0-3.npz"
    save_arrays(path, {"mean": np.arange(3.0)})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert load_arrays(path) is None
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert load_arrays(path) is None
    path.write_bytes(whole)
    assert load_arrays(path)["mean"].tolist() == [0.0, 1.0, 2.0]


def test_objects_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(TypeError, match="'draws'"):
        save_arrays(tmp_path / "a.npz", {"draws": np.array([None])})
    assert not list(tmp_path.iterdir())
