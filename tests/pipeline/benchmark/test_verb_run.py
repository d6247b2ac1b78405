"""A verb in a process of its own: what it took, what it said, why it failed."""

import pytest

from betaplus.pipeline.benchmark.verb_run import run_verb


@pytest.mark.parametrize("logged", [False, True])
def test_a_failure_is_told_in_its_own_words(tmp_path, logged):
    log = tmp_path / "log.txt" if logged else None
    with pytest.raises(RuntimeError, match=r"betaplus patlak ended with 2: .*no input function"):
        run_verb("patlak", ["nowhere.nii", "-o", str(tmp_path / "out")], tmp_path / "no", log=log)
    assert log is None or "no input function" in log.read_text()
