"""Draws side by side, kept step by step, and what they say together."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch

from betaplus.core.crew import Crew
from betaplus.core.progress import Progress
from betaplus.reconstruction.method import Watch
from betaplus.reconstruction.score.problem import ScoreProblem
from betaplus.reconstruction.score.pursuit import Blob

__all__ = ["Draws", "Kept", "Sampler", "State", "diffuse", "one_thread"]


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws of an image.

    Attributes:
        images: Shape (draws, X, Y, Z), float32.
        steps: That it took.
        resumed: Those that were read instead of made.
        blobs: What the counts demanded beyond what the prior drew, and is in all images.
    """

    images: np.ndarray
    steps: int = 0
    resumed: int = 0
    blobs: tuple[Blob, ...] = ()

    @property
    def mean(self) -> np.ndarray:
        """Mean over draws, shape (X, Y, Z), float32."""
        return self.images.mean(0, dtype=np.float64).astype(np.float32)

    @property
    def sd(self) -> np.ndarray:
        """Standard deviation over draws, with n - 1; NaN for one draw."""
        if len(self.images) < 2:
            return np.full(self.images.shape[1:], np.nan, dtype=np.float32)
        return self.images.std(0, dtype=np.float64, ddof=1).astype(np.float32)

    @property
    def variation(self) -> np.ndarray:
        """Coefficient of variation, SD over mean; 0 where the mean is not above 0."""
        mean, out = self.mean, np.zeros(self.images.shape[1:], dtype=np.float32)
        np.divide(self.sd, mean, out=out, where=mean > 0.0)
        return out


class Kept(Protocol):
    """Where arrays are kept by name, so that a run goes on where it was stopped."""

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        """Return arrays, or None if they are not there."""

    def save(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write arrays, in place of those of that name."""


class State(Protocol):
    """A chain between two steps: all that the rest of it depends on."""

    @property
    def done(self) -> int:
        """Steps that are done."""

    @property
    def estimate(self) -> np.ndarray:
        """The image so far, to be looked at."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return it as arrays."""


S = TypeVar("S", bound=State)


class Sampler(Protocol[S]):
    """A sampler that goes from state to state."""

    def begin(self, problem: ScoreProblem, chain: int) -> S:
        """Return the state of a chain before its first step."""

    def advance(self, problem: ScoreProblem, state: S) -> S:
        """Return the state after the next step."""

    def drawn(self, problem: ScoreProblem, state: S) -> np.ndarray | None:
        """Return the draw that a state is, in the image's unit; None if it is on the way."""

    def state(self, arrays: Mapping[str, np.ndarray]) -> S:
        """Return the state that was written as arrays."""


def diffuse(
    sampler: Sampler[S],
    problem: ScoreProblem,
    chains: int,
    steps: int,
    progress: Progress,
    watch: Watch | None = None,
    *,
    kept: Kept | None = None,
    threads: int = 1,
    crew: Crew | None = None,
) -> Draws:
    """Run chains, each as if it were the only one; return their draws, chain after chain.

    Args:
        sampler: How.
        problem: What they share.
        chains: How many.
        steps: Of each.
        progress: Told of every step.
        watch: Told of the estimates of the first chain.
        kept: Where states and draws are kept.
        threads: Chains at a time; draws do not depend on it.
        crew: Who makes the steps; threads here if None.
    """
    if crew is not None:
        return _elsewhere(sampler, problem, chains, steps, progress, kept, crew)
    at_once, lock = min(max(threads, 1), chains), threading.Lock()
    stop = threading.Event()
    progress.start("diffusion", chains * steps)

    def run(chain: int) -> tuple[list[np.ndarray], int]:
        own = problem
        if at_once > 1:
            own = dataclasses.replace(problem, data=problem.data.alone(max(threads // at_once, 1)))
        state, images = _found(sampler, chain, kept)
        resumed = 0 if state is None else state.done
        state = sampler.begin(own, chain) if state is None else state
        with lock:
            progress.advance(resumed)
        while state.done < steps and not stop.is_set():
            state = sampler.advance(own, state)
            image = sampler.drawn(own, state)
            if image is not None:
                images.append(image)
            if kept is not None:
                if image is not None:
                    kept.save(f"draw{chain}-{len(images)}", {"image": image})
                number = np.array(len(images))
                kept.save(f"state{chain}", {**state.arrays(), "draws": number})
            with lock:
                progress.advance()
            if watch is not None and chain == 0:
                watch(state.done, state.estimate)
        return images, resumed

    if at_once == 1:
        found = [run(chain) for chain in range(chains)]
    else:
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            futures = [pool.submit(run, chain) for chain in range(chains)]
            try:
                found = [future.result() for future in futures]
            except BaseException:
                stop.set()  # the others end with the step they are in
                pool.shutdown(cancel_futures=True)
                raise
    progress.finish()
    return Draws(
        np.stack([image for images, _ in found for image in images]),
        steps=chains * steps,
        resumed=sum(resumed for _, resumed in found),
    )


def _elsewhere(
    sampler: Sampler[S],
    problem: ScoreProblem,
    chains: int,
    steps: int,
    progress: Progress,
    kept: Kept | None,
    crew: Crew,
) -> Draws:
    """Have workers make the steps of all chains, and keep them here: one of each at a time."""
    shared = sampler, dataclasses.replace(problem, data=problem.data.alone(1))
    states: list[S] = []
    drawn: list[list[np.ndarray]] = []
    for chain in range(chains):
        state, images = _found(sampler, chain, kept)
        states.append(sampler.begin(problem, chain) if state is None else state)
        drawn.append(images)
    resumed = sum(state.done for state in states)
    progress.start("diffusion", chains * steps)
    progress.advance(resumed)
    while left := [chain for chain in range(chains) if states[chain].done < steps]:
        behind = min(states[chain].done for chain in left)
        left = [chain for chain in left if states[chain].done == behind]
        given = [(states[chain].arrays(),) for chain in left]
        found = crew.each(_advance, shared, len(left), given.__getitem__)
        for chain, result in zip(left, found, strict=True):
            arrays = dict(result)
            image = arrays.pop("drawn", None)
            states[chain] = sampler.state(arrays)
            if image is not None:
                drawn[chain].append(image)
            if kept is not None:
                number = len(drawn[chain])
                if image is not None:
                    kept.save(f"draw{chain}-{number}", {"image": image})
                kept.save(f"state{chain}", {**arrays, "draws": np.array(number)})
            progress.advance()
    progress.finish()
    return Draws(
        np.stack([image for images in drawn for image in images]),
        steps=chains * steps,
        resumed=resumed,
    )


def _advance(
    shared: tuple[Sampler[S], ScoreProblem], arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return a state after its next step, as arrays, and the draw that it is."""
    sampler, problem = shared
    state = sampler.advance(problem, sampler.state(arrays))
    image = sampler.drawn(problem, state)
    return {**state.arrays(), **({} if image is None else {"drawn": image})}


def _found(sampler: Sampler[S], chain: int, kept: Kept | None) -> tuple[S | None, list[np.ndarray]]:
    """Return the last state of a chain that was kept, and the draws before it."""
    arrays = None if kept is None else kept.load(f"state{chain}")
    if kept is None or arrays is None:
        return None, []
    drawn = [kept.load(f"draw{chain}-{n + 1}") for n in range(int(arrays["draws"]))]
    images = [one["image"] for one in drawn if one is not None]
    if len(images) < len(drawn):  # one was damaged
        return None, []
    return sampler.state(arrays), images


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Have networks compute in one thread a draw, so that bits do not depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
