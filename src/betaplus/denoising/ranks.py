"""Pieces of a volume shared among processes that torchrun started.

Every process prepares the same volume, computes its share of the pieces, and hands it to the first,
which keeps the journal and writes. What is shared is decided by the first alone, by what its
journal lacks, and pieces are the same wherever they are computed: the result has the bits of one
process. Pieces of other processes reach the journal when a frame's are all computed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch.distributed as dist

from betaplus.engine import Block, Journal
from betaplus.generative.distributed import Team

__all__ = ["Ranks"]


class Ranks:
    """The processes, seen from one of them.

    Attributes:
        first: Whether this is the one that writes.
        several: Whether there are others.
        here: How many of them share this machine.

    Args:
        team: As `betaplus.generative.distributed.join_team` gives it.
    """

    def __init__(self, team: Team) -> None:
        self.first, self.several = team.rank == 0, team.size > 1
        self.here = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if team.size > 1 else 1
        self._rank, self._size = team.rank, team.size

    def first_says(self, what: Any = None) -> Any:
        """Return what the first process gave, in all of them."""
        if self._size == 1:
            return what
        said = [what]
        dist.broadcast_object_list(said, 0)
        return said[0]

    def share(self, plan: Sequence[Block], journal: Journal | None, stage: str) -> list[Block]:
        """Return the blocks of a plan that are this process's, those in the journal the first's."""
        if self._size == 1:
            return list(plan)
        kept = None
        if self.first and journal is not None:
            kept = {block.index for block in plan if journal.load(block, stage) is not None}
        kept = self.first_says(kept) or set()
        waiting = [block.index for block in plan if block.index not in kept]
        mine = set(waiting[self._rank :: self._size]) | (kept if self.first else set())
        return [block for block in plan if block.index in mine]

    def collect(
        self,
        found: dict[int, np.ndarray],
        plan: Sequence[Block],
        journal: Journal | None,
        stage: str,
    ) -> None:
        """Put the pieces of all processes into what the first has found, and into its journal.

        Args:
            found: Index to piece, of this process.
            plan: All blocks.
            journal: Of the first.
            stage: Where pieces are in it.
        """
        if self._size == 1:
            return
        shares: list[Any] | None = [None] * self._size if self.first else None
        dist.gather_object({} if self.first else found, shares, 0)
        blocks = {block.index: block for block in plan}
        for index, piece in ((i, p) for share in shares or () for i, p in share.items()):
            if journal is not None:
                journal.save(blocks[index], {"piece": piece}, stage)
            found[index] = piece
