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

__all__ = ["Alone", "Findings", "held", "kill", "until_a_block", "visible", "write_study"]


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


class Alone:
    """A verb's study, and what a run of it finds that is left alone.

    Attributes:
        seconds: Time of that run [s].
        first: Until its first block was finished [s].
        last: Until the last one was, likewise.
        blocks: Its blocks.
        expected: Its files, see `visible`.
        wrong: Why it failed; empty if it did not.

    Args:
        verb: Its name.
        folder: An empty one to work in.
    """

    def __init__(self, verb: str, folder: Path) -> None:
        import_verbs(verb)
        self._verb, self._said = verb, folder / "said"
        self._plain = write_study(verb, folder)
        self.seconds = self.first = self.last = 0.0
        self.blocks, self.expected, self.wrong = 0, {}, ""
        whole = folder / "whole"
        for turn in range(2):  # the first one compiles
            shutil.rmtree(whole, ignore_errors=True)
            alone = self.run(whole)
            self.first = self.last = until_a_block(alone, self.work(whole))
            seen: set[str] = set()
            while not alone.over():
                new = {path.name for path in self.work(whole).glob("[!.]*.npz")} - seen
                seen |= new
                self.last = alone.seconds if new else self.last
                time.sleep(0.005)
            code, self.seconds = alone.wait(), alone.seconds
            if code != 0:
                self.wrong = f"run {turn} ended with {code}: {alone.text()[-500:]}"
                return
        self.expected, self.blocks = visible(whole), self.record(whole)["blocks_done"]

    def run(self, out: Path, *more: str) -> Started:
        """Start the verb with two workers."""
        from betaplus.cli.main import main

        typed = [str(out) if item == str(OUT) else item for item in self._plain]
        return start(lambda: main([*typed, "--quiet", "--workers", "2", *more]), self._said)

    def work(self, out: Path) -> Path:
        """Return the folder of the journal."""
        return out / ".betaplus" / f"sub-01_{self._verb}"

    def record(self, out: Path) -> dict[str, Any]:
        """Return the run record."""
        found: dict[str, Any] = json.loads((out / f"sub-01_{self._verb}_run.json").read_text())
        return found

    def half_there(self, out: Path) -> list[str]:
        """Return what is visible and not as it is to be."""
        seen = visible(out)
        return [f"{name} is half there" for name in seen if seen[name] != self.expected.get(name)]

    def compared(self, out: Path) -> list[str]:
        """Return how a finished run differs."""
        found, blocks = visible(out), self.record(out)["blocks_done"]
        names = sorted(found.keys() | self.expected.keys())
        wrong = [f"{n} differs" for n in names if found.get(n) != self.expected.get(n)]
        if blocks != self.blocks:
            wrong.append(f"{blocks} blocks, expected {self.blocks}")
        left = {path.name for path in out.iterdir() if path.name.startswith(".")}
        if left - {".bidsignore"}:
            wrong.append(f"left behind: {', '.join(left)}")
        return wrong


def kill(verb: str, number: int, seed: int, folder: Path, engine: str = "threads") -> Findings:
    """Kill a verb at random moments: half of them in all of its run, half after the first block.

    Args:
        verb: Its name.
        number: Of kills; moments after the end are drawn again.
        seed: Of the moments.
        folder: An empty one to work in.
        engine: Of the runs that are killed and resumed.
    """
    alone = Alone(verb, folder)
    findings = Findings(seconds=alone.seconds, first=alone.first, blocks=alone.blocks)
    if alone.wrong:
        findings.bad.append(alone.wrong)
        return findings
    out, rng = folder / "out", random.Random(f"{verb} {seed}")
    work, killed_so_far = alone.work(out), 0
    for _ in range(3 * number):
        if killed_so_far == number:
            break
        after = killed_so_far % 2 == 1
        killed = alone.run(out, "--engine", engine)
        begin = until_a_block(killed, work) if after else 0.0
        moment = begin + rng.random() * (alone.seconds - after * alone.first)
        while killed.seconds < moment and not killed.over():
            time.sleep(0.002)
        code = killed.kill()
        killed_so_far += code != 0
        seen, finished, key = visible(out), held(work), (work / "key.json").exists()
        wrong = alone.half_there(out)
        if code not in (0, -9):
            wrong.append(f"ended with {code}: {killed.text()[-300:]}")
        findings.late += code == 0
        findings.early += code != 0 and not finished
        findings.midway += code != 0 and bool(finished)
        findings.writing += code != 0 and bool(seen)
        again = alone.run(out, "--resume", "--engine", engine)
        if again.wait() != 0:
            wrong.append(f"--resume failed: {again.text()[-300:]}")
        else:
            wrong += alone.compared(out)
            resumed = alone.record(out)["blocks_resumed"]
            if code != 0 and key and resumed != finished:
                wrong.append(f"{resumed} blocks resumed of {finished} finished")
            findings.resumed += resumed if code != 0 else 0
        findings.bad += [f"kill {killed_so_far} after {moment:.2f} s: {text}" for text in wrong]
        shutil.rmtree(out, ignore_errors=True)
    return findings


def until_a_block(process: Started, work: Path, but: tuple[str, ...] = ()) -> float:
    """Wait for the first finished block; return when it was there, since the beginning [s].

    Args:
        process: That works.
        work: Folder of its journal.
        but: Stages that do not count.
    """
    while not process.over():
        names = [path.name for path in work.glob("[!.]*.npz")]
        if any(not but or not name.startswith(but) for name in names):
            break
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


def held(work: Path) -> int:
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
