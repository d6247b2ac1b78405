"""What networks of images learn from, kept on disk as float16 arrays, a file or several a person.

Files are named by whose they are, so that people, never parts of one, are kept apart for
validation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError

__all__ = ["FIRST_TEST", "Corpus", "corpus_file", "simulate_people"]

FIRST_TEST = 900_000
"""Anatomies from this number on are never trained on nor validated with."""

_ONE_IN = 12


@dataclass(frozen=True, eq=False)
class Corpus:
    """Volumes on disk.

    Attributes:
        files: In a fixed order.
    """

    files: tuple[Path, ...]

    @classmethod
    def of(cls, folder: Path) -> Corpus:
        """Return the volumes of a folder."""
        return cls(tuple(sorted(folder.glob("*.npy"))))

    @property
    def owners(self) -> list[str]:
        """Whose each volume is."""
        return [file.stem.partition("_")[0] for file in self.files]

    def split(self) -> tuple[Corpus, Corpus]:
        """Return training and validation: one in twelve people, at least one, is in the second.

        Raises:
            InputError: If there are fewer than two people.
        """
        people = sorted(set(self.owners))
        if len(people) < 2:
            raise InputError(
                f"volumes of {len(people)} person", "expected two or more, one of them to validate"
            )
        # By name and not by place, so that more people leave the others where they are.
        rank = sorted(people, key=lambda name: hashlib.sha256(name.encode()).digest())
        held = set(rank[: max(1, len(people) // _ONE_IN)])
        pairs = list(zip(self.files, self.owners, strict=True))
        train = tuple(file for file, owner in pairs if owner not in held)
        return Corpus(train), Corpus(tuple(file for file, owner in pairs if owner in held))

    def volume(self, index: int) -> np.ndarray:
        """Return a volume, shape (X, Y, Z) float16, mapped and not read."""
        return np.load(self.files[index], mmap_mode="r")

    def checksum(self) -> str:
        """Return a checksum of the names and sizes of all volumes and the bytes of a few."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.name} {file.stat().st_size}".encode())
        for file in self.files[:: max(1, len(self.files) // 8)]:
            digest.update(file.read_bytes())
        return digest.hexdigest()


def simulate_people(
    folder: Path,
    people: Sequence[int],
    files: int,
    job: Callable[[Any], None],
    arguments: tuple[Any, ...],
    workers: int,
) -> Iterator[int]:
    """Make the files of people that are not there yet; yields how many people are done.

    Args:
        folder: Where files are.
        people: Numbers of the anatomies.
        files: Of each.
        job: Makes the files of one, given (folder, person, *arguments); a function of a module.
        arguments: Of the job.
        workers: Processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [
        (folder, person, *arguments)
        for person in people
        if not all(corpus_file(folder, person, k).exists() for k in range(files))
    ]
    done = len(people) - len(wanted)
    yield done
    if workers == 1:
        for each in wanted:
            job(each)
            done += 1
            yield done
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(job, wanted):
            done += 1
            yield done


def corpus_file(folder: Path, person: int, part: int) -> Path:
    """Return where a part of a person's data is."""
    return folder / f"person{person:06d}_{part}.npy"
