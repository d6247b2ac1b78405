"""The rules of --resume and --overwrite, and what is left on disk after each ending."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from betaplus.core.errors import InputError, OutputError, UsageError
from betaplus.engine import Journal, content_key, plan_curves

RESULT = {"mean": np.arange(4.0)}
BLOCK = plan_curves(4)[0]


@pytest.fixture
def out(folder):
    return folder.parent.parent


@pytest.fixture
def files(out):
    return {"outputs": [out / "Ki.nii.gz", out / "K1.nii.gz"], "record": out / "run.json"}


def leave_unfinished(folder, key):
    with pytest.raises(KeyboardInterrupt), Journal.open(folder, key) as journal:
        journal.save(BLOCK, RESULT)
        raise KeyboardInterrupt


def finish(files, key):
    files["record"].parent.mkdir(parents=True, exist_ok=True)
    for path in files["outputs"]:
        path.write_text("old")
    files["record"].write_text(json.dumps({"key": key.digest}))


def snapshot(out):
    return {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_a_run_from_start_to_end_leaves_only_outputs(folder, key, files, out):
    with Journal.open(folder, key, **files) as journal:
        assert not (journal.done or journal.resumed)
        assert journal.load(BLOCK) is None
        journal.save(BLOCK, RESULT)
        np.testing.assert_array_equal(journal.load(BLOCK)["mean"], RESULT["mean"])
        assert journal.load(BLOCK, "delay") is None
        finish(files, key)
        journal.complete()
    assert {p.name for p in out.iterdir()} == {"Ki.nii.gz", "K1.nii.gz", "run.json"}


def test_both_flags_are_refused(folder, key, out):
    with pytest.raises(UsageError, match=r"--resume and --overwrite"):
        Journal.open(folder, key, resume=True, overwrite=True)
    assert not out.exists()


@pytest.mark.parametrize("state", ["unfinished", "finished", "part of the outputs"])
def test_what_is_there_needs_a_flag(folder, key, files, out, state):
    if state == "unfinished":
        leave_unfinished(folder, key)
    else:
        finish(files, key)
    if state == "part of the outputs":
        files["record"].unlink()
        files["outputs"][0].unlink()
    before = snapshot(out)
    with pytest.raises(OutputError, match=r"--resume .*--overwrite") as caught:
        Journal.open(folder, key, **files)
    assert str(out) in str(caught.value)
    assert snapshot(out) == before


def test_resume_continues_what_was_left(folder, key, files):
    leave_unfinished(folder, key)
    with Journal.open(folder, key, resume=True, **files) as journal:
        assert journal.resumed and not journal.done
        np.testing.assert_array_equal(journal.load(BLOCK)["mean"], RESULT["mean"])


def test_resume_with_nothing_there_starts(folder, key, files):
    with Journal.open(folder, key, resume=True, **files) as journal:
        assert not journal.resumed and not journal.done


def test_resume_after_the_end_has_nothing_to_do(folder, key, files, out):
    leave_unfinished(folder, key)  # killed after the record and before the folder went
    finish(files, key)
    for _ in range(2):
        with Journal.open(folder, key, resume=True, **files) as journal:
            assert journal.done
            with pytest.raises(ValueError, match="finished"):
                journal.save(BLOCK, RESULT)
        assert {p.name for p in out.iterdir()} == {"Ki.nii.gz", "K1.nii.gz", "run.json"}


def test_resume_computes_again_when_an_output_has_gone(folder, key, files):
    finish(files, key)
    files["outputs"][1].unlink()
    with Journal.open(folder, key, resume=True, **files) as journal:
        assert not journal.done and not journal.resumed


def test_resume_with_another_key_names_the_difference(folder, key, files, out):
    leave_unfinished(folder, key)
    before = snapshot(out)
    other = content_key({}, {"method": "nlls", "samples": 100}, {"betaplus": "0.1.0"})
    with pytest.raises(OutputError, match=r"differs in settings\.method;"):
        Journal.open(folder, other, resume=True, **files)
    assert snapshot(out) == before


@pytest.mark.parametrize("record", [True, False])
def test_resume_after_another_finished_run_is_refused(folder, key, files, out, record):
    finish(files, content_key({}, {}, {}))
    if not record:
        files["record"].unlink()
    before = snapshot(out)
    with pytest.raises(OutputError, match=r"Ki\.nii\.gz is not from a run with these"):
        Journal.open(folder, key, resume=True, **files)
    assert snapshot(out) == before


def test_overwrite_drops_the_journal_and_keeps_outputs_until_replaced(folder, key, files):
    leave_unfinished(folder, key)
    finish(files, key)
    (folder / "curves.zarr").mkdir()
    with Journal.open(folder, key, overwrite=True, **files) as journal:
        assert journal.load(BLOCK) is None
        assert {p.name for p in folder.iterdir()} == {"key.json", "lock"}
        assert files["outputs"][0].read_text() == "old"


@pytest.mark.parametrize("flags", [{}, {"resume": True}, {"overwrite": True}])
def test_two_runs_in_one_folder_are_kept_apart(folder, key, flags):
    with Journal.open(folder, key) as journal:
        journal.save(BLOCK, RESULT)
        with pytest.raises(OutputError, match="another run is at work"):
            Journal.open(folder, key, **flags)
        assert journal.load(BLOCK) is not None
    with Journal.open(folder, key, resume=True) as journal:
        assert journal.resumed


def test_a_child_that_holds_the_file_does_not_hold_the_lock(folder, key):
    with Journal.open(folder, key) as journal:
        journal.save(BLOCK, RESULT)
        copy = os.dup(journal._lock.fileno())  # as of a child between fork and exec
    try:
        with Journal.open(folder, key, resume=True) as again:
            assert again.resumed
    finally:
        os.close(copy)


@pytest.mark.parametrize("out_exists", [True, False])
@pytest.mark.parametrize(
    ("error", "saved", "kept"),
    [
        (InputError("x"), True, False),
        (UsageError("x"), False, False),
        (OutputError("disk full"), False, False),
        (OutputError("disk full"), True, True),
        (KeyboardInterrupt(), False, True),
        (ZeroDivisionError(), True, True),
    ],
)
def test_what_an_error_leaves(folder, key, out, error, saved, kept, out_exists):
    if out_exists:
        out.mkdir()
        (out / "mine.txt").touch()
    before = {p.name for p in out.iterdir()} if out_exists else None
    with pytest.raises(type(error)), Journal.open(folder, key) as journal:
        if saved:
            journal.save(BLOCK, RESULT)
        raise error
    if kept:
        assert (folder / "key.json").exists()
    else:
        assert out.exists() == out_exists
        assert before is None or {p.name for p in out.iterdir()} == before


def test_a_user_error_on_resume_keeps_the_journal(folder, key):
    leave_unfinished(folder, key)
    with pytest.raises(InputError), Journal.open(folder, key, resume=True):
        raise InputError("x")
    with Journal.open(folder, key, resume=True) as journal:
        assert journal.load(BLOCK) is not None


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path, key):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="cannot"):
        Journal.open(tmp_path / "out" / ".betaplus" / "a_kinetics", key)
    assert (tmp_path / "out").read_text() == "a file"


def test_only_work_folders_are_opened(tmp_path, key):
    with pytest.raises(ValueError, match="not a work folder"):
        Journal.open(tmp_path, key, overwrite=True)
