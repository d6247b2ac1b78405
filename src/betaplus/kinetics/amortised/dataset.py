"""A corpus in memory, and batches of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from betaplus.core.errors import InputError

__all__ = ["Dataset", "corpus_files", "split"]

_HELD_OUT_EVERY = 25  # studies: one in so many is for validation


def corpus_files(folder: Path) -> list[Path]:
    """Return the studies of a corpus in order."""
    return sorted(folder.glob("study-*.npz"))


def split(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return studies to train on and studies to validate on."""
    held_out = [path for path in files if int(path.stem[-5:]) % _HELD_OUT_EVERY == 0]
    return [path for path in files if path not in set(held_out)], held_out


class Dataset:
    """Conditions and whitened draws of many curves, in half precision until a batch is made."""

    def __init__(self, arrays: Sequence[dict[str, np.ndarray]]) -> None:
        def joined(name: str) -> Tensor:
            return torch.from_numpy(np.concatenate([part[name] for part in arrays]))

        self.tokens, self.features, self.free = (joined(n) for n in ("tokens", "features", "free"))
        self.count, self.x = joined("frames").long(), joined("x")

    @classmethod
    def read(cls, files: Sequence[Path]) -> Dataset:
        """Read studies that `betaplus.kinetics.amortised.corpus.make_corpus` wrote.

        Raises:
            InputError: If there are none, or one cannot be read.
        """
        if not files:
            raise InputError("the corpus holds no study", "at least 26, some of them held out")
        arrays = []
        for path in files:
            try:
                with np.load(path, allow_pickle=False) as file:
                    arrays.append(dict(file))
            except (OSError, ValueError) as error:
                raise InputError(f"{path.name} cannot be read: {error}") from error
        return cls(arrays)

    def __len__(self) -> int:
        return len(self.x)

    def batch(
        self, curves: int, draws: int, generator: Generator, rank: int = 0, world: int = 1
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return tokens, counts, features, free places and draws (curves / world, draws, D)."""
        chosen = torch.randint(len(self), (curves,), generator=generator)
        order = torch.rand(curves, self.x.shape[1], generator=generator).argsort(1)[:, :draws]
        chosen, order = chosen[rank::world], order[rank::world]
        x = torch.gather(self.x[chosen], 1, order[..., None].expand(-1, -1, self.x.shape[2]))
        longest = int(self.count[chosen].max())
        return (
            self.tokens[chosen, :longest].float(),
            self.count[chosen],
            self.features[chosen].float(),
            self.free[chosen].float(),
            x.float(),
        )
