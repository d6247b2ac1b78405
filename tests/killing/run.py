"""Kills a verb at random moments, resumes it, and compares with a run that was left alone."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tests.killing.forked import Started, import_verbs, start
from tests.killing.studies import OUT, VERBS

from betaplus.engine.blockfile import load_arrays

__all__ = ["Findings", "kill", "visible", "write_study"]


@dataclass
class Findings:
    """What happened.

    Attributes:
        seconds: Time of the run that was left alone [s].
        first: Until its first block was finished [s].
        blocks: Its blocks.
        early: Kills before anything was finished.
        midway: Kills with finished blocks in the journal.
        writing: Kills with outputs visible already.
        late: Moments after the end.
        resumed: Blocks that were not repeated, over all kills.
        bad: What must not be.
    """

    seconds: float = 0.0
    first: float = 0.0
    blocks: int = 0
    early: int = 0
    midway: int = 0
    writing: int = 0
    late: int = 0
    resumed: int = 0
    bad: list[str] = field(default_factory=list)


def kill(verb: str, number: int, seed: int, folder: Path, engine: str = "threads") -> Findings:
    """Kill a verb at random moments: half of them in all of its run, half after the first block.

    Args:
        verb: Its name.
        number: Of kills.
        seed: Of the moments.
        folder: An empty one to work in.
        engine: Of the runs that are killed and resumed.
    """
    import_verbs(verb)
    whole, findings, said = folder / "whole", Findings(), folder / "said"
    plain = write_study(verb, folder)

    def run(out: Path, *more: str) -> Started:
        typed = [str(out) if item == str(OUT) else item for item in plain]
        return start(lambda: main([*typed, "--quiet", "--workers", "2", *more]), said)

    from betaplus.cli.main import main

    for turn in range(2):  # the first one compiles
        shutil.rmtree(whole, ignore_errors=True)
        alone = run(whole)
        findings.first = _until_a_block(alone, whole / ".betaplus" / f"sub-01_{verb}")
        code, findings.seconds = alone.wait(), alone.seconds
        if code != 0:
            findings.bad.append(f"run {turn} ended with {code}: {alone.text()[-500:]}")
            return findings
    expected, out = visible(whole), folder / "out"
    findings.blocks = _record(whole, verb)["blocks_done"]
    rng = random.Random(f"{verb} {seed}")
    for i in range(number):
        begin = findings.first if i % 2 else 0.0
        moment = begin + rng.random() * (findings.seconds - begin)
        killed = run(out, "--engine", engine)
        while killed.seconds < moment and not killed.over():
            time.sleep(0.002)
        code = killed.kill()
        work = out / ".betaplus" / f"sub-01_{verb}"
        seen, held, key = visible(out), _held(work), (work / "key.json").exists()
        wrong = [f"{name} is half there" for name in seen if seen[name] != expected.get(name)]
        if code not in (0, -9):
            wrong.append(f"ended with {code}: {killed.text()[-300:]}")
        findings.late += code == 0
        findings.early += code != 0 and not held
        findings.midway += code != 0 and bool(held)
        findings.writing += code != 0 and bool(seen)
        again = run(out, "--resume", "--engine", engine)
        if again.wait() != 0:
            wrong.append(f"--resume failed: {again.text()[-300:]}")
        else:
            wrong += _compared(visible(out), expected)
            record = _record(out, verb)
            if record["blocks_done"] != findings.blocks:
                wrong.append(f"{record['blocks_done']} blocks, expected {findings.blocks}")
            if code != 0 and key and record["blocks_resumed"] != held:
                wrong.append(f"{record['blocks_resumed']} blocks resumed of {held} finished")
            findings.resumed += record["blocks_resumed"] if code != 0 else 0
            left = [path.name for path in out.iterdir() if path.name.startswith(".")]
            if set(left) - {".bidsignore"}:
                wrong.append(f"left behind: {', '.join(left)}")
        findings.bad += [f"kill {i} after {moment:.2f} s: {text}" for text in wrong]
        shutil.rmtree(out, ignore_errors=True)
    return findings


def _until_a_block(process: Started, work: Path) -> float:
    while not process.over() and not any(work.glob("[!.]*.npz")):
        time.sleep(0.002)
    return process.seconds


def write_study(verb: str, folder: Path) -> list[str]:
    """Write the study of a verb in a forked process, this one is to compute nothing.

    Args:
        verb: Its name.
        folder: Where to put it.

    Returns:
        What is typed after ``betaplus``, with `OUT` for the output folder.
    """
    (folder / "study").mkdir(parents=True)
    typed = folder / "command.json"

    def write() -> None:
        typed.write_text(json.dumps([str(item) for item in VERBS[verb](folder / "study")]))

    written = start(write, folder / "said")
    if written.wait() != 0:
        raise RuntimeError(f"no study of {verb}: {written.text()[-500:]}")
    found: list[str] = json.loads(typed.read_text())
    return found


def _record(out: Path, verb: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / f"sub-01_{verb}_run.json").read_text())
    return found


def visible(out: Path) -> dict[str, str]:
    """Return what a user sees: name to digest; of what holds times only whether it is whole."""
    found: dict[str, str] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_dir() or any(part.startswith(".") for part in name.split("/")):
            continue
        content = path.read_bytes()
        if name.endswith("_run.json"):
            found[name] = "whole" if content.rstrip().endswith(b"}") else "half"
        elif name.endswith(".html"):
            found[name] = "whole" if content.rstrip().endswith(b"</html>") else "half"
        else:
            found[name] = hashlib.sha256(content).hexdigest()
    return found


def _compared(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    names = sorted(found.keys() | expected.keys())
    return [f"{name} differs" for name in names if found.get(name) != expected.get(name)]


def _held(work: Path) -> int:
    """Return the blocks and steps that a journal holds, as `run.json` counts them."""
    files: dict[str, dict[str, np.ndarray]] = {}
    for path in work.glob("[!.]*.npz"):  # a file is finished when it has its name
        arrays = load_arrays(path)
        if arrays is not None:
            files[path.stem] = arrays
    finished = {name.split("_")[-1] for name in files if name.startswith("block_")}
    volumes = {int(name.split("_")[1].split("-")[0]) for name in files if name.startswith("volume")}
    count = 0
    for name, arrays in files.items():
        stage, _, region = name.rpartition("_")
        if stage == "volume":  # of denoise: all pieces of a frame
            count += int(json.loads(arrays["about"].tobytes())["blocks"])
        elif stage.startswith("frame-"):
            count += int(stage.removeprefix("frame-")) - 1 not in volumes
        elif stage == "block":  # of reconstruct: all steps of a frame
            count += int(arrays["steps"]) if "steps" in arrays else 1
        elif stage.startswith("state"):
            count += 0 if region in finished else int(arrays["numbers"][1])
        elif stage.startswith("draw") and "image" in arrays:
            continue  # counted with the state that follows
        else:
            count += int(arrays["done"]) if "done" in arrays else 1
    return count
