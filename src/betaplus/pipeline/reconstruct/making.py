"""The frames of a run, made or read from its journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from betaplus.core.progress import Progress
from betaplus.engine import EngineCrew, Journal
from betaplus.engine.plan import Block
from betaplus.pipeline.reconstruct.choice import Chosen
from betaplus.reconstruction.frames import FrameReconstructor

__all__ = ["Made", "make_frames"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Made:
    """Frames that were made.

    Attributes:
        images: Shape (X, Y, Z, T).
        sd: Over draws, likewise; None for one draw, or none.
        variation: The same over the mean.
        blocks: Pieces of work: frames, or steps of all draws.
        resumed: How many of them were read.
        blobs: Of each frame, what the counts demanded beyond what a prior drew: rows of voxel,
            width [mm] and score [SD].
    """

    images: np.ndarray
    sd: np.ndarray | None
    variation: np.ndarray | None
    blocks: int
    resumed: int
    blobs: tuple[np.ndarray, ...] = ()

    def refuted(self, affine: np.ndarray) -> Iterator[str]:
        """Yield in words where counts refuted a prior's image, frame by frame.

        Args:
            affine: Voxel to millimetres, shape (4, 4).
        """
        for n, rows in enumerate(self.blobs):
            if not len(rows):
                continue
            frame = f"frame {n}: " if len(self.blobs) > 1 else ""
            best = rows[np.argmax(np.abs(rows[:, 4]))]
            place = ", ".join(f"{v:.0f}" for v in affine[:3, :3] @ best[:3] + affine[:3, 3])
            yield (
                f"{frame}the counts refute the prior's image where blobs were put in"
                f" ({len(rows)}): the strongest, of {abs(best[4]):.1f} SD, at ({place}) mm is"
                f" {'hot' if best[4] > 0 else 'cold'}"
            )


def make_frames(
    frames: FrameReconstructor,
    chosen: Chosen,
    journal: Journal,
    seed: int,
    progress: Progress,
    crew: EngineCrew | None = None,
) -> Made:
    """Make frame after frame, each with its journal.

    Of methods with a score model every step is kept, so that a frame goes on in its middle.

    Args:
        frames: Makes them.
        chosen: How.
        journal: Where frames and steps are kept.
        seed: Of draws.
        progress: What to report to.
        crew: Workers elsewhere: frames side by side, and of methods with a score model the draws of
            a frame; None makes one after the other here.
    """
    made = _elsewhere(frames, chosen, journal, seed, progress, crew)
    found: list[dict[str, np.ndarray]] = []
    blocks = resumed = 0
    for n in range(frames.scan.n_frames):
        block = _block(n, seed)
        read = journal.load(block)
        arrays = read
        if arrays is None and chosen.score is None:
            arrays = {"image": made[n] if made is not None else frames.frame(n, progress)}
        elif arrays is None:
            draws = frames.draws(n, progress, _Steps(journal, block), crew)
            arrays = {"image": draws.mean, "steps": np.array(draws.steps)}
            if draws.blobs:
                rows = [[*blob.voxel, blob.width, blob.score] for blob in draws.blobs]
                arrays["blobs"] = np.array(rows)
            if chosen.samples > 1:
                arrays |= {"std": draws.sd, "cv": draws.variation}
            resumed += draws.resumed
        if read is None and made is None:
            journal.save(block, arrays)
        steps = int(arrays["steps"]) if "steps" in arrays else 1
        blocks += steps
        resumed += steps if read is not None else 0
        found.append(arrays)
    stats = {
        name: np.stack([one[name] for one in found], axis=-1)
        for name in ("image", "std", "cv")
        if name in found[0]
    }
    return Made(
        images=stats["image"], sd=stats.get("std"), variation=stats.get("cv"), blocks=blocks,
        resumed=resumed, blobs=tuple(one.get("blobs", np.empty((0, 5))) for one in found),
    )  # fmt: skip


def _elsewhere(
    frames: FrameReconstructor,
    chosen: Chosen,
    journal: Journal,
    seed: int,
    progress: Progress,
    crew: EngineCrew | None,
) -> dict[int, np.ndarray] | None:
    """Return the frames that are missing, made by workers; None where none are to make them."""
    if crew is None or chosen.score is not None:
        return None
    blocks = [_block(n, seed) for n in range(frames.scan.n_frames)]
    missing = [block.index for block in blocks if journal.load(block) is None]
    made: dict[int, np.ndarray] = {}
    progress.start("frames", len(missing))
    for n, image in zip(missing, frames.images(missing, crew), strict=True):
        journal.save(blocks[n], {"image": image})
        made[n] = image
        progress.advance()
    progress.finish()
    return made


def _block(frame: int, seed: int) -> Block:
    part = (slice(frame, frame + 1),)
    return Block(frame, part, part, seed)


@dataclass(frozen=True, eq=False)
class _Steps:
    """Arrays of a frame in the journal, by name."""

    journal: Journal
    block: Block

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        """Return arrays, or None if they are not there."""
        return self.journal.load(self.block, name)

    def save(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write arrays, in place of those of that name."""
        self.journal.save(self.block, dict(arrays), name)
